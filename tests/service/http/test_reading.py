"""What can be read: status, plans, logs, history, metrics, health."""

from typing import Any

import pytest

from reconciler.loop.telling import Condition
from reconciler.service.http.listening import Place
from reconciler.service.journal import Journal
from tests.loop.conftest import WEB
from tests.loop.test_instance import World, until
from tests.planning.stage import PLAIN
from tests.service.http.conftest import Serve, Site
from tests.support.memory import Behaviour


def test_the_status_of_a_settled_project(site: Site) -> None:
    document = site.status()
    assert document["format_version"] == "1"
    assert document["takes_orders"] is True
    assert document["engine"]["connected"] is True
    (project,) = document["projects"]
    assert (project["name"], project["condition"], project["settled"]) == ("shop", "settled", True)
    assert project["attempted"] == project["applied"] != ""
    assert project["last_good"].endswith("Z")
    web = next(item for item in project["resources"] if item["address"] == "container.web")
    assert (web["sync"], web["health"], web["well"], web["suspended"]) == ("in sync", "running", True, False)
    assert project["under_way"] is None
    (change,) = [item for item in project["last_change"]["changes"] if item["address"] == "container.web"]
    assert (change["verb"], change["status"]) == ("create", "done")
    assert any("create container shop-web-1" in step["text"] for step in change["steps"])


def test_the_plan_is_that_of_plan_json_and_shows_values_as_people_write_them(site: Site, world: World) -> None:
    site.instance.suspend("shop")
    world.write("shop", WEB + 'mem_limit = "64M"\nenvironment = { DB_PASSWORD = "canary-secret" }\n')
    until(lambda: world.status().condition is Condition.SUSPENDED)
    (entry,) = site.ask("/api/v1/plan?project=shop").json()["projects"]
    assert entry["plan"]["format_version"] == "1"
    (change,) = entry["plan"]["changes"]
    assert (change["address"], change["verb"], change["reason"]) == ("container.web", "replace", "spec-changed")
    fields = {field["path"]: field for field in change["fields"]}
    assert fields["mem_limit"]["desired"] == 64 * 1024**2
    assert fields["mem_limit"]["shown"][1] == '"64M"'
    assert fields["environment.DB_PASSWORD"]["sensitive"] is True
    assert fields["environment.DB_PASSWORD"]["desired"] is None
    assert entry["held"] == [{"address": "container.web", "why": "suspended", "text": "it is suspended", "until": None}]
    assert b"canary" not in site.ask("/api/v1/plan").body
    assert site.project()["resources"][0]["suspended"] is True


def test_an_invalid_spec_is_told_with_its_problems(site: Site, world: World) -> None:
    world.write("shop", "nonsense = 1\n")
    until(lambda: world.status().condition is Condition.INVALID)
    (problem,) = site.project()["problems"]
    assert problem["line"] == 3
    assert "unknown" in problem["message"]


def test_health_and_readiness(site: Site) -> None:
    assert (site.ask("/healthz").status, site.ask("/readyz").status) == (200, 200)
    site.ready = False
    assert site.ask("/readyz").status == 503
    site.ready, site.alive = True, False
    assert site.ask("/healthz").status == 503
    site.alive = True
    site.world.engine.go_away()
    until(lambda: not site.instance.snapshot().engine.is_connected)
    answer = site.ask("/readyz")
    assert answer.status == 503
    assert answer.body.startswith(b"the engine is away: ")
    assert site.ask("/healthz").status == 200, "an engine that is away is no reason to be started again"
    site.world.engine.come_back()


