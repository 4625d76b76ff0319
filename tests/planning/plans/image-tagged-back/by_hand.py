from tests.planning.stage import Stage


def edit(stage: Stage, step: str) -> None:
    (stage.directory / "api" / "Dockerfile").write_text(f"FROM scratch\nLABEL step={step}\n")


def by_hand(stage: Stage) -> None:
    edit(stage, "two")
    stage.apply(stage.reload())
    edit(stage, "one")
