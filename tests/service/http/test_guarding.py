"""Who may ask, by which name, how much and how slowly; and what a browser may do with the answers."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.errors import UsageError
from reconciler.loop.telling import Condition
from reconciler.service.http import server as serving
from reconciler.service.http.listening import Place, open_socket, place_for, read_place, read_token
from tests.loop.conftest import WEB
from tests.loop.test_instance import World, until
from tests.service.http.conftest import TOKEN, Serve, Site


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "[::1].evil.example", "0.0.0.0"]
)
def test_a_name_that_is_not_ours_is_refused(site: Site, host: str) -> None:
    """DNS rebinding: a page elsewhere whose name suddenly leads to loopback."""
    for path in ("/", "/api/v1/status", "/healthz", "/page.js"):
        answer = site.ask(path, Host=host)
        assert answer.status == 421
        assert b"shop" not in answer.body


def test_names_of_loopback_and_those_of_a_proxy_are_known(world: World, serve: Serve) -> None:
    world.write("shop", WEB)
    site = serve("shop", names="status.example.com")
    for host in (
        "localhost",
        "LOCALHOST:8500",
        "127.0.0.1:1",
        "[::1]:8500",
        "status.example.com",
        "Status.Example.com.:443",
    ):
        assert site.ask("/api/v1/status", Host=host).status == 200
    connection = site.raw()
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
    assert connection.recv(12) == b"HTTP/1.1 400"
    connection.close()
    site.complaints.clear()


def test_every_answer_says_what_a_browser_may_do(site: Site) -> None:
    for path in ("/", "/page.css", "/api/v1/status", "/api/v1/nothing", "/healthz"):
        headers = site.ask(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert not any(name.startswith("access-control-") for name in headers)
        assert "server" not in headers
    preflight = site.ask("/api/v1/suspend", "OPTIONS", Origin="https://evil.example")
    assert preflight.status == 405


def test_the_page_is_asked_for_anew_and_sent_only_when_it_changed(site: Site) -> None:
    answer = site.ask("/page.js")
    assert answer.headers["cache-control"] == "no-cache"
    again = site.ask("/page.js", If_None_Match=answer.headers["etag"])
    assert (again.status, again.body) == (304, b"")


# --- the token -----------------------------------------------------------------------------------------------------


def test_suspending_and_resuming_with_the_token(site: Site, world: World) -> None:
    assert site.order("suspend", project="shop", address="container.web").status == 202
    suspended = [item["address"] for item in site.project()["resources"] if item["suspended"]]
    assert suspended == ["container.web"]
    world.remove("shop-web-1")
    until(lambda: world.status().condition is Condition.OUT_OF_SYNC)
    assert site.order("resume", project="shop", address="container.web").status == 202
    until(world.has("shop-web-1"))
    assert site.order("suspend").status == 202
    assert site.status()["suspended"] is True
    assert site.order("resume").status == 202
    passes = world.status().passes
    assert site.order("reconcile", project="shop").json() == {"accepted": "reconcile"}
    until(lambda: world.status().passes > passes)
    asked = [about for event, about in site.log.lines if event == "asked"]
    assert asked[0] == {"what": "suspend", "by": "HTTP", "project": "shop", "resource": "container.web"}


def test_without_the_token_nothing_is_changed(site: Site) -> None:
    wrong = ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}"]
    for authorization in wrong:
        answer = site.ask("/api/v1/suspend", "POST", {}, Authorization=authorization)
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert TOKEN.encode() not in answer.body
    assert site.status()["suspended"] is False
    assert not any(TOKEN in str(line) for line in site.log.lines)
    answers = [site.ask("/api/v1/suspend", "POST", {}, Authorization="Bearer wrong").status for _ in range(8)]
    assert answers[-1] == 429
    assert site.order("suspend").status == 202, "whoever has the token is not kept out by those who have not"


def test_without_a_token_at_all_there_is_nothing_to_be_changed(site: Site) -> None:
    site.token = ""
    assert site.status()["takes_orders"] is False
    answer = site.order("suspend", token="")
    assert answer.status == 403
    assert "http.token_file" in answer.json()["error"]["hint"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"nonsense", 400),
        (b"[]", 400),
        (b'{"project": 1}', 400),
        (b'{"projct": "shop"}', 400),
        (b'{"address": "container.web"}', 400),
        (b'{"project": "shop", "address": "nonsense"}', 400),
        (b'{"project": "shop", "address": "container.nothing"}', 404),
        (b'{"project": "other"}', 404),
        (b"[" * 10_000, 400),
        (b" " * 17_000, 413),
    ],
)
def test_orders_that_cannot_be_meant(site: Site, body: bytes, status: int) -> None:
    answer = site.ask("/api/v1/suspend", "POST", body, Authorization=f"Bearer {TOKEN}")
    assert answer.status == status
    assert answer.json()["error"]["status"] == status
    assert site.status()["suspended"] is False
    assert not any(item["suspended"] for item in site.project()["resources"])


# --- webhooks ------------------------------------------------------------------------------------------------------


class Hooks:
    def __init__(self) -> None:
        self.received: list[tuple[str, dict[str, str], bytes]] = []

    def refuses(self, project: str) -> tuple[int, str] | None:
        return None if project == "shop" else (429, "too many")

    def receive(self, project: str, headers: list[tuple[str, str]], body: bytes) -> tuple[int, str]:
        self.received.append((project, dict(headers), body))
        return 202, "thanks\x1b[2J"


def test_webhooks_get_the_raw_body(world: World, serve: Serve) -> None:
    world.write("shop", WEB)
    hooks = Hooks()
    site = serve("shop", hooks=hooks)
    answer = site.ask("/hooks/shop", "POST", b'{ "a":1}\n', X_Signature="abc")
    assert (answer.status, answer.body) == (202, b"thanks\\x1b[2J\n")
    ((project, headers, body),) = hooks.received
    assert (project, headers["x-signature"], body) == ("shop", "abc", b'{ "a":1}\n')


def test_a_flood_of_webhooks_is_not_even_read(world: World, serve: Serve) -> None:
    world.write("shop", WEB)
    connection = serve("shop", hooks=Hooks()).raw()
    connection.sendall(b"POST /hooks/busy HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000000\r\n\r\n")
    assert connection.recv(12) == b"HTTP/1.1 429", "though nothing of the body has come"
    connection.close()


def test_a_huge_body_is_refused_before_it_is_read(world: World, serve: Serve) -> None:
    world.write("shop", WEB)
    hooks = Hooks()
    site = serve("shop", hooks=hooks)
    connection = site.raw()
    connection.sendall(b"POST /hooks/shop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999999\r\n\r\n")
    assert connection.recv(12) == b"HTTP/1.1 413"
    connection.close()
    connection = site.raw()  # and one that does not say how long it is
    connection.sendall(b"POST /hooks/shop HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    received = b""
    try:
        for _ in range(6):
            connection.sendall(chunk)
        received = connection.recv(12)
    except OSError:
        pass  # it hung up on us
    assert received in (b"HTTP/1.1 413", b"")
    connection.close()
    assert hooks.received == []
    assert site.ask("/healthz").status == 200


# --- slow and broken clients ---------------------------------------------------------------------------------------


@contextmanager
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(serving, "_PATIENCE", 0.2)
    yield


def gone(connection: socket.socket, seconds: float = 5) -> bool:
    """Whether the other side hangs up."""
    connection.settimeout(seconds)
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


def test_who_holds_connections_in_silence_keeps_nobody_out(site: Site) -> None:
    held = [site.raw() for _ in range(150)]
    try:
        held[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert held[-1].recv(100).startswith(b"HTTP/1.1 200 ")
        assert [site.ask("/healthz").status for _ in range(3)] == [200] * 3
        assert gone(held[0]), "the oldest makes place"
    finally:
        for connection in held:
            connection.close()


def test_a_head_that_does_not_come_is_not_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with impatient(monkeypatch):
        silent, slow = site.raw(), site.raw()
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: loc")
        assert gone(silent)
        assert gone(slow)
    silent.close()
    slow.close()
    kept = site.connect()  # one that is kept open between two requests is not hung up on
    for _ in range(2):
        kept.request("GET", "/healthz")
        assert kept.getresponse().read() == b"alive\n"
        time.sleep(0.4)
    kept.close()


def test_nonsense_is_refused_and_leaves_no_traceback(site: Site) -> None:
    for head in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 3 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 70_000,
    ):
        connection = site.raw()
        connection.sendall(head)
        assert connection.recv(12) == b"HTTP/1.1 400"
        connection.close()
    until(lambda: len(site.complaints) == 2)
    assert site.complaints == ["http: Invalid HTTP request received."] * 2
    for _ in range(10):
        connection = site.raw()
        connection.sendall(b"\x16\x03\x01\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 400"
        connection.close()
    assert len(site.complaints) <= 5, "a log cannot be filled from outside"
    site.complaints.clear()


def test_a_bug_is_answered_without_its_traceback_and_told_to_the_log(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("canary")

    monkeypatch.setattr(site.instance, "snapshot", broken)
    answer = site.ask("/api/v1/status")
    assert answer.status == 500
    assert answer.json()["error"]["message"] == "a bug in reconciler: ZeroDivisionError"
    until(lambda: bool(site.complaints))
    assert site.complaints == ["a bug in reconciler, at '/api/v1/status': ZeroDivisionError: canary"]
    site.complaints.clear()


# --- where it listens ----------------------------------------------------------------------------------------------


def test_only_unix_sockets_and_loopback() -> None:
    assert read_place("") is read_place("off") is None
    assert read_place("unix:/run/x.sock") == Place("/run/x.sock")
    assert read_place("127.0.0.1:8500") == read_place("localhost:8500") == Place(host="127.0.0.1", port=8500)
    assert read_place("[::1]:8500") == Place(host="::1", port=8500)
    for text in ("0.0.0.0:80", "[::]:80", "192.168.1.2:80", "example.com:80"):
        with pytest.raises(ValueError, match="can be reached by others.*put a proxy in front"):
            read_place(text)
    for text in ("unix:relative", "8500", ":8500", "127.0.0.1", "127.0.0.1:70000", "http://127.0.0.1:80", "on"):
        with pytest.raises(ValueError, match="write unix:/run"):
            read_place(text)


def test_it_is_on_by_itself_only_where_systemd_gave_a_runtime_directory() -> None:
    assert place_for("", {}) is None
    assert place_for("", {"RUNTIME_DIRECTORY": "/run/reconciler:/run/other"}) == Place(
        "/run/reconciler/reconciler.sock"
    )
    assert place_for("off", {"RUNTIME_DIRECTORY": "/run/reconciler"}) is None


def test_a_socket_that_was_left_is_taken_and_one_in_use_is_not(tmp_path: Path) -> None:
    place = Place(str(tmp_path / "s"))
    open_socket(place).close()
    again = open_socket(place)
    with pytest.raises(UsageError, match="somebody listens there\n    hint: is another"):
        open_socket(place)
    again.close()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="something that is no socket"):
        open_socket(Place(str(tmp_path / "file")))
    taken = open_socket(Place(host="127.0.0.1"))
    with pytest.raises(UsageError, match="Address already in use"):
        open_socket(Place(host="127.0.0.1", port=taken.getsockname()[1]))
    taken.close()


def test_tokens(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    assert read_token("", {}) == ""
    assert read_token(str(file), {}) == TOKEN
    assert read_token("credential:token", {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == TOKEN
    with pytest.raises(UsageError, match="no credentials were given"):
        read_token("credential:token", {})
    with pytest.raises(UsageError, match="nothing does not exist\n    hint: make it: .*openssl rand -hex 32 > "):
        read_token(str(tmp_path / "nothing"), {})
    with pytest.raises(UsageError, match="cannot be read: Is a directory\n    hint: it must be a file"):
        read_token(str(tmp_path), {})
    for text in ("short", "with spaces in between it", "t\u00f6ken-that-is-long-enough", ""):
        file.write_text(text)
        with pytest.raises(UsageError, match="holds no token of 16 characters"):
            read_token(str(file), {})
