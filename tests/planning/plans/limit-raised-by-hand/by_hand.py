from tests.planning.stage import Stage

GIGABYTE = 1024**3


def by_hand(stage: Stage) -> None:
    web = stage.container("shop-web-1")["Id"]
    stage.engine.update_container(web, {"Memory": GIGABYTE, "MemorySwap": GIGABYTE})
