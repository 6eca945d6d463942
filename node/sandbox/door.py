"""Door of the sandbox's own: HTTP on loopback, for people and for a vendor's own tests in any language.

    GET  /TOKEN/state        what it is, its time, its units, how to connect
    POST /TOKEN/advance      body: 2d          put the clock forward; both bodies also as a form (by=2d) or JSON ({"by": "2d"})
    POST /TOKEN/send         body: withdraw H99.01     let a counterpart write
    GET  /TOKEN/refused      packets of the vendor's that were not taken, and why
    GET  /TOKEN/conformance  the credentials that a conformance run works with

A caller that knows the token may do all of it; there is nothing real behind it. Answers are JSON; a fault is {"error": …} with an
HTTP status.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

from node.errors import Broken, Deferred, Fault, Rejected
from node.model.calendar import moment_of
from node.model.reason import Reason
from node.sandbox.cast import CONFORMANCE, COUNTERPARTS, Counterpart, Member
from node.sandbox.clock import span_ms
from node.sandbox.running import Sandbox
from node.sandbox.site import CONFORMANCE_CREDENTIAL, VENDOR_CREDENTIAL, WATCHER_CREDENTIAL
from node.sandbox.watch import Refused
from node.seal.files import read_private
from node.web.application import application
from node.web.body import Body
from node.web.door import WebDoor
from node.web.protocol import Malformed

BODY_BYTES_MAX = 4 * 1024
_STATUS = ((Rejected, 400), (Deferred, 503), (Broken, 500))
Answer = Callable[[Request], Awaitable[Any]]


class Door:
    """Answers at the door, and the same for callers in this process."""

    def __init__(self, sandbox: Sandbox, *, kept: bool = False) -> None:
        """`kept`: its folder stays when it ends."""
        self._sandbox = sandbox
        self._kept = kept

    def web_door(self) -> WebDoor:
        """Return the server; `start` it."""
        routes = [
            Route("/state", _answering(self._answer_state)),
            Route("/advance", _answering(self._answer_advance), methods=["POST"]),
            Route("/send", _answering(self._answer_send), methods=["POST"]),
            Route("/refused", _answering(self._answer_refused)),
            Route("/conformance", _answering(self._answer_conformance)),
        ]
        site = self._sandbox.site
        refusal = _json({"error": {"reason": "NOT_FOUND", "detail": "there is nothing here; see README, the sandbox"}})
        router = Router(routes, redirect_slashes=False)
        return WebDoor(site.door, application({f"/{site.token}": router}, refusal), None, Malformed(refusal, str))

    def state(self) -> dict[str, Any]:
        """Return how the sandbox is, and how to connect, for programs."""
        site = self._sandbox.site
        return {
            "sandbox": True,
            "endpoint": site.endpoint,
            "folder": str(site.folder),
            "kept": self._kept,
            **_time(self._sandbox.clock.now_ms(), self._sandbox.clock.ahead_ms),
            "units": _members(site.units),
            "vxp": [asdict(one) for one in site.bridges],
            "credential": str(site.folder / VENDOR_CREDENTIAL),
            "office_address": self._sandbox.office_address,
            "counterparts": [_counterpart(one) for one in COUNTERPARTS],
            "refused": len(self._sandbox.refused()),
        }

    def advance(self, span: str) -> dict[str, Any]:
        """Put the clock forward by "2d"; return the time then. Raises Rejected(REQUEST_INVALID), and what keeping the time raises."""
        return _time(self._sandbox.advance(span_ms(span)), self._sandbox.clock.ahead_ms)

    async def send(self, kind: str, unit: str) -> dict[str, Any]:
        """Let a counterpart write; return what was sent. Raises as Sandbox.send."""
        sent = await self._sandbox.send(kind, unit)
        return {"sent": [{**asdict(one), "packet_id": one.packet_id.hex()} for one in sent]}

    async def _answer_state(self, request: Request) -> Any:
        return self.state()

    async def _answer_advance(self, request: Request) -> Any:
        said = said_in(await _body(request), ("by",))
        if not said.get("by"):
            raise Rejected(Reason.REQUEST_INVALID, 'hãy ghi 2d, by=2d hoặc {"by": "2d"}')
        return self.advance(said["by"])

    async def _answer_send(self, request: Request) -> Any:
        said = said_in(await _body(request), ("kind", "unit"))
        if not said.get("kind"):
            raise Rejected(
                Reason.REQUEST_INVALID,
                'hãy ghi new, "new H99.01", kind=new&unit=H99.01 hoặc {"kind": "new", "unit": "H99.01"}',
            )
        return await self.send(said["kind"], said.get("unit", ""))

    async def _answer_refused(self, request: Request) -> Any:
        return {"refused": refusals(self._sandbox)}

    async def _answer_conformance(self, request: Request) -> Any:
        folder = self._sandbox.site.folder
        named = {"watcher": WATCHER_CREDENTIAL, "writer": CONFORMANCE_CREDENTIAL}
        credentials = {name: json.loads(read_private(folder / file)) for name, file in named.items()}
        return {
            **credentials,
            "unit": _members([CONFORMANCE])[0],
            "units": [
                {"code": one.code, "old_code": one.old_code, "name": one.name} for one in self._sandbox.site.units
            ],
            "now_ms": self._sandbox.clock.now_ms(),
        }


def _time(now_ms: int, ahead_ms: int) -> dict[str, Any]:
    return {"now_ms": now_ms, "now": moment_of(now_ms).isoformat(timespec="seconds"), "ahead_ms": ahead_ms}


def _members(units: Iterable[Member]) -> list[dict[str, str]]:
    return [{"code": one.code, "old_code": one.old_code, "name": one.name} for one in units]


def _counterpart(one: Counterpart) -> dict[str, Any]:
    return {**_members([one.unit])[0], "manner": one.manner, "manner_en": one.manner_en}


def refusals(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Return what the vendor's node has refused to take, for programs."""
    return [_refusal(one) for one in sandbox.refused()]


