from tests.planning.stage import Stage


def by_hand(stage: Stage) -> None:
    stage.engine.remove_image("shop-api:lost")
