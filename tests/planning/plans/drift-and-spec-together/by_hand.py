from tests.planning.stage import Stage


def by_hand(stage: Stage) -> None:
    web = stage.container("shop-web-1")["Id"]
    stage.engine.update_container(web, {"RestartPolicy": {"Name": "no"}})
