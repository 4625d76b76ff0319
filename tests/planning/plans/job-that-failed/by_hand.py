"""The job was killed in the middle, as by the host."""

from tests.planning.stage import Stage


def by_hand(stage: Stage) -> None:
    stage.container("shop-migrate-1")["State"]["ExitCode"] = 137
