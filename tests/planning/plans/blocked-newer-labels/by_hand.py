from tests.planning.stage import Stage


def prepare(stage: Stage) -> None:
    """What a later version of this program left: one declared, one that is not."""
    for name in ("web", "old"):
        labels = {"reconciler.address": f"container.{name}", "reconciler.fingerprint": "2:whatever"}
        stage.make_stranger(f"shop-{name}-1", {"reconciler.project": "shop", **labels})
