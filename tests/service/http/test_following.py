"""Events: as they happen, going on where one was, and never held up by a client that does not read."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from reconciler.apply.executor import Happening
from reconciler.loop.telling import ActionHappened, Condition, StateChanged
from reconciler.model.address import parse_address
from reconciler.model.plan import Verb
from reconciler.service.http import server as serving
from reconciler.service.http.answers import Veil
from reconciler.service.http.chronicle import Chronicle
from reconciler.service.http.rollouts import Rollouts
from reconciler.service.http.streams import MOST_FOLLOWERS
from reconciler.service.redaction import Secrets
from tests.loop.test_instance import World, until
from tests.service.http.conftest import Site


class Event(NamedTuple):
    id: str
    name: str
    content: Any


class Follower:
    """Reads a stream of events."""

    def __init__(self, site: Site, last: str = "") -> None:
        self._connection = site.connect()
        self._connection.request("GET", "/api/v1/events", headers={"Last-Event-ID": last} if last else {})
        self.answer: http.client.HTTPResponse = self._connection.getresponse()
        self.comments = 0

    def __iter__(self) -> Iterator[Event]:
        fields: dict[str, str] = {}
        for raw in self.answer:
            line = raw.decode().rstrip("\n")
            if not line:
                if "data" in fields:
                    yield Event(fields.get("id", ""), fields.get("event", ""), json.loads(fields["data"]))
                fields = {}
            elif line.startswith(":"):
                self.comments += 1
            else:
                name, _, value = line.partition(": ")
                fields[name] = value

    def close(self) -> None:
        if self._connection.sock is not None:
            self._connection.sock.close()
        self.answer.close()
        self._connection.close()


@contextmanager
def following(site: Site, last: str = "") -> Iterator[Iterator[Event]]:
    follower = Follower(site, last)
    assert follower.answer.status == 200
    assert follower.answer.headers["Content-Type"].startswith("text/event-stream")
    try:
        yield iter(follower)
    finally:
        follower.close()


def state_changed(text: str) -> StateChanged:
    return StateChanged("shop", Condition.SETTLED, Condition.FAILING, text, 1_700_000_000.0)


def test_what_happens_is_told(site: Site, world: World) -> None:
    with following(site) as events:
        assert next(events).name == "look"
        world.remove("shop-web-1")
        found: list[Event] = []
        for event in events:
            found.append(event)
            if event.name == "pass-ended" and event.content["acted"]:
                break
    names = [event.name for event in found]
    assert names[:2] == ["pass-started", "plan"]
    assert {"action", "pass-ended"} <= set(names)
    plan = next(event.content for event in found if event.name == "plan")
    assert (plan["project"], plan["summary"]["create"], plan["settled"]) == ("shop", 1, False)
    texts = [event.content["text"] for event in found if event.name == "action" and event.content["what"] == "action"]
    assert any(text.startswith("create container shop-web-1") for text in texts)
    (outcome,) = found[-1].content["outcomes"]
    assert (outcome["address"], outcome["status"]) == ("container.web", "done")
    assert len({event.content["pass_id"] for event in found}) == 1


def test_one_goes_on_where_one_was(site: Site) -> None:
    with following(site) as events:
        first = next(events)
    for number in range(3):
        site.instance.tell(state_changed(f"change {number}"))
    with following(site, first.id) as events:
        found = [next(events) for _ in range(3)]
    assert [event.content["text"] for event in found] == ["change 0", "change 1", "change 2"]
    with following(site, found[1].id) as events:
        assert next(events).content["text"] == "change 2"


@pytest.mark.parametrize("last", ["other-3", "nonsense", "-", "99999999999999999999"])
def test_an_id_of_another_process_says_look_at_the_whole(site: Site, last: str) -> None:
    with following(site, last) as events:
        assert next(events).name == "look"


def test_what_is_forgotten_says_look_at_the_whole(site: Site) -> None:
    with following(site) as events:
        first = next(events)
    for number in range(1100):
        site.instance.tell(state_changed(str(number)))
    with following(site, first.id) as events:
        assert next(events).name == "look"


def test_secrets_and_control_characters_are_not_told(site: Site) -> None:
    site.secrets.add({"canary-secret"})
    with following(site) as events:
        next(events)
        site.instance.tell(state_changed("it said canary-secret \x1b[31m\nevent: forged\u202e"))
        event = next(events)
    assert event.content["text"] == "it said (secret) \\x1b[31m\nevent: forged\\x202e"


def test_a_client_that_does_not_read_holds_up_nobody_and_is_dropped(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_PATIENCE", 0.3)
    deaf = site.raw()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert deaf.recv(12) == b"HTTP/1.1 200"
    before = threading.active_count()
    began = time.monotonic()
    for _ in range(3000):
        site.instance.tell(state_changed("x" * 2000))
    assert time.monotonic() - began < 5
    assert site.ask("/healthz").status == 200
    with following(site) as events:
        assert next(events).name == "look"
    until(lambda: not site.server.followers, 10)
    assert threading.active_count() <= before + 4
    deaf.close()


def test_only_so_many_follow(site: Site) -> None:
    followers = [Follower(site) for _ in range(MOST_FOLLOWERS)]
    refused = Follower(site)
    assert refused.answer.status == 503
    for follower in (*followers, refused):
        follower.close()
    until(lambda: not site.server.followers)
    with following(site) as events:
        assert next(events).name == "look"


def test_streams_end_when_the_service_does(site: Site) -> None:
    with following(site) as events:
        next(events)
        began = time.monotonic()
        site.server.stop()
        assert list(events) == []
        assert time.monotonic() - began < 3


# --- without a server ----------------------------------------------------------------------------------------------


def line(text: str, what: str = "line") -> ActionHappened:
    return ActionHappened("shop", "p1", Happening(parse_address("image.app"), Verb.CREATE, what, text))


def test_progress_in_thousands_of_lines_leaves_room_for_the_rest() -> None:
    chronicle = Chronicle(Veil(Secrets()), kept=10)
    chronicle(line("pull image app", "action"))
    for number in range(1000):
        chronicle(line(f"layer {number}"))
    found = chronicle.after(0)
    assert found is not None
    assert [json.loads(entry.text)["text"] for entry in found] == ["pull image app", "layer 0"]


def test_the_ring_has_ends() -> None:
    chronicle = Chronicle(Veil(Secrets()), kept=3)
    assert chronicle.after(0) == []
    for number in range(5):
        chronicle(state_changed(str(number)))
    assert [entry.number for entry in chronicle.after(2) or ()] == [3, 4, 5]
    assert [entry.number for entry in chronicle.after(4) or ()] == [5]
    assert chronicle.after(5) == []
    assert chronicle.after(1) is None
    assert chronicle.after(6) is None


def test_a_pass_that_is_told_in_part_only_is_no_rollout() -> None:
    rollouts = Rollouts()
    rollouts(line("create container", "action"))
    assert rollouts.under_way("shop") is None
    assert rollouts.last("shop") is None
