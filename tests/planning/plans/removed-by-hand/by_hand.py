from tests.planning.stage import Stage


def by_hand(stage: Stage) -> None:
    web = stage.container("shop-web-1")["Id"]
    stage.engine.stop_container(web, 0)
    stage.engine.remove_container(web)
    stage.engine.remove_network(stage.engine.networks.named("shop_back")["Id"])
    stage.engine.remove_volume("shop_data")
