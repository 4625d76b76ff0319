from tests.planning.stage import Stage


def by_hand(stage: Stage) -> None:
    side = stage.engine.networks.named("shop_side")["Id"]
    stage.engine.connect(side, stage.container("shop-web-1")["Id"], {})
