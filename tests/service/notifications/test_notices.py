"""What people are told: transitions, one notice a pass, the same trouble once and its end once; nothing at a quiet start."""

from reconciler.loop.telling import Condition, PassEnded, SourceChanged, SourceStatus, StateChanged
from reconciler.model.address import parse_address
from reconciler.model.plan import Change, Plan, Reason, Verb
from reconciler.model.report import Outcome, Report, Status
from reconciler.service.notifications.notices import Event, Notice, Notices
from reconciler.source.interface import Revision
from tests.loop.conftest import DB, WEB
from tests.loop.simulation import Simulation

EMPTY = Plan("shop", "id", "engine", "1.41")
COMMIT = "c" * 40


def notices(simulation: Simulation) -> list[Notice]:
    made = Notices()
    return [notice for told in simulation.told for notice in made.take(told)]


def events(found: list[Notice]) -> list[Event]:
    return [notice.event for notice in found]


def ended(statuses: dict[str, Status], at: float = 0.0, revision: str = "r1", *, settled: bool = True) -> PassEnded:
    outcomes = tuple(Outcome(parse_address(name), Verb.CREATE, status, 0.1, "why") for name, status in statuses.items())
    changes = tuple(Change(item.address, Verb.CREATE, Reason.ABSENT) for item in outcomes)
    left = EMPTY if settled else EMPTY._replace(changes=changes)
    report = Report(outcomes, left) if outcomes else None
    return PassEnded("shop", "p1", (), revision, EMPTY._replace(changes=changes), report, (), "", 0.1, at)


def source(reason: str = "", commit: str = COMMIT, at: float = 0.0) -> SourceChanged:
    status = SourceStatus(
        "a repository", attempted=Revision(commit), reason=reason, refusal="not signed" if reason else ""
    )
    return SourceChanged("shop", SourceStatus("a repository"), status, at)


def test_a_quiet_start_and_changes_that_go_well(simulation: Simulation) -> None:
    simulation.add(WEB)
    simulation.advance(3600)
    simulation.edit(WEB.replace("serve", "other"))
    simulation.advance(3600)
    found = notices(simulation)
    assert events(found) == [Event.CHANGED, Event.CHANGED]
    assert dict(found[0].items) == {"network.default": "create", "container.web": "create"}


def test_a_failure_is_told_once_and_its_end_once(simulation: Simulation) -> None:
    simulation.add('[container.a]\nimage = "nowhere"\n[container.b]\nimage = "nowhere"\n')
    simulation.advance(3600)
    simulation.edit(WEB)
    simulation.advance(10)
    first, *others = [item for item in notices(simulation) if item.event is not Event.CHANGED]
    assert first.event is Event.FAILED
    assert len(first.items) >= 1
    assert first.pass_id
    assert "nowhere" in first.body
    assert events(others)[-1:] == [Event.RECOVERED]
    assert len(others) == 1, others


def test_what_is_mended_and_fails_again_is_told_again() -> None:
    made = Notices()
    said = [
        made.take(ended({"container.a": status, "container.b": Status.FAILED}))
        for status in (Status.FAILED, Status.FAILED, Status.DONE, Status.RESTORED, Status.RESTORED)
    ]
    bad = [[item for item in found if item.is_bad] for found in said]
    assert [[item.event for item in found] for found in bad] == [[Event.FAILED], [], [], [Event.ROLLED_BACK], []]
    assert [len(found[0].items) for found in bad if found] == [2, 1]
    [recovered] = made.take(StateChanged("shop", Condition.FAILING, Condition.SETTLED, "", 0.0))
    assert [name for name, _ in recovered.items] == ["container.a", "container.b"]
    assert made.take(StateChanged("shop", Condition.FAILING, Condition.SETTLED, "", 0.0)) == []


def test_what_does_not_stay_is_told_when_it_is_left_alone(simulation: Simulation) -> None:
    simulation.add(WEB + DB)
    for _ in range(7):
        simulation.advance(5)
        if "shop-web-1" in simulation.names():
            simulation.remove("shop-web-1")
    simulation.advance(3600)
    bad = [item for item in notices(simulation) if item.is_bad]
    assert events(bad) == [Event.FLAPPING]
    assert [name for name, _ in bad[0].items] == ["container.web"]


