"""How it is sent: to servers on loopback; tried again when that makes sense; never in the way of a pass, never a secret."""

import hashlib
import hmac
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from reconciler.loop.telling import Condition, PassEnded, StateChanged
from reconciler.model.address import parse_address
from reconciler.model.plan import Plan, Verb
from reconciler.model.report import Outcome, Report, Status
from reconciler.service.notifications.notices import CommitState, Event, Notice
from reconciler.service.notifications.outbox import Outbox
from reconciler.service.notifications.sending import place_of, plain, post_status
from reconciler.service.notifications.targets import Target, read_target
from reconciler.service.redaction import Secrets

AWAY = StateChanged("", Condition.SETTLED, Condition.AWAY, "gone", 1_700_000_000.25)
BACK = StateChanged("", Condition.AWAY, Condition.SETTLED, "", 1_700_000_001.0)
COMMIT = "c" * 40


class Request(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes


class Server:
    """Answers POSTs with the given statuses, then with 200. While `hangs` is set it does not answer at all."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.statuses: list[int] = []
        self.hangs = threading.Event()
        self.goes_on = threading.Event()
        server = self

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                server.asked.append(Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                if server.hangs.is_set():
                    server.goes_on.wait(30)
                status = server.statuses.pop(0) if server.statuses else 200
                self.send_response(status)
                if status in (301, 307):
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.goes_on.set()
        self._server.shutdown()
        self._server.server_close()

    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(request.body) for request in self.asked]


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


class Scene:
    def __init__(self) -> None:
        self.complaints: list[str] = []
        self.secrets = Secrets()
        self.made: list[Outbox] = []

    def outbox(self, *tables: dict[str, Any], repositories: dict[str, str] | None = None) -> Outbox:
        made = Outbox(self.targets(*tables), repositories or {}, {}, self.secrets, self.complaints.append, (0.01, 0.02))
        self.made.append(made)
        return made

    @staticmethod
    def targets(*tables: dict[str, Any]) -> list[Target]:
        read = [read_target(raw, Path("/"), f"notify[{number}]") for number, raw in enumerate(tables)]
        assert [mistakes for _, mistakes in read if mistakes] == []
        return [target for target, _ in read if target is not None]


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    yield made
    for outbox in made.made:
        outbox.close(1)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.005)


def failed(message: str, project: str = "shop") -> PassEnded:
    report = Report((Outcome(parse_address("container.web"), Verb.CREATE, Status.FAILED, 0.1, message),), None)
    return PassEnded(project, "p1", (), COMMIT, Plan("shop", "", "", ""), report, (), "", 0.5, 1_700_000_000.0)


def test_a_webhook_gets_a_signed_document(scene: Scene, server: Server, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a key of some length\n")
    outbox = scene.outbox({"webhook": f"{server.url}/hook", "secret_file": str(tmp_path / "key")})
    outbox(failed("no"))
    outbox.close()
    [request] = server.asked
    signature = hmac.new(b"a key of some length", request.body, hashlib.sha256).hexdigest()
    assert request.path == "/hook"
    assert request.headers["x-reconciler-signature-256"] == f"sha256={signature}"
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {
        "format_version": "1",
        "event": "failed",
        "project": "shop",
        "title": "shop: a change failed",
        "text": "",
        "resources": [{"address": "container.web", "text": "no"}],
        "pass_id": "p1",
        "revision": COMMIT,
        "at": "2023-11-14T22:13:20.500Z",
    }
    assert scene.complaints == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the library, which loads all it knows
def test_a_service_of_apprise(scene: Scene, server: Server, tmp_path: Path) -> None:
    (tmp_path / "chat").write_text(f"json://127.0.0.1:{server.port}/chat\n")
    outbox = scene.outbox({"url": str(tmp_path / "chat")})
    outbox(failed("see https://evil.example @everyone <!here> [this](x)"))
    outbox(AWAY)
    outbox(BACK)
    outbox.close()
    assert scene.complaints == []
    documents = server.documents()
    assert [(item["title"], item["type"]) for item in documents] == [
        ("shop: a change failed", "failure"),
        ("the engine is away", "failure"),
        ("the engine is back", "success"),
    ]
    for lively in ("https://", "@everyone", "<!here", "](x"):
        assert lively not in documents[0]["message"]
    assert "evil.example" in documents[0]["message"]


def test_no_secret_and_no_control_character_is_sent(scene: Scene, server: Server) -> None:
    scene.secrets.add({"canary-one"})
    outbox = scene.outbox({"webhook": server.url})
    outbox(failed("\x1b[31mit said canary-one, and https://me:canary-two@host/"))
    outbox.close()
    [document] = server.documents()
    assert document["resources"][0]["text"] == "\\x1b[31mit said (secret), and https://me:(secret)@host/"


def test_it_is_tried_again_when_that_makes_sense(scene: Scene, server: Server) -> None:
    server.statuses = [503, 429]
    outbox = scene.outbox({"webhook": server.url})
    outbox(AWAY)
    until(lambda: len(server.asked) == 3)
    server.statuses = [403]
    outbox(BACK)
    until(lambda: len(scene.complaints) == 1)
    assert len(server.asked) == 4
    assert scene.complaints == ["notify[0] is not told: the answer was 403: ok"]
    server.statuses = [500] * 3
    outbox(AWAY)
    until(lambda: len(server.asked) == 7)
    outbox(BACK)
    outbox.close()
    assert len(scene.complaints) == 1, "said once, until it goes well again"
    assert server.documents()[-1]["event"] == "recovered"


def test_a_redirect_is_not_followed(scene: Scene, server: Server) -> None:
    server.statuses = [307]
    outbox = scene.outbox({"webhook": server.url})
    outbox(AWAY)
    outbox.close()
    assert [request.path for request in server.asked] == ["/"] or [request.path for request in server.asked] == [""]
    assert "307" in scene.complaints[0]


def test_a_target_that_hangs_holds_up_nobody(scene: Scene, server: Server) -> None:
    other = Server()
    other.hangs.set()
    outbox = scene.outbox({"webhook": other.url}, {"webhook": server.url})
    before = time.perf_counter()
    for _ in range(400):
        outbox(AWAY)
        outbox(BACK)
    assert time.perf_counter() - before < 1
    until(lambda: len(server.asked) >= 100)
    until(lambda: bool(scene.complaints))
    assert scene.complaints[0] == "notify[0] is not told: more than it takes; the rest is not told"
    assert len(other.asked) == 1
    other.close()


def test_the_end_does_not_wait_for_each_target_that_hangs(scene: Scene, server: Server) -> None:
    server.hangs.set()
    outbox = scene.outbox(*[{"webhook": f"{server.url}/{number}"} for number in range(6)])
    outbox(AWAY)
    until(lambda: len(server.asked) == 6)
    before = time.perf_counter()
    outbox.close(0.5)
    assert time.perf_counter() - before < 1.5


def test_who_wants_what(scene: Scene, server: Server) -> None:
    outbox = scene.outbox(
        {"webhook": f"{server.url}/lab", "projects": ["lab"]},
        {"webhook": f"{server.url}/engine", "on": ["engine"]},
    )
    outbox(failed("no"))
    outbox(failed("no", "lab"))
    outbox(AWAY)
    outbox(BACK)
    outbox.close()
    said = sorted((request.path, json.loads(request.body)["event"]) for request in server.asked)
    assert said == [("/engine", "engine"), ("/lab", "engine"), ("/lab", "failed"), ("/lab", "recovered")]


def test_other_targets_and_what_was_told_stays_known(scene: Scene, server: Server) -> None:
    outbox = scene.outbox({"webhook": f"{server.url}/one"})
    outbox(failed("no"))
    until(lambda: len(server.asked) == 1)
    outbox.reload(scene.targets({"webhook": f"{server.url}/two"}), {})
    outbox(failed("no"))
    outbox(AWAY)
    outbox.close()
    assert [request.path for request in server.asked] == ["/one", "/two"]
    assert server.documents()[1]["event"] == "engine"


def test_a_key_that_is_not_there_is_said(scene: Scene, server: Server) -> None:
    outbox = scene.outbox({"webhook": server.url, "secret_file": "credential:key"})
    outbox(AWAY)
    outbox.close()
    assert server.asked == []
    assert "no credentials were given to this process" in scene.complaints[0]


@pytest.mark.parametrize(
    ("kind", "path", "state", "login"),
    [
        ("github", f"/api/repos/team/hosts/statuses/{COMMIT}", "failure", ("authorization", "Bearer a-token")),
        ("gitea", f"/api/repos/team/hosts/statuses/{COMMIT}", "failure", ("authorization", "token a-token")),
        ("forgejo", f"/api/repos/team/hosts/statuses/{COMMIT}", "failure", ("authorization", "token a-token")),
        ("gitlab", f"/api/projects/team%2Fhosts/statuses/{COMMIT}", "failed", ("private-token", "a-token")),
    ],
)
def test_a_commit_gets_its_status(
    scene: Scene, server: Server, tmp_path: Path, kind: str, path: str, state: str, login: tuple[str, str]
) -> None:
    (tmp_path / "token").write_text("a-token\n")
    outbox = scene.outbox(
        {
            "commit_status": kind,
            "token_file": str(tmp_path / "token"),
            "api": f"{server.url}/api/",
            "link": "https://status.example.com/",
        },
        repositories={"shop": "git@git.example.com:team/hosts.git"},
    )
    outbox(failed("no"))
    outbox(failed("no"))
    outbox(failed("no", "lab"))
    outbox.close()
    [request] = server.asked
    document = json.loads(request.body)
    assert request.path == path
    assert request.headers[login[0]] == login[1]
    assert (document["state"], document["description"]) == (state, "container.web failed")
    assert document["name" if kind == "gitlab" else "context"] == "reconciler"
    assert document["target_url"] == "https://status.example.com/"
    assert scene.complaints == []


@pytest.mark.parametrize(
    ("kind", "repository", "api", "name"),
    [
        ("github", "https://github.com/team/hosts.git", "https://api.github.com", "team/hosts"),
        ("github", "git@github.example.com:team/hosts", "https://github.example.com/api/v3", "team/hosts"),
        ("gitlab", "ssh://git@git.example.com:2222/group/sub/hosts.git", "https://git.example.com/api/v4", "group/sub/hosts"),
        ("gitea", "https://git.example.com:3000/team/hosts.git", "https://git.example.com:3000/api/v1", "team/hosts"),
    ],
)  # fmt: skip
def test_where_a_server_has_its_api(kind: str, repository: str, api: str, name: str) -> None:
    assert place_of(kind, repository, "") == (api, name)


def test_a_description_fits(server: Server) -> None:
    post_status(
        "github",
        (server.url, "a/b"),
        CommitState("shop", COMMIT, "success", "x" * 500),
        "t",
        {"context": "c", "link": ""},
    )
    assert len(server.documents()[0]["description"]) == 140


def test_plain_leaves_ordinary_text_alone() -> None:
    text = "a <b, c> d: e @ f [g] (h) i:j/k"
    assert plain(text).replace("\u200b", "") == text
    assert plain("a: b @ c [d] e") == "a: b @ c [d] e"
    assert Notice(Event.ENGINE, "", "t", 0.0).body == ""
