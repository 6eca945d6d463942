"""Application: one Starlette application, whose parts know nothing of each other; it says what is served where.

Nothing redirects, anywhere: the bridge's callers turn a redirected POST into a GET. Requests to unknown places get a refusal in JSON.
"""

from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from node.web.body import Body
from node.web.protocol import length_is_ambiguous


def application(parts: Mapping[str, ASGIApp], refusal: bytes) -> ASGIApp:
    """Put the parts (by path, e.g. "/vxp") together. `refusal` is the JSON for requests to unknown places and malformed ones."""

    async def nothing_here(request: Request, error: Exception) -> Response:
        await Body(request.receive).drain()
        return _refused(refusal, 404)

    routes = [Mount(path, part) for path, part in parts.items()]
    starlette = Starlette(routes=routes, exception_handlers={404: nothing_here, 405: nothing_here})
    starlette.router.redirect_slashes = False

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and length_is_ambiguous(scope["headers"]):
            await _refused(refusal, 400)(scope, receive, send)
            return
        await starlette(scope, receive, send)

    return guarded


def _refused(refusal: bytes, status: int) -> Response:
    return Response(refusal, status, {"connection": "close"}, "application/json")
