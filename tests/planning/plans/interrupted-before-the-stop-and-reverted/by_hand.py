from tests.planning.stage import Stage, cut_off, only


def by_hand(stage: Stage) -> None:
    """Cut off on the way to another spec than that of today."""
    spec = (stage.directory / "spec.toml").read_text()
    cut_off(stage, only(stage.plan(spec.replace("info", "trace"))), 1)