def test_the_tail_of_a_log_without_secrets_and_colours(world: World, serve: Serve) -> None:
    output = b"\x1b[31mready\x1b[0m \x1b]0;title\x07\nstep 1\rstep 2\nthe password is canary-secret\n"
    world.engine.images.remote["talks:1"] = PLAIN._replace(behaviour=Behaviour(output=output))
    spec = '[container.web]\nimage = "talks:1"\nscale = 2\nenvironment = { DB_PASSWORD = "canary-secret" }\n'
    world.write("shop", spec)
    site = serve("shop")
    site.secrets.add({"canary-secret"})
    site.settle()
    document = site.ask("/api/v1/logs?project=shop&address=container.web&tail=5").json()
    assert [item["name"] for item in document["containers"]] == ["shop-web-1", "shop-web-2"]
    assert document["containers"][0]["status"] == "running"
    assert document["containers"][0]["text"] == ("ready \\x1b]0;title\\x07\nstep 2\nthe password is (secret)")
    one = site.ask("/api/v1/logs?project=shop&address=container.web[2]").json()
    assert [item["name"] for item in one["containers"]] == ["shop-web-2"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/logs?project=shop&address=container.nothing", 404),
        ("/api/v1/logs?project=other&address=container.web", 404),
        ("/api/v1/logs?project=shop&address=network.web", 400),
        ("/api/v1/logs?project=shop&address=%1b[31m", 400),
        ("/api/v1/logs?project=shop&address=container.web&tail=100000", 400),
        ("/api/v1/plan?project=other", 404),
        ("/api/v1/history", 404),
        ("/api/v1/nothing", 404),
        ("/metrics", 404),
        ("/hooks/shop", 404),
        ("/../etc/passwd", 404),
        ("/page.js/", 404),
    ],
)
def test_refusals_are_json_with_a_message(site: Site, path: str, status: int) -> None:
    method = "POST" if path.startswith("/hooks") else "GET"
    answer = site.ask(path, method)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"]["message"]
    assert "\x1b" not in answer.json()["error"]["message"]


def test_metrics_and_history_are_those_that_are_given(world: World, serve: Serve) -> None:
    class Entries:
        def __init__(self) -> None:
            self.asked: list[tuple[str, int, int | None]] = []

        def entries(self, project: str, limit: int, before: int | None) -> list[dict[str, Any]]:
            self.asked.append((project, limit, before))
            return [{"id": number, "text": "canary-secret \x1b[2J"} for number in range(9, 9 - limit, -1)]

        def entry(self, number: int) -> dict[str, Any] | None:
            return {"id": number} if number == 9 else None

    world.write("shop", WEB)
    journal = Entries()
    site = serve("shop", journal=journal, metrics=lambda: (b"up 1\n", "text/plain; version=1.0.0"))
    site.secrets.add({"canary-secret"})
    answer = site.ask("/metrics")
    assert (answer.status, answer.body) == (200, b"up 1\n")
    assert answer.headers["content-type"] == "text/plain; version=1.0.0"
    document = site.ask("/api/v1/history?project=shop&limit=2&before=20").json()
    assert journal.asked == [("shop", 2, 20)]
    assert [entry["id"] for entry in document["entries"]] == [9, 8]
    assert document["before"] == 8
    assert document["entries"][0]["text"] == "(secret) \\x1b[2J"
    assert site.ask("/api/v1/history/9").json() == {"id": 9}
    assert site.ask("/api/v1/history/8").status == 404
    assert site.ask("/api/v1/history?limit=x").status == 400


def test_a_journal_that_cannot_be_read_is_told_with_what_to_do(world: World, serve: Serve) -> None:
    world.write("shop", WEB)
    file = world.directory / "journal.db"
    file.write_bytes(b"no database at all" * 1000)
    answer = serve("shop", journal=Journal(file)).ask("/api/v1/history")
    assert answer.status == 503
    error = answer.json()["error"]
    assert error["message"].endswith("file is not a database")
    assert error["hint"].startswith("a `run` moves")


def test_at_a_unix_socket_for_owner_and_group_that_goes_with_the_server(world: World, serve: Serve) -> None:
    world.write("shop", WEB)
    path = world.directory / "http.sock"
    site = serve("shop", place=Place(str(path)))
    assert path.stat().st_mode & 0o777 == 0o660
    assert site.ask("/api/v1/status", Host="any.example").status == 200
    site.server.stop()
    assert not path.exists()
