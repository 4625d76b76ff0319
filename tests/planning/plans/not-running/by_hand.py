from tests.planning.stage import Stage


def by_hand(stage: Stage) -> None:
    """What is done stays done; all else that does not run is started."""
    stage.container("shop-crashed-1")["State"].update(Status="exited", Running=False, ExitCode=3)
    stage.engine.pause(stage.container("shop-paused-1")["Id"])
    stage.engine.stop_container(stage.container("shop-stopped-1")["Id"], 0)
