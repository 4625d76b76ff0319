from tests.planning.stage import Stage, by_address, cut_off


def by_hand(stage: Stage) -> None:
    changes = by_address(stage.look(stage.reload()).plan)
    cut_off(stage, changes["network.default"], 1)
    cut_off(stage, changes["container.web"], 1)
