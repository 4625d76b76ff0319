from tests.planning.stage import Stage


def by_hand(stage: Stage) -> None:
    """An endpoint of a container that does not run has no id of the network yet."""
    web = stage.container("shop-web-1")["Id"]
    stage.engine.stop_container(web, 10)
    stage.engine.connect(stage.engine.networks.named("shop_side")["Id"], web, {})
