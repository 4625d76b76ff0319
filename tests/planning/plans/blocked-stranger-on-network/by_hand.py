from tests.planning.stage import Stage


def by_hand(stage: Stage) -> None:
    stage.make_stranger("guest", network="shop_back")
    stage.make_stranger("visitor", network="shop_front")
