from tests.planning.stage import Stage


def labels(address: str) -> dict[str, str]:
    return {"reconciler.project": "other", "reconciler.address": address}


def prepare(stage: Stage) -> None:
    stage.make_stranger("shop-web-1", labels("container.web"))
    stage.engine.create_network({"Name": "shop_back", "Labels": labels("network.back")})
    stage.engine.create_volume({"Name": "shop_data", "Labels": labels("volume.data")})
