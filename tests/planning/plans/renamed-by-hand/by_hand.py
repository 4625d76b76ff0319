from tests.planning.stage import Stage


def by_hand(stage: Stage) -> None:
    stage.engine.rename_container(stage.container("shop-web-1")["Id"], "precious")
