"""Pages: the three addresses. Callers prove nothing here: the port is this machine's, and nothing on it tells of documents or units.

The question whether the node is ready costs it a durable write (node/process/health.py), so all that ask within a second share an answer.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from node.errors import ADVICE
from node.model.office import HealthView
from node.model.reason import Reason
from node.web.body import Body
from node.web.watch.look import Looker, Sight

READY_TIME_S = 5.0
READY_KEPT_S = 1.0
NOT_FOUND = '{"error": "Ở đây chỉ có /metrics, /health/live và /health/ready, chỉ đọc (GET)."}'.encode()


class Text(Protocol):
    """Makes the text of a look (metrics.py)."""

    def text(self, sight: Sight, accept: str) -> tuple[bytes, str]:
        """Return the text for a caller that accepts these media types, and its media type."""
        ...


class Pages:
    """The ASGI application."""

    def __init__(self, looker: Looker, metrics: Text, health: Callable[[], Awaitable[HealthView]]) -> None:
        self._looker = looker
        self._metrics = metrics
        self._health = health
        self._turn = asyncio.Lock()
        self._ready: tuple[float, Response] | None = None
        self._pages: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "/metrics": self._show_metrics,
            "/health/live": self._show_live,
            "/health/ready": self._show_ready,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        page = self._pages.get(scope["path"])
        await Body(receive).drain()
        if page is None or scope["method"] not in ("GET", "HEAD"):
            response = Response(NOT_FOUND, 404 if page is None else 405, media_type="application/json")
        else:
            response = await page(Request(scope))
        await response(scope, receive, send)

    async def _show_metrics(self, request: Request) -> Response:
        async with self._turn:
            sight = await self._looker.look()
            content, media_type = self._metrics.text(sight, request.headers.get("accept", ""))
        return Response(content, headers={"content-type": media_type})

    async def _show_live(self, request: Request) -> Response:
        return _json(200, {"live": True})

    async def _show_ready(self, request: Request) -> Response:
        loop = asyncio.get_running_loop()
        async with self._turn:
            if self._ready is None or loop.time() - self._ready[0] > READY_KEPT_S:
                response = await self._ask_health()
                self._ready = loop.time(), response
            return self._ready[1]

    async def _ask_health(self) -> Response:
        try:
            async with asyncio.timeout(READY_TIME_S):
                view = await self._health()
        except TimeoutError:
            return _json(
                503, {"ready": False, "findings": [_finding(Reason.STORE_STALLED, ADVICE[Reason.STORE_STALLED], True)]}
            )
        findings = [_finding(one.reason, one.advice, one.grave) for one in view.findings]
        told = {"node_id": view.node_id, "software": view.software, "directory_version": view.directory_version}
        return _json(200 if view.healthy else 503, {"ready": view.healthy, **told, "findings": findings})


def _finding(reason: Reason, advice: str, grave: bool) -> dict[str, Any]:
    return {"reason": reason.name, "advice": advice, "grave": grave}


def _json(status: int, document: dict[str, Any]) -> Response:
    return Response(json.dumps(document, ensure_ascii=False), status, media_type="application/json")
