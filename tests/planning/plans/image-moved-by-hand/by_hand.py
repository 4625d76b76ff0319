from tests.planning.stage import OTHER, Stage


def by_hand(stage: Stage) -> None:
    stage.engine.images.add("busybox:latest", OTHER)
