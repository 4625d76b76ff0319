from tests.planning.stage import Stage, cut_off, only


def by_hand(stage: Stage) -> None:
    stage.make_stranger("shop-web-1")
    stage.engine.create_network({"Name": "shop_back"})
    cut_off(stage, only(stage.look(stage.reload()).plan), 4)
