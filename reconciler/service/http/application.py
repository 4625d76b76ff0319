"""Which path answers what. Reading may wait for a lock or the engine, so it happens in threads, never in the event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from reconciler.errors import EngineError, ReconcilerError
from reconciler.loop.telling import ProjectStatus
from reconciler.model.address import Kind
from reconciler.model.documents import FORMAT_VERSION
from reconciler.service.http.answers import RefusalError, Veil, json_answer, plain, refusal
from reconciler.service.http.asking import Gate, carry_out, read_address, read_order
from reconciler.service.http.assets import asset_routes
from reconciler.service.http.guard import EVENTS
from reconciler.service.http.interface import Served
from reconciler.service.http.picture import plans_document, status_document
from reconciler.service.http.rollouts import Rollouts
from reconciler.service.http.streams import Streams
from reconciler.service.http.tails import MOST_LINES, logs_document
from reconciler.source.webhook import MAX_BODY

if TYPE_CHECKING:
    from starlette.requests import Request

_LARGEST_ORDER = 16 * 1024
_BODY_PATIENCE = 10.0
_MOST_ENTRIES = 200


class Answers:
    """One method for each path."""

    def __init__(self, served: Served, veil: Veil, streams: Streams, rollouts: Rollouts) -> None:
        self._served, self._veil, self._streams, self._rollouts = served, veil, streams, rollouts
        self._gate = Gate(served.token, served.log)

    def routes(self) -> list[BaseRoute]:
        return [
            *asset_routes(),
            Route("/healthz", self.alive),
            Route("/readyz", self.ready),
            Route("/metrics", self.metrics),
            Route("/api/v1/status", self.status),
            Route("/api/v1/plan", self.plan),
            Route("/api/v1/history", self.history),
            Route("/api/v1/history/{id:int}", self.entry),
            Route("/api/v1/logs", self.logs),
            Route(EVENTS, self.events),
            *(Route(f"/api/v1/{what}", self.order, methods=["POST"]) for what in ("reconcile", "suspend", "resume")),
            Route("/hooks/{project}", self.hook, methods=["POST"]),
        ]

    # --- for machines ------------------------------------------------------------------------------------------

    def alive(self, request: Request) -> Response:
        del request
        is_alive = self._served.is_alive()
        return PlainTextResponse("alive\n" if is_alive else "it hangs\n", 200 if is_alive else 503)

    def ready(self, request: Request) -> Response:
        del request
        engine = self._served.instance.snapshot().engine
        if not engine.is_connected:
            return PlainTextResponse(f"the engine is away: {self._veil.text(engine.text)}\n", 503)
        is_ready = self._served.is_ready()
        waits = "the first pass is under way, or no project is kept yet\n"
        return PlainTextResponse("ready\n" if is_ready else waits, 200 if is_ready else 503)

    def metrics(self, request: Request) -> Response:
        del request
        if self._served.metrics is None:
            raise RefusalError(404, "there are no metrics")
        text, content_type = self._served.metrics()
        return Response(text, headers={"Content-Type": content_type, "Cache-Control": "no-store"})

    # --- what is known -----------------------------------------------------------------------------------------

    def status(self, request: Request) -> Response:
        del request
        served = self._served
        try:
            takes_orders = bool(served.token())
        except ReconcilerError:
            takes_orders = False
        document = status_document(
            served.instance.snapshot(), self._rollouts, is_ready=served.is_ready(), takes_orders=takes_orders
        )
        return self._shown(document)

    def plan(self, request: Request) -> Response:
        name = request.query_params.get("project", "")
        if name:
            self._project(name)
        return self._shown(plans_document(self._served.instance.snapshot(), name))

    def history(self, request: Request) -> Response:
        journal = self._served.journal
        if journal is None:
            raise RefusalError(404, "there is no history", "give a state directory")
        limit = _number(request, "limit", 50, 1, _MOST_ENTRIES)
        before = _number(request, "before", None, 1, 2**62)
        assert limit is not None
        entries = journal.entries(request.query_params.get("project", ""), limit, before)
        following = entries[-1].get("id") if len(entries) == limit else None
        return self._shown({"format_version": FORMAT_VERSION, "entries": entries, "before": following})

    def entry(self, request: Request) -> Response:
        number = request.path_params["id"]
        journal = self._served.journal
        found = journal.entry(number) if journal is not None and number < 2**62 else None
        if found is None:
            raise RefusalError(404, f"there is no entry {number}", "it may be too old: the history is bounded")
        return self._shown(found)

    def logs(self, request: Request) -> Response:
        project = self._project(request.query_params.get("project", ""))
        address = read_address(request.query_params.get("address", ""))
        if address.kind is not Kind.CONTAINER:
            raise RefusalError(400, f"{address} is no container, and writes nothing")
        lines = _number(request, "tail", 200, 1, MOST_LINES)
        named = project.plan.project if project.plan is not None else project.name
        try:
            return self._shown(logs_document(self._served.instance.engine, named, address, lines or 1))
        except EngineError as error:
            raise RefusalError(503, f"the engine does not tell: {self._veil.text(str(error))}") from error

    async def events(self, request: Request) -> Response:
        return self._streams.open(request.headers.get("last-event-id", ""))

    # --- what is asked for -------------------------------------------------------------------------------------

    async def order(self, request: Request) -> Response:
        what = request.url.path.rpartition("/")[2]
        await run_in_threadpool(self._gate.check, request.headers.get("authorization", ""))
        order = read_order(await _body(request, _LARGEST_ORDER))
        await run_in_threadpool(carry_out, what, order, self._served.instance)
        about = {"project": order.project or "all"} | ({"resource": str(order.address)} if order.address else {})
        self._served.log.info("asked", what=what, by="HTTP", **about)
        return json_answer({"accepted": what}, 202)

    async def hook(self, request: Request) -> Response:
        hooks = self._served.hooks
        if hooks is None:
            raise RefusalError(404, "no webhook is configured")
        project = request.path_params["project"]
        if (refused := hooks.refuses(project)) is not None:
            raise RefusalError(*refused)
        body = await _body(request, MAX_BODY)
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        status, text = await run_in_threadpool(hooks.receive, project, headers, body)
        return PlainTextResponse(f"{plain(text)}\n", status)

    # --- inside ------------------------------------------------------------------------------------------------

    def _project(self, name: str) -> ProjectStatus:
        projects = self._served.instance.snapshot().projects
        found = next((project for project in projects if project.name == name), None)
        if found is None:
            hint = f"there are {', '.join(project.name for project in projects)}"
            raise RefusalError(404, f"there is no project {name!r}", hint)
        return found

    def _shown(self, document: Any) -> Response:
        return json_answer(self._veil.over(document))


async def _body(request: Request, largest: int) -> bytes:
    """The whole body, if it is not too large and comes soon."""
    too_large = RefusalError(413, f"the body is larger than {largest} bytes")
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared) > largest:
        raise too_large
    gathered = bytearray()
    try:
        async with asyncio.timeout(_BODY_PATIENCE):
            async for chunk in request.stream():
                gathered += chunk
                if len(gathered) > largest:
                    raise too_large
    except TimeoutError:
        raise RefusalError(408, f"the body did not come within {_BODY_PATIENCE:.0f} s") from None
    return bytes(gathered)


def _number(request: Request, name: str, default: int | None, least: int, most: int) -> int | None:
    said = request.query_params.get(name)
    if not said:
        return default
    if not said.isdecimal() or len(said) > 19 or not least <= int(said) <= most:
        raise RefusalError(400, f"{name} must be a number from {least} to {most}")
    return int(said)


def make_application(answers: Answers) -> Starlette:
    """The paths; every refusal as JSON."""

    def refused(request: Request, error: Exception) -> Response:
        del request
        assert isinstance(error, RefusalError)
        return refusal(error.status, error.message, error.hint)

    def failed(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        messages = {404: "there is nothing here", 405: f"{request.method} is not answered here"}
        answer = refusal(error.status_code, messages.get(error.status_code, str(error.detail)))
        answer.headers.update(error.headers or {})
        return answer

    def misconfigured(request: Request, error: Exception) -> Response:
        del request
        message, _, hint = str(error).partition("\n")
        return refusal(503, message, hint.strip().removeprefix("hint: "))

    def crashed(
        request: Request, error: Exception
    ) -> Response:  # it goes on to whoever stands around, who tells the log
        del request
        return refusal(500, f"a bug in reconciler: {type(error).__name__}", "its log says more")

    application = Starlette(
        routes=answers.routes(),
        exception_handlers={
            RefusalError: refused,
            HTTPException: failed,
            ReconcilerError: misconfigured,
            Exception: crashed,
        },
    )
    application.router.redirect_slashes = False
    return application
