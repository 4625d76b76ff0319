"""One message to one target, once. Whoever calls these tries again, and is told whether that makes sense."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.parse import quote, urlsplit

from reconciler import __version__
from reconciler.service.journal import moment
from reconciler.service.notifications.notices import CommitState, Notice

#: seconds for one request
TIMEOUT = 10.0
SIGNATURE = "X-Reconciler-Signature-256"
_STATES = {"gitlab": {"failure": "failed", "error": "failed"}}
#: what a chat would make a link, a mention or a command of
_LIVELY = re.compile(r"(?<=[@<])(?=\S)|(?<=:)(?=//)|(?<=\])(?=\()")


class UndeliveredError(Exception):
    """It was not delivered. `may_pass`: the same may be delivered later."""

    def __init__(self, text: str, *, may_pass: bool) -> None:
        self.may_pass = may_pass
        super().__init__(text)


def plain(text: str) -> str:
    """A text in which no service finds a link, a mention or a command: it may come from anywhere."""
    return _LIVELY.sub("\u200b", text)


# --- webhooks ------------------------------------------------------------------------------------------------------


def document_of(notice: Notice) -> dict[str, Any]:
    return {
        "format_version": "1",
        "event": notice.event.value,
        "project": notice.project,
        "title": notice.title,
        "text": notice.text,
        "resources": [{"address": name, "text": text} for name, text in notice.items],
        "pass_id": notice.pass_id,
        "revision": notice.revision,
        "at": moment(notice.at),
    }


def send_webhook(url: str, notice: Notice, key: str) -> None:
    """POST it as JSON, with an HMAC of the body if there is a key.

    Raises:
        UndeliveredError
    """
    body = json.dumps(document_of(notice), ensure_ascii=False).encode("utf-8", "replace")
    headers = {"Content-Type": "application/json"}
    if key:
        headers[SIGNATURE] = "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    _post(url, body, headers)


# --- services ------------------------------------------------------------------------------------------------------


def send_to_service(url: str, notice: Notice) -> None:
    """By the Apprise library.

    Raises:
        UndeliveredError
    """
    try:
        import apprise
    except ImportError:
        text = "the Apprise library is not installed; `pip install 'reconciler[notify]'`"
        raise UndeliveredError(text, may_pass=False) from None
    import logging

    logging.getLogger("apprise").propagate = False  # what it logs holds URLs, and they hold secrets
    service = apprise.Apprise()
    if not service.add(url):
        raise UndeliveredError("its URL is not one that Apprise knows", may_pass=False)
    kind = apprise.NotifyType.FAILURE if notice.is_bad else apprise.NotifyType.SUCCESS
    text = apprise.NotifyFormat.TEXT
    body = plain(notice.body) or plain(notice.title)
    if not service.notify(body=body, title=plain(notice.title), notify_type=kind, body_format=text):
        raise UndeliveredError("the service did not take it", may_pass=True)


# --- commits -------------------------------------------------------------------------------------------------------


def place_of(kind: str, repository: str, api: str) -> tuple[str, str]:
    """The API of a server, as given or guessed from a repository's URL, and the repository's name there."""
    if "://" not in repository:  # git@host:team/hosts.git
        host, _, path = repository.rpartition("@")[2].partition(":")
    else:
        parts = urlsplit(repository)
        host, path = parts.hostname or "", parts.path
        host += f":{parts.port}" if parts.port and parts.scheme in ("http", "https") else ""
    name = path.strip("/").removesuffix(".git")
    if not api:
        if kind == "github":
            api = "https://api.github.com" if host == "github.com" else f"https://{host}/api/v3"
        else:
            api = f"https://{host}/api/{'v4' if kind == 'gitlab' else 'v1'}"
    return api, name


def post_status(kind: str, place: tuple[str, str], state: CommitState, token: str, about: Mapping[str, str]) -> None:
    """Give a commit a status. `about` holds `context` and `link`.

    Raises:
        UndeliveredError
    """
    api, name = place
    word = _STATES.get(kind, {}).get(state.state, state.state)
    fields = {"state": word, "description": state.text[:140]}
    fields |= {"target_url": about["link"]} if about["link"] else {}
    if kind == "gitlab":
        url = f"{api}/projects/{quote(name, safe='')}/statuses/{state.commit}"
        fields["name"], headers = about["context"], {"PRIVATE-TOKEN": token}
    else:
        url = f"{api}/repos/{quote(name)}/statuses/{state.commit}"
        fields["context"] = about["context"]
        headers = {"Authorization": f"{'Bearer' if kind == 'github' else 'token'} {token}"}
    headers |= {"Content-Type": "application/json", "Accept": "application/json"}
    _post(url, json.dumps(fields).encode(), headers)


# --- HTTP ----------------------------------------------------------------------------------------------------------


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A token or a signed body goes where it was meant to go, and nowhere else."""

    def redirect_request(self, *args: Any, **named: Any) -> None:
        del args, named


def _post(url: str, body: bytes, headers: Mapping[str, str]) -> None:
    agent = {"User-Agent": f"reconciler/{__version__}"}
    request = urllib.request.Request(url, body, {**agent, **headers}, method="POST")  # noqa: S310 - its scheme was checked
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(request, timeout=TIMEOUT) as answer:
            answer.read(65536)
    except urllib.error.HTTPError as error:
        with error:
            text = error.read(300).decode("utf-8", "replace").strip()
        may_pass = error.code >= 500 or error.code in (408, 425, 429)
        raise UndeliveredError(f"the answer was {error.code}: {text or error.reason}", may_pass=may_pass) from None
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise UndeliveredError(str(reason), may_pass=not isinstance(error, ValueError)) from None
