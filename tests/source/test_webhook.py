"""Who sent this, and does it concern us?"""

import base64
import hmac
import json
import urllib.parse
from typing import Any

import pytest

from reconciler.source.settings import GitSettings
from reconciler.source.webhook import (
    MAX_BODY,
    Accepted,
    Deliveries,
    RateLimit,
    Refused,
    WebhookSettings,
    concerns,
    verify_webhook,
)

SECRET = "it has sixteen characters"
NOW = 1_700_000_000.0
PUSH = {"ref": "refs/heads/main", "repository": {"clone_url": "https://example.com/Team/hosts.git", "ssh_url": "x"}}
SOURCE = GitSettings("ssh://git@example.com:2222/team/hosts")

Headers = list[tuple[str, str]]


def signed(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, "sha256").hexdigest()


def request(kind: str, document: Any, secret: str = SECRET, event: str = "push") -> tuple[Headers, bytes]:
    body = json.dumps(document).encode()
    if kind == "github":
        return [
            ("X-GitHub-Event", event),
            ("X-GitHub-Delivery", "d1"),
            ("X-Hub-Signature-256", "sha256=" + signed(body, secret)),
        ], body
    if kind == "gitea":
        return [("X-Gitea-Event", event), ("X-Gitea-Delivery", "d1"), ("X-Gitea-Signature", signed(body, secret))], body
    if kind == "gitlab":
        return [
            ("X-Gitlab-Event", "Push Hook" if event == "push" else event),
            ("Idempotency-Key", "d1"),
            ("X-Gitlab-Token", secret),
        ], body
    return [("X-Signature-256", signed(body, secret))], body


KINDS = ["github", "gitlab", "gitea", "generic"]


@pytest.mark.parametrize("kind", KINDS)
def test_genuine(kind: str) -> None:
    verdict = verify_webhook(WebhookSettings(kind), *request(kind, PUSH), SECRET, NOW)
    assert isinstance(verdict, Accepted)
    assert concerns(verdict, SOURCE)
    told = {"gitlab": "d1", "generic": ""}
    assert verdict.delivery == told.get(kind, signed(json.dumps(PUSH).encode()))


@pytest.mark.parametrize("kind", KINDS)
def test_not_genuine(kind: str) -> None:
    headers, body = request(kind, PUSH)
    settings = WebhookSettings(kind)

    def status(headers: Headers, body: bytes, secret: str = SECRET) -> int:
        verdict = verify_webhook(settings, headers, body, secret, NOW)
        assert isinstance(verdict, Refused)
        assert SECRET not in verdict.reason
        return verdict.status

    assert status(*request(kind, PUSH, "another secret altogether")) == 401
    assert status(headers[:-1], body) == 401
    assert status([*headers[:-1], (headers[-1][0], "")], body) == 401
    assert status([*headers[:-1], (headers[-1][0], "sha256=\u00e9")], body) == 401
    assert status([*headers, headers[-1]], body) == 400
    assert status(headers, b"x" * (MAX_BODY + 1)) == 413
    assert status(*request(kind, PUSH, ""), "") == 500
    assert status(*request(kind, PUSH, "short"), "short") == 500
    if kind != "gitlab":
        assert status(headers, body + b" ") == 401
    if kind == "gitea":
        assert status([*headers, ("X-Forgejo-Signature", "0" * 64)], body) == 401


def test_a_body_that_is_no_json_or_too_deep() -> None:
    for body in (b"{", b"[]", b"[" * 100_000, b"\xff"):
        headers = [("X-GitHub-Event", "push"), ("X-Hub-Signature-256", "sha256=" + signed(body))]
        assert verify_webhook(WebhookSettings("github"), headers, body, SECRET, NOW) == Refused(
            400, "the body is no JSON"
        )


