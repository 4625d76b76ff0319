from tests.planning.stage import RICH, Stage


def by_hand(stage: Stage) -> None:
    stage.engine.images.remote["remote:1"] = RICH
