from tests.planning.stage import Stage


def by_hand(stage: Stage) -> None:
    """Killed while it made a network, and run again before the engine had made it."""
    stage.engine.networks.twin("shop_front")
    stage.engine.remove_container(stage.container("shop-api-1")["Id"])
