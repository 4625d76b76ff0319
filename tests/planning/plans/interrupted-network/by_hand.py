from tests.planning.stage import Stage, cut_off, only


def by_hand(stage: Stage) -> None:
    cut_off(stage, only(stage.look(stage.reload()).plan), 2)
