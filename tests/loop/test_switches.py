"""What a person switches off or suspends is not touched; what they have written wrong changes nothing."""

from pathlib import Path

import pytest

from reconciler.loop.judge import Policy, Why
from reconciler.loop.telling import Condition
from reconciler.loop.triggers import Cause
from reconciler.model.address import parse_address
from tests.loop.conftest import DB, WEB
from tests.loop.simulation import Simulation


def why(simulation: Simulation) -> set[Why]:
    return {item.why for item in simulation.projects["shop"].status().held}


# --- switches ------------------------------------------------------------------------------------------------------


def test_without_heal_drift_is_only_reported(simulation: Simulation) -> None:
    simulation.add(WEB)
    simulation.advance(1)
    simulation.policy = Policy(heal=False)
    simulation.remove("shop-web-1")
    simulation.advance(600)
    assert simulation.names() == []
    assert why(simulation) == {Why.NOT_HEALED}
    assert simulation.condition() is Condition.OUT_OF_SYNC
    simulation.edit(WEB + 'environment = { A = "1" }\n')
    simulation.advance(1)
    assert simulation.is_running("shop-web-1"), "a new revision is applied"


def test_without_apply_a_new_revision_is_only_shown(simulation: Simulation) -> None:
    simulation.add(WEB)
    simulation.advance(1)
    simulation.policy = Policy(apply=False)
    first = simulation.container("shop-web-1")["Id"]
    simulation.edit(WEB + 'environment = { A = "1" }\n' + DB)
    simulation.advance(600)
    assert simulation.names() == ["shop-web-1"]
    assert simulation.container("shop-web-1")["Id"] == first
    shown = simulation.projects["shop"].status().plan
    assert shown is not None
    assert {str(change.address) for change in shown.changes} == {"container.web", "container.db"}
    simulation.remove("shop-web-1")
    simulation.advance(1)
    assert simulation.is_running("shop-web-1"), "drift is healed"
    assert "A=1" not in simulation.container("shop-web-1")["Config"]["Env"], "to what was applied"
    status = simulation.projects["shop"].status()
    assert status.condition is Condition.OUT_OF_SYNC, "the newer revision is still to be seen"
    assert status.plan is not None
    assert len(status.plan.changes) == 2
    assert status.applied != status.attempted
    simulation.policy = Policy()
    simulation.projects["shop"].post(Cause.SETTINGS)
    simulation.advance(1)
    assert simulation.names() == ["shop-db-1", "shop-web-1"]
    assert simulation.condition() is Condition.SETTLED


def test_without_apply_what_has_left_the_spec_stays(simulation: Simulation) -> None:
    simulation.add(WEB + DB)
    simulation.advance(1)
    simulation.policy = Policy(apply=False)
    simulation.edit(WEB)
    simulation.advance(600)
    assert simulation.names() == ["shop-db-1", "shop-web-1"]


def test_without_apply_after_a_restart_what_has_not_changed_is_healed(simulation: Simulation) -> None:
    simulation.add(WEB + DB)
    simulation.advance(1)
    simulation.policy = Policy(apply=False)
    simulation.write(WEB + 'environment = { A = "1" }\n' + DB)
    simulation.restart()
    simulation.remove("shop-db-1")
    simulation.advance(600)
    assert simulation.is_running("shop-db-1")
    assert "A=1" not in simulation.container("shop-web-1")["Config"]["Env"]


def test_without_apply_nothing_is_made_that_never_was_there(simulation: Simulation) -> None:
    simulation.policy = Policy(apply=False)
    simulation.add(WEB)
    simulation.advance(600)
    assert simulation.writes() == {}
    assert why(simulation) == {Why.NOT_APPLIED}
    simulation.policy = Policy()
    simulation.projects["shop"].post(Cause.SETTINGS)
    simulation.advance(1)
    simulation.policy = Policy(apply=False)
    simulation.write(WEB + DB)
    simulation.restart()
    simulation.remove("shop-web-1")
    simulation.advance(600)
    assert simulation.names() == ["shop-web-1"], "what was applied is healed, and what is new is only shown"


