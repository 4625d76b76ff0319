"""Somebody removed the donor."""

from tests.planning.stage import Stage


def by_hand(stage: Stage) -> None:
    web = stage.container("shop-web-1")["Id"]
    stage.engine.stop_container(web, 1)
    stage.engine.remove_container(web)