def test_a_form_of_github() -> None:
    body = urllib.parse.urlencode({"payload": json.dumps(PUSH)}).encode()
    headers = [
        ("X-GitHub-Event", "push"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("X-Hub-Signature-256", "sha256=" + signed(body)),
    ]
    assert concerns(verify_webhook(WebhookSettings("github"), headers, body, SECRET, NOW), SOURCE)


def test_the_signing_token_of_gitlab() -> None:
    key = b"k" * 32
    secret, body = "whsec_" + base64.b64encode(key).decode(), json.dumps(PUSH).encode()

    def headers(at: float) -> Headers:
        text = base64.b64encode(hmac.new(key, f"id.{at:.0f}.".encode() + body, "sha256").digest()).decode()
        return [
            ("webhook-id", "id"), ("webhook-timestamp", f"{at:.0f}"), ("webhook-signature", f"v1,AAAA v1,{text}"),
            ("X-Gitlab-Event", "Push Hook"),
        ]  # fmt: skip

    settings = WebhookSettings("gitlab")
    assert concerns(verify_webhook(settings, headers(NOW), body, secret, NOW), SOURCE)
    assert isinstance(verify_webhook(settings, headers(NOW - 301), body, secret, NOW), Refused)
    assert isinstance(verify_webhook(settings, headers(NOW), body + b" ", secret, NOW), Refused)
    # The old token beside it does not help.
    plain = [("X-Gitlab-Token", secret), ("X-Gitlab-Event", "Push Hook")]
    assert isinstance(verify_webhook(settings, plain, body, secret, NOW), Refused)


def test_the_id_of_a_webhook_of_gitlab_is_not_that_of_a_delivery() -> None:
    def delivery(after: str, *more: tuple[str, str]) -> str:
        headers = [
            ("X-Gitlab-Event", "Push Hook"),
            ("X-Gitlab-Webhook-UUID", "always"),
            ("X-Gitlab-Token", SECRET),
            *more,
        ]
        found = verify_webhook(
            WebhookSettings("gitlab"), headers, json.dumps(PUSH | {"after": after}).encode(), SECRET, NOW
        )
        assert isinstance(found, Accepted)
        return found.delivery

    assert delivery("a1") == delivery("a1") != delivery("b2")
    assert delivery("a1", ("X-Gitlab-Event-UUID", "e1")) == "e1"


def test_a_generic_sender_with_a_time() -> None:
    settings = WebhookSettings("generic", "X-Sig", "X-Time")

    def verdict(at: str, body: bytes = b"") -> Accepted | Refused:
        headers = [("x-sig", "sha256=" + signed(at.encode() + b"." + body)), ("x-time", at)]
        return verify_webhook(settings, headers, body, SECRET, NOW)

    assert concerns(verdict("1700000000"), SOURCE), "who says nothing means every source"
    for at in ("1699999699", "1700000301", "", "soon", "-1700000000", "9" * 40):
        assert isinstance(verdict(at), Refused)


@pytest.mark.parametrize("kind", ["github", "gitlab", "gitea"])
def test_other_events_are_nothing_to_do(kind: str) -> None:
    verdict = verify_webhook(WebhookSettings(kind), *request(kind, {"zen": "x"}, event="ping"), SECRET, NOW)
    assert isinstance(verdict, Accepted)
    assert not concerns(verdict, SOURCE)


@pytest.mark.parametrize(
    ("document", "source", "does"),
    [
        (PUSH, SOURCE, True),
        (PUSH, SOURCE._replace(url="git@example.com:team/hosts.git"), True),
        (PUSH, SOURCE._replace(url="https://example.com/team/other"), False),
        (PUSH, SOURCE._replace(url="https://other.example.com/team/hosts"), False),
        (PUSH, SOURCE._replace(ref="next"), False),
        (PUSH, SOURCE._replace(ref="refs/heads/main"), True),
        (PUSH, SOURCE._replace(ref="refs/tags/main"), False),
        (PUSH | {"ref": "refs/tags/v1"}, SOURCE._replace(ref="v1"), True),
        ({"ref": "v1", "ref_type": "tag", "repository": PUSH["repository"]}, SOURCE._replace(ref="v1"), True),
        (PUSH | {"ref": 7}, SOURCE, True),
        (PUSH | {"repository": {"clone_url": ["x"], "url": 3}}, SOURCE, True),
        ({"ref": "refs/heads/main", "project": {"git_http_url": "https://example.com/team/hosts.git"}}, SOURCE, True),
    ],
)
def test_what_concerns_a_source(document: Any, source: GitSettings, does: bool) -> None:
    verdict = verify_webhook(WebhookSettings("github"), *request("github", document), SECRET, NOW)
    assert isinstance(verdict, Accepted)
    assert concerns(verdict, source) is does


def test_deliveries_are_remembered_and_bounded() -> None:
    seen = Deliveries(most=3, seconds=10)
    assert seen.is_new("a", 0)
    assert not seen.is_new("a", 5)
    assert seen.is_new("a", 11)
    assert all(seen.is_new(str(number), 12) for number in range(1000))
    assert len(seen._seen) <= 4


def test_the_rate_is_limited() -> None:
    now = 0.0
    limit = RateLimit(lambda: now, burst=3, per_second=0.5)
    assert [limit.allows() for _ in range(5)] == [True, True, True, False, False]
    now = 2.0
    assert [limit.allows() for _ in range(2)] == [True, False]
    now = -100.0
    assert not limit.allows(), "a clock that is set back gives nothing"