def test_without_heal_a_project_that_is_new_is_applied(simulation: Simulation) -> None:
    simulation.policy = Policy(heal=False)
    simulation.add(WEB)
    simulation.advance(1)
    assert simulation.names() == ["shop-web-1"]
    simulation.remove("shop-web-1")
    simulation.restart()
    simulation.advance(600)
    assert simulation.names() == []
    assert why(simulation) == {Why.NOT_HEALED}


def test_observing_changes_nothing(simulation: Simulation) -> None:
    simulation.policy = Policy(apply=False, heal=False)
    simulation.add(WEB + DB)
    simulation.advance(1)
    assert simulation.writes() == {}
    simulation.edit(WEB)
    simulation.advance(600)
    assert simulation.writes() == {}
    assert simulation.condition() is Condition.OUT_OF_SYNC


def test_a_volume_is_not_removed_where_nobody_is_asked(simulation: Simulation) -> None:
    simulation.add(WEB + "[volume.data]\n")
    simulation.advance(1)
    spec = simulation.directory / "shop" / "spec.toml"
    simulation.edit(WEB)
    spec.write_text(spec.read_text().replace('name = "shop"', 'name = "shop"\nprune = true'))
    simulation.advance(600)
    assert "shop_data" in simulation.engine.volumes
    assert why(simulation) == {Why.UNCONFIRMED}
    assert simulation.condition() is Condition.OUT_OF_SYNC


# --- suspended -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("project", ["", "shop"])
def test_what_is_suspended_is_not_touched(simulation: Simulation, project: str) -> None:
    simulation.add(WEB + DB)
    simulation.advance(1)
    simulation.state.suspend(project)
    before = simulation.writes()
    simulation.remove("shop-web-1")
    simulation.edit(WEB + "[network.new]\n")  # db is an orphan now
    simulation.advance(600)
    assert simulation.writes() == before
    assert simulation.condition() is Condition.SUSPENDED
    simulation.restart()
    simulation.advance(600)
    assert simulation.writes() == before
    simulation.state.resume(project)
    simulation.projects["shop"].post(Cause.PERSON)
    simulation.advance(1)
    assert simulation.names() == ["shop-web-1"]


def test_one_resource_is_suspended(simulation: Simulation) -> None:
    simulation.add(WEB + DB)
    simulation.advance(1)
    simulation.state.suspend("shop", parse_address("container.web"))
    simulation.remove("shop-web-1")
    simulation.remove("shop-db-1")
    simulation.advance(600)
    assert simulation.names() == ["shop-db-1"]
    assert why(simulation) == {Why.SUSPENDED}
    assert [
        str(item.standing.address) for item in simulation.projects["shop"].status().resources if item.is_suspended
    ] == ["container.web"]


def test_what_needs_what_is_suspended_waits(simulation: Simulation) -> None:
    simulation.add(DB)
    simulation.advance(1)
    simulation.state.suspend("shop", parse_address("container.web"))
    simulation.edit(DB + WEB + '[container.last]\nimage = "busybox"\ncommand = ["x"]\ndepends_on = ["web"]\n')
    simulation.advance(60)
    assert simulation.names() == ["shop-db-1"]


def test_a_suspension_that_cannot_be_read_suspends_everything(simulation: Simulation) -> None:
    simulation.add(WEB)
    simulation.advance(1)
    simulation.state.suspend("other")
    (simulation.directory / "state" / "suspended.json").write_text('{"whole": 7')
    simulation.restart()
    simulation.remove("shop-web-1")
    simulation.advance(600)
    assert simulation.names() == []
    assert any("everything is" in text for text in simulation.complaints)
    simulation.state.resume()
    simulation.projects["shop"].post(Cause.PERSON)
    simulation.advance(1)
    assert simulation.is_running("shop-web-1")


# --- specs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken", ["nonsense = \n", '[container.web]\nimage = ""\n', "[container.web]\nimaje = 'busybox'\n"]
)
def test_an_invalid_spec_leaves_the_last_good_one_in_force(simulation: Simulation, broken: str) -> None:
    simulation.add(WEB)
    simulation.advance(1)
    simulation.edit(broken)
    simulation.advance(10)
    assert simulation.changes() == [Condition.SETTLED, Condition.INVALID]
    assert simulation.projects["shop"].status().problems
    simulation.remove("shop-web-1")
    simulation.advance(1)
    assert simulation.is_running("shop-web-1")
    simulation.advance(3600)
    assert simulation.changes() == [Condition.SETTLED, Condition.INVALID], "it says so once"
    simulation.edit(WEB)
    simulation.advance(1)
    assert simulation.condition() is Condition.SETTLED


