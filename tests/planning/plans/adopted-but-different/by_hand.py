from tests.planning.stage import Stage


def prepare(stage: Stage) -> None:
    stage.make_stranger("shop-web-1")
    stage.engine.create_network({"Name": "shop_back"})
    stage.engine.create_volume({"Name": "shop_data"})
