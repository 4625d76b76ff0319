"""The page: a few files of this package, served as they are."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

_DIRECTORY = Path(__file__).parent / "page"
_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


class Asset:
    """One file. A browser asks each time whether it is still the same, so that an upgrade shows at once."""

    def __init__(self, name: str, content_type: str) -> None:
        self._content = (_DIRECTORY / name).read_bytes()
        self._tag = f'"{hashlib.sha256(self._content).hexdigest()[:20]}"'
        self._headers = {"ETag": self._tag, "Cache-Control": "no-cache", "Content-Type": content_type}

    async def answer(self, request: Request) -> Response:
        if request.headers.get("if-none-match") == self._tag:
            return Response(status_code=304, headers={"ETag": self._tag})
        return Response(self._content, headers=self._headers)


def asset_routes() -> list[Route]:
    return [Route(path, Asset(*about).answer) for path, about in _FILES.items()]