def _refusal(one: Refused) -> dict[str, Any]:
    findings = [
        {"code": each.code, "path": each.path, "sentence": each.sentence, "source": each.source}
        for each in one.findings
    ]
    told = {"time_ms": one.time_ms, "system": one.system, "units": list(one.units)}
    return told | {"reason": one.reason.name, "detail": one.detail, "findings": findings}


def said_in(body: str, names: Sequence[str]) -> dict[str, str]:
    """Read what a call says, in whichever way a person writes it with curl: words in this order, a form (`-d kind=new`), or JSON.

    Raises Rejected(REQUEST_INVALID) for a field that there is not, for too many words, or JSON that is none.
    """
    if body.startswith("{"):
        try:
            fields = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise Rejected(Reason.REQUEST_INVALID, "nội dung không phải JSON") from error
        said = {str(name): str(value) for name, value in fields.items() if value is not None}
    elif "=" in body:
        said = {name: value.strip() for name, value in parse_qsl(body, keep_blank_values=True)}
    else:
        words = body.split()
        if len(words) > len(names):
            raise Rejected(Reason.REQUEST_INVALID, f"thừa: {' '.join(words[len(names) :])[:60]}")
        said = dict(zip(names, words, strict=False))
    if strange := sorted(said.keys() - set(names)):
        raise Rejected(Reason.REQUEST_INVALID, f"không có trường {strange[0][:60]}; có: {', '.join(names)}")
    return said


async def _body(request: Request) -> str:
    try:
        return (await Body(request.receive).whole(BODY_BYTES_MAX)).decode().strip()
    except UnicodeDecodeError as error:
        raise Rejected(Reason.REQUEST_INVALID, "the body is not UTF-8") from error


def _answering(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        try:
            return Response(_json(await answer(request)), media_type="application/json")
        except Fault as fault:
            status = next((status for kind, status in _STATUS if isinstance(fault, kind)), 403)
            told = {"reason": fault.reason.name, "advice": fault.advice, "detail": fault.detail}
            return Response(_json({"error": told}), status, {"connection": "close"}, "application/json")

    return respond


def _json(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()
