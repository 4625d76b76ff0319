"""Webhooks: who sent this, and does it concern a source? One that does only hastens the next fetch.

Pure functions of what arrived. Whoever serves them reads at most `MAX_BODY` bytes before anything else, asks
`RateLimit` before that, `verify_webhook` then, and `Deliveries` for what was accepted.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qs

from reconciler.source.settings import GitSettings, is_commit

#: The most that is read of a request. A larger push is found at the next interval.
MAX_BODY = 4 * 1024**2
#: A secret that can be guessed is none.
SHORTEST_SECRET = 16
_WINDOW = 300.0

Kind = Literal["github", "gitlab", "gitea", "generic"]
_PUSHES = {"push", "push hook", "tag push hook", "create"}
_EVENT = {"github": ("x-github-event",), "gitlab": ("x-gitlab-event",), "gitea": ("x-forgejo-event", "x-gitea-event")}
#: GitLab's ids of one delivery, which stay the same when it tries again. X-Gitlab-Webhook-UUID is that of the webhook itself.
_DELIVERY = ("webhook-id", "idempotency-key", "x-gitlab-event-uuid")
_URL_KEYS = ("clone_url", "ssh_url", "html_url", "git_http_url", "git_ssh_url", "git_url", "web_url", "url", "homepage")


class WebhookSettings(NamedTuple):
    """How a sender is known.

    Attributes:
        kind: whose way of signing; Forgejo is `gitea`.
        header, timestamp_header: of `generic`. With the second one, what is signed is `TIMESTAMP.BODY`.
        window: seconds that a signed time may be off.
    """

    kind: Kind
    header: str = "X-Signature-256"
    timestamp_header: str = ""
    window: float = _WINDOW


class Accepted(NamedTuple):
    """A request of somebody who knows the secret.

    Attributes:
        delivery: what tells it from others, and cannot be another one when it is sent again: what signs it. "" when it
            cannot be told from others: then it may come as often as it likes.
        is_push: whether it says that something was pushed; others (a ping) are answered and forgotten.
        repositories: each URL that it names the repository by; () when it names none.
        ref: the full name of the ref that moved, or "".
    """

    delivery: str
    is_push: bool
    repositories: tuple[str, ...] = ()
    ref: str = ""


class Refused(NamedTuple):
    """Not accepted: the HTTP status to answer with, and why, for our log."""

    status: int
    reason: str


def verify_webhook(
    settings: WebhookSettings, headers: Iterable[tuple[str, str]], body: bytes, secret: str, now: float
) -> Accepted | Refused:
    """Whether a request was sent by somebody who knows the secret, and what it says.

    Args:
        headers: as they came, each name with its value; the same name twice is refused where it matters.
        body: the raw bytes: a signature is over these, not over what JSON makes of them.
        now: seconds since 1970.
    """
    if len(secret) < SHORTEST_SECRET:
        return Refused(500, f"the secret has fewer than {SHORTEST_SECRET} characters, so nothing is accepted")
    if len(body) > MAX_BODY:
        return Refused(413, f"the body is larger than {MAX_BODY} bytes")
    given = dict[str, str]()
    for name, value in headers:
        key = name.lower()
        if key in given and key in _deciding(settings):
            return Refused(400, f"the header {name} came twice")
        given[key] = value
    proof = _proof(settings, given, body, secret, now)
    if isinstance(proof, Refused):
        return proof
    delivery = _delivery(settings, given, proof)
    event = next((given[name] for name in _EVENT.get(settings.kind, ()) if given.get(name)), "")
    if settings.kind != "generic" and event.lower() not in _PUSHES:
        return Accepted(delivery, is_push=False)
    document = _document(given.get("content-type", ""), body)
    if document is None:
        # A generic sender may have nothing to say but its signature.
        return Accepted(delivery, is_push=True) if settings.kind == "generic" else Refused(400, "the body is no JSON")
    return Accepted(delivery, is_push=True, repositories=_repositories(document), ref=_ref(document))


def concerns(accepted: Accepted, source: GitSettings) -> bool:
    """Whether what was pushed is what the source follows. What a generic sender leaves out counts as matching."""
    if not accepted.is_push:
        return False
    if accepted.repositories and _place(source.url) not in {_place(url) for url in accepted.repositories}:
        return False
    if not accepted.ref or is_commit(source.ref):
        return True
    wanted = source.ref if source.ref.startswith("refs/") else ""
    names = {wanted} if wanted else {f"refs/heads/{source.ref}", f"refs/tags/{source.ref}", source.ref}
    return accepted.ref in names


class Deliveries:
    """Deliveries that were seen lately, so that one that is sent again does nothing. Bounded in number and time."""

    def __init__(self, most: int = 1000, seconds: float = 86_400.0) -> None:
        self._most, self._seconds = most, seconds
        self._seen: OrderedDict[str, float] = OrderedDict()

    def is_new(self, delivery: str, now: float) -> bool:
        while self._seen and (len(self._seen) > self._most or next(iter(self._seen.values())) < now - self._seconds):
            self._seen.popitem(last=False)
        if delivery in self._seen:
            return False
        self._seen[delivery] = now
        return True


class RateLimit:
    """So many requests at once, and so many a second after that."""

    def __init__(self, clock: Callable[[], float], burst: int = 30, per_second: float = 0.5) -> None:
        self._clock, self._burst, self._per_second = clock, burst, per_second
        self._left, self._at = float(burst), clock()

    def allows(self) -> bool:
        now = self._clock()
        self._left = min(self._burst, self._left + max(0.0, now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def _deciding(settings: WebhookSettings) -> frozenset[str]:
    """Headers that decide something."""
    own = {settings.header.lower(), settings.timestamp_header.lower()}
    fixed = {
        "x-hub-signature-256", "x-gitlab-token", "webhook-signature", "webhook-id", "webhook-timestamp",
        "x-gitea-signature", "x-forgejo-signature",
    }  # fmt: skip
    return frozenset(own | fixed | {name for names in (*_EVENT.values(), _DELIVERY) for name in names})


def _delivery(settings: WebhookSettings, given: dict[str, str], proof: str) -> str:
    """The ids that GitHub and Gitea send along are not signed: whoever sends a request again can write another one."""
    if settings.kind == "generic" and not settings.timestamp_header:
        return ""  # it may say the same thing each time
    if settings.kind == "gitlab":
        return next((given[name] for name in _DELIVERY if given.get(name)), proof)[:200]
    return proof


def _proof(settings: WebhookSettings, given: dict[str, str], body: bytes, secret: str, now: float) -> str | Refused:
    """What proves that the sender knows the secret; it tells this request from others as well."""
    if settings.kind == "gitlab":
        return _gitlab(given, body, secret, now, settings.window)
    if settings.kind == "github":
        return _hex("x-hub-signature-256", given, body, secret)
    if settings.kind == "gitea":
        name = "x-forgejo-signature" if given.get("x-forgejo-signature") else "x-gitea-signature"
        return _hex(name, given, body, secret)
    signed = body
    if settings.timestamp_header:
        stamp = given.get(settings.timestamp_header.lower(), "")
        if refused := _untimely(stamp, now, settings.window):
            return refused
        signed = stamp.encode() + b"." + body
    return _hex(settings.header.lower(), given, signed, secret)


def _hex(name: str, given: dict[str, str], signed: bytes, secret: str) -> str | Refused:
    shown = given.get(name, "").strip().removeprefix("sha256=").lower()
    if not shown:
        return Refused(401, f"the header {name} is missing")
    if not hmac.compare_digest(shown.encode(), hmac.new(secret.encode(), signed, "sha256").hexdigest().encode()):
        return Refused(401, f"the signature in {name} does not fit")
    return shown


def _gitlab(given: dict[str, str], body: bytes, secret: str, now: float, window: float) -> str | Refused:
    """A signing token, `whsec_...`, signs as standardwebhooks.com says; a secret token is sent along as it is."""
    if not secret.startswith("whsec_"):
        token = given.get("x-gitlab-token", "")
        if not token:
            return Refused(401, "the header x-gitlab-token is missing")
        if not hmac.compare_digest(token.encode(), secret.encode()):
            return Refused(401, "the token in x-gitlab-token is another one")
        return hmac.new(secret.encode(), body, "sha256").hexdigest()
    identity, stamp = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    if refused := _untimely(stamp, now, window):
        return refused
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        return Refused(500, "the signing token is not base64 behind whsec_, so nothing is accepted")
    signed = b".".join((identity.encode(), stamp.encode(), body))
    wanted = base64.b64encode(hmac.new(key, signed, "sha256").digest())
    for shown in given.get("webhook-signature", "").split()[:10]:
        if shown.startswith("v1,") and hmac.compare_digest(shown.removeprefix("v1,").encode(), wanted):
            return wanted.decode()
    return Refused(401, "no signature in webhook-signature fits")


def _untimely(stamp: str, now: float, window: float) -> Refused | None:
    if not re.fullmatch(r"[0-9]{1,12}", stamp):
        return Refused(401, "the time of the request is missing, or not in seconds since 1970")
    if abs(now - int(stamp)) > window:
        return Refused(
            401, f"the request is more than {window:g} s old or early: it was sent again, or a clock is wrong"
        )
    return None


def _document(content_type: str, body: bytes) -> dict[str, Any] | None:
    try:
        if content_type.lower().startswith("application/x-www-form-urlencoded"):
            body = parse_qs(body.decode("ascii"), max_num_fields=10)["payload"][0].encode()
        document = json.loads(body)
    except (ValueError, KeyError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _repositories(document: dict[str, Any]) -> tuple[str, ...]:
    found = list[str]()
    for name in ("repository", "project"):
        table = document.get(name)
        if isinstance(table, dict):
            found += [table[key] for key in _URL_KEYS if isinstance(table.get(key), str) and table[key]]
    return tuple(found)


def _ref(document: dict[str, Any]) -> str:
    ref = document.get("ref")
    if not isinstance(ref, str):
        return ""
    kind = document.get("ref_type")  # a `create` has the short name, and says of what
    return f"refs/{'tags' if kind == 'tag' else 'heads'}/{ref}" if kind in ("tag", "branch") else ref[:300]


def _place(url: str) -> str:
    """Host and path: the same repository has one URL for each way to it, with different users and ports."""
    _, separator, rest = url.partition("://")
    rest = rest if separator else url.replace(":", "/", 1)
    host, _, path = rest.partition("/")
    host = re.sub(r":\d+$", "", host.rpartition("@")[2])
    return f"{host.lower()}/{path.strip('/').removesuffix('.git').lower()}"
