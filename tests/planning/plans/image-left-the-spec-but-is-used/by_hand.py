from tests.planning.stage import Stage


def by_hand(stage: Stage) -> None:
    stage.engine.create_container("guest", {"Image": "shop-api"}, "")