def test_an_invalid_spec_is_told_once_and_another_mistake_again(simulation: Simulation) -> None:
    simulation.add(WEB)
    simulation.advance(10)
    simulation.edit("[container.web]\nimages = 1\n")
    simulation.advance(3600)
    simulation.edit("[container.web]\nimagine = 1\n")
    simulation.advance(3600)
    simulation.edit(WEB)
    simulation.advance(10)
    found = [item for item in notices(simulation) if item.event is not Event.CHANGED]
    assert events(found) == [Event.INVALID, Event.INVALID, Event.RECOVERED]
    assert "images" in found[0].text
    assert "imagine" in found[1].text


def test_a_source_that_is_refused() -> None:
    made = Notices()
    assert events(made.take(source("unsigned"))) == [Event.REFUSED]
    assert made.take(source("unsigned")) == []
    assert events(made.take(source("unsigned", "d" * 40))) == [Event.REFUSED]
    assert made.take(StateChanged("shop", Condition.FAILING, Condition.SETTLED, "", 0.0)) == []
    assert events(made.take(source())) == [Event.RECOVERED]
    assert made.take(source()) == []


def test_a_source_that_cannot_be_had_is_told_when_it_lasts() -> None:
    made = Notices()
    assert made.take(source("unreachable", at=100.0)) == []
    assert made.take(ended({}, at=200.0)) == []
    assert made.take(source(at=210.0)) == []
    assert made.take(ended({}, at=900.0)) == []
    assert made.take(source("unreachable", at=1000.0)) == []
    assert made.take(source("local", at=1100.0)) == []
    assert events(made.take(ended({}, at=1300.0))) == [Event.REFUSED]
    assert made.take(ended({}, at=2000.0)) == []
    assert events(made.take(source(at=2100.0))) == [Event.RECOVERED]


def test_an_engine_that_goes_and_comes_back() -> None:
    made = Notices()
    assert made.take(StateChanged("", Condition.STARTING, Condition.SETTLED, "", 0.0)) == []
    assert events(made.take(StateChanged("", Condition.SETTLED, Condition.AWAY, "gone", 0.0))) == [Event.ENGINE]
    assert made.take(StateChanged("shop", Condition.SETTLED, Condition.AWAY, "gone", 0.0)) == []
    assert made.take(StateChanged("", Condition.SETTLED, Condition.AWAY, "gone", 0.0)) == []
    assert made.take(StateChanged("shop", Condition.AWAY, Condition.SETTLED, "", 0.0)) == []
    assert events(made.take(StateChanged("", Condition.AWAY, Condition.SETTLED, "", 0.0))) == [Event.RECOVERED]


def test_a_long_message_is_shortened_and_many_resources_are_counted() -> None:
    report = Report(
        (Outcome(parse_address("container.a"), Verb.CREATE, Status.FAILED, 0.1, "x" * 9000 + "end"),), EMPTY
    )
    [notice] = Notices().take(ended({})._replace(report=report))
    assert len(notice.body) < 2000
    assert notice.body.splitlines()[0].endswith("end")
    [notice] = Notices().take(ended({f"container.c{number}": Status.FAILED for number in range(30)}))
    assert notice.body.splitlines()[-2] == "and 10 more"


def test_what_became_of_a_commit() -> None:
    made = Notices()
    assert made.commit(ended({}, revision="r1")) is None
    state = made.commit(ended({"container.a": Status.FAILED}, revision=COMMIT))
    assert state is not None
    assert (state.state, state.commit, state.text) == ("failure", COMMIT, "container.a failed")
    assert made.commit(ended({"container.a": Status.FAILED}, revision=COMMIT)) is None
    assert made.commit(ended({"container.a": Status.DONE}, revision=COMMIT, settled=False)) is None
    state = made.commit(ended({"container.a": Status.DONE}, revision=COMMIT))
    assert state is not None
    assert state.state == "success"
    assert made.commit(ended({}, revision=COMMIT)) is None
    assert made.commit(source("unreachable", "d" * 40)) is None
    state = made.commit(source("unsigned", "d" * 40))
    assert state is not None
    assert (state.state, state.commit, state.text) == ("error", "d" * 40, "not signed")