def test_a_half_written_file_is_not_called_invalid(simulation: Simulation) -> None:
    simulation.add(WEB)
    simulation.advance(1)
    simulation.edit("[container.web]\nima")
    simulation.advance(0.5)
    simulation.edit(WEB + DB)
    simulation.advance(5)
    assert simulation.changes() == [Condition.SETTLED]
    assert simulation.names() == ["shop-db-1", "shop-web-1"]


def test_a_directory_that_goes_removes_nothing(simulation: Simulation) -> None:
    simulation.add(WEB)
    simulation.advance(1)
    (simulation.directory / "shop" / "spec.toml").unlink()
    simulation.projects["shop"].post(Cause.FILES)
    simulation.advance(600)
    assert simulation.is_running("shop-web-1")
    assert simulation.condition() is Condition.INVALID
    (simulation.directory / "shop").rmdir()
    simulation.projects["shop"].post(Cause.FILES)
    simulation.advance(600)
    assert simulation.is_running("shop-web-1")
    simulation.edit(WEB)
    simulation.advance(1)
    assert simulation.condition() is Condition.SETTLED


def test_a_spec_that_is_invalid_from_the_start_touches_nothing(simulation: Simulation) -> None:
    simulation.add(WEB)
    simulation.advance(1)
    simulation.write("nonsense = \n")
    before = simulation.writes()
    simulation.restart()
    simulation.advance(600)
    assert simulation.writes() == before
    assert simulation.condition() is Condition.INVALID


@pytest.mark.parametrize("name", ["index.lock", "MERGE_HEAD", "rebase-merge"])
def test_a_checkout_in_the_middle_of_something_is_waited_for(simulation: Simulation, name: str) -> None:
    git = simulation.directory / "shop" / ".git"
    simulation.add(WEB)
    git.mkdir()
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    simulation.advance(1)
    (git / name).touch()
    simulation.edit(WEB + DB)
    simulation.advance(10)
    assert simulation.names() == ["shop-web-1"]
    (git / name).unlink()
    simulation.advance(1)
    assert simulation.names() == ["shop-db-1", "shop-web-1"]


def test_a_worktree_has_its_git_elsewhere(simulation: Simulation, tmp_path: Path) -> None:
    simulation.add(WEB)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "HEAD").write_text("ref: refs/heads/main\n")
    (simulation.directory / "shop" / ".git").write_text(f"gitdir: {elsewhere}\n")
    (elsewhere / "index.lock").touch()
    simulation.advance(10)
    assert simulation.names() == []
    (elsewhere / "index.lock").unlink()
    simulation.advance(1)
    assert simulation.names() == ["shop-web-1"]


# --- several -------------------------------------------------------------------------------------------------------


def test_one_that_fails_does_not_hold_up_another(simulation: Simulation) -> None:
    simulation.add("nonsense = \n", "broken")
    simulation.add(WEB)
    simulation.add(DB, "other")
    simulation.advance(1)
    assert simulation.names() == ["other-db-1", "shop-web-1"]
    before = simulation.projects["other"].passes.count
    simulation.remove("shop-web-1")
    simulation.advance(1)
    assert simulation.is_running("shop-web-1")
    assert simulation.projects["other"].passes.count == before, "what happens to one is no business of the other"


def test_two_specs_of_one_project_do_not_fight(simulation: Simulation) -> None:
    simulation.add(WEB)
    simulation.add(DB, "copy")
    (simulation.directory / "copy" / "spec.toml").write_text(f'[project]\nname = "shop"\n{DB}')
    simulation.advance(600)
    assert simulation.names() == ["shop-web-1"]
    assert simulation.condition("copy") is Condition.INVALID
    assert "undo the other's work" in simulation.projects["copy"].text
