from tests.planning.stage import Stage


def by_hand(stage: Stage) -> None:
    stage.make_stranger("shop-web-1.next")
