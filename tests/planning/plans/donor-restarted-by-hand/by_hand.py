"""Somebody restarted the donor: whoever shares its namespace has lost it."""

from tests.planning.stage import Stage


def by_hand(stage: Stage) -> None:
    stage.engine.restart_container(stage.container("shop-web-1")["Id"], 1)
