"""Calls that change something: who may make them, and what they say."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from reconciler.loop.instance import Instance
from reconciler.model.address import Address, parse_address
from reconciler.service.http.answers import RefusalError
from reconciler.source.webhook import RateLimit


class Gate:
    """Lets those in who have the token. It is read each time, so that it can be changed at any time."""

    def __init__(self, token: Callable[[], str], log: Any) -> None:
        self._token, self._log = token, log
        self._failures = RateLimit(time.monotonic, burst=10, per_second=0.2)

    def check(self, authorization: str) -> None:
        """Raises RefusalError for whoever has not."""
        token = self._token()
        if not token:
            raise RefusalError(
                403,
                "nothing is changed by HTTP: there is no token",
                "put one into a file and name it by http.token_file",
            )
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode()):
            return
        if not self._failures.allows():
            raise RefusalError(429, "too many wrong tokens", "wait a minute")
        if authorization:
            self._log.warning("refused", text="a request with a wrong token")
        raise RefusalError(401, "the token is missing or wrong", "send it as `Authorization: Bearer TOKEN`")


class Order(NamedTuple):
    """What a call is about: everything, a project, or a resource of it."""

    project: str = ""
    address: Address | None = None


def read_order(body: bytes) -> Order:
    """Raises RefusalError for what cannot be meant."""
    if not body.strip():
        return Order()
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise RefusalError(400, "the body is no JSON", _FORM) from None
    if not isinstance(document, dict) or not set(document) <= {"project", "address"}:
        raise RefusalError(400, "the body is no table of `project` and `address`", _FORM)
    project, address = document.get("project", ""), document.get("address", "")
    if not isinstance(project, str) or not isinstance(address, str):
        raise RefusalError(400, "`project` and `address` are texts", _FORM)
    if address and not project:
        raise RefusalError(400, "an address needs its project", _FORM)
    return Order(project, read_address(address) if address else None)


_FORM = 'write {"project": "shop", "address": "container.web"}, or leave either out'


def read_address(text: str) -> Address:
    try:
        return parse_address(text)
    except ValueError as error:
        raise RefusalError(400, str(error)) from None


def carry_out(what: str, order: Order, instance: Instance) -> None:
    """Raises RefusalError when it is about something that is not there."""
    projects = {item.name: item for item in instance.snapshot().projects}
    if order.project and order.project not in projects:
        raise RefusalError(404, f"there is no project {order.project!r}", f"there are {', '.join(projects)}")
    if what == "suspend" and order.address is not None:
        known = {item.standing.address for item in projects[order.project].resources}
        if order.address not in known | {address.whole for address in known}:
            raise RefusalError(404, f"there is no {order.address} in project {order.project}", "the status lists them")
    match what:
        case "reconcile":
            instance.reconcile(order.project, "asked for by HTTP")
        case "suspend":
            instance.suspend(order.project, order.address)
        case "resume":
            instance.resume(order.project, order.address)
