"""Bridge: one request of the library: who calls, which operation, and an answer that the library can read, whatever happens.

    verify the signature -> carry out the operation -> read what is left of the body -> answer

The library takes an answer that is not JSON for an empty inbox, or for nothing at all, and waits for ever for an answer that does not
come. So every way out of here is JSON (except downloadEdoc: there any octet counts as the document, and a refusal is empty), and every
wait ends.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from node.errors import Deferred, Fault, Rejected
from node.log import get_logger
from node.model.envelope import PacketKind
from node.model.policy import KIB
from node.model.reason import Reason
from node.net.errors import FAILED, OK, Tally
from node.web.body import Body
from node.web.throttle import Brake
from node.web.vxp import agencies, answer, receive, register, send, sent
from node.web.vxp.agencies import AgencyLists, Form
from node.web.vxp.context import BridgeContext
from node.web.vxp.signature import Signed, claimed_name, verify

OPERATION_TIME_S = 60.0
"""An operation that takes no large body ends within this."""
CALLS_MAX = 1_024
"""Calls that are served at the same time."""
SMALL_BODY_BYTES_MAX = 64 * KIB
SMALL_ANSWER_BYTES_MAX = 512 * KIB
"""Answers up to this are made whole before they are sent: it is quicker, and a fault while they are made still gets its refusal."""

NO_SUCH_OPERATION = answer.refusal(
    answer.BAD_FILE, "Không có thao tác này. Địa chỉ cổng có dạng https://máy:cổng/vxp, không có dấu / ở cuối."
)
NOT_UNDERSTOOD = answer.refusal(answer.BAD_FILE, "Yêu cầu HTTP sai dạng hoặc phần đầu quá dài.")

log = get_logger()


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose signature is right."""

    signed: Signed
    body: Body
    takes_gzip: bool
    is_private: bool
    """Nobody else can write on the line: TLS, or this machine."""


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that is made while it is sent; `size_bytes` None: not known before."""

    octets: AsyncIterator[bytes]
    size_bytes: int | None = None
    is_gzip: bool = False
    media_type: str = "application/json"


Answer = bytes | Stream
Handler = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `is_list`: the library never closes the connection of a list call, so we do."""

    handler: Handler
    methods: frozenset[str] = frozenset({"POST"})
    is_list: bool = False
    takes_file: bool = False
    is_raw: bool = False


class Bridge:
    """The ASGI application under the bridge's path."""

    def __init__(self, context: BridgeContext, lists: AgencyLists, brake: Brake, tally: Tally | None = None) -> None:
        self.tally = tally or Tally()
        self._context = context
        self._lists = lists
        self._brake = brake
        self._calls = 0
        self._operations = self._all_operations()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        body = Body(receive)
        name = scope["path"].removeprefix(scope.get("root_path", "")).removeprefix("/")
        operation = self._operations.get(name)
        if operation is None or scope["method"] not in operation.methods:
            await body.drain()
            response = Response(NO_SUCH_OPERATION, 404, {"connection": "close"}, "application/json")
        else:
            self._calls += 1
            try:
                response = await self._respond(name, operation, scope, body)
            finally:
                self._calls -= 1
        await response(scope, receive, send)

    async def _respond(self, name: str, operation: Operation, scope: Scope, body: Body) -> Response:
        try:
            made = await self._carry_out(operation, scope, body)
        except Fault as fault:
            self.tally.refused[fault.reason] += 1
            self.tally.calls[name, fault.reason.name] += 1
            log.debug("call.refused", method=name, reason=fault.reason.name, detail=fault.detail)
            # Only what is sent in a file can be "not edXML".
            code = "" if operation.takes_file else answer.code_without_file(fault.reason)
            made = answer.refusal_of(fault, code)
            await self._slow_down(scope, body, fault)
            return await self._response(made if not operation.is_raw else b"", operation, body)
        except Exception as error:
            reference = secrets.token_hex(4)
            self.tally.failed[name] += 1
            self.tally.calls[name, FAILED] += 1
            log.error("call.failed", method=name, reference=reference, exc_info=error)
            made = answer.refusal(answer.INTERNAL, f"Lỗi bên trong nút, mã tra cứu {reference}.")
            return await self._response(made if not operation.is_raw else b"", operation, body)
        self.tally.calls[name, OK] += 1
        if isinstance(made, Stream):
            made = replace(made, octets=self._watched(name, made.octets))
        return await self._response(made, operation, body)

    async def _watched(self, name: str, octets: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Tell the operator of an answer that breaks off; the caller sees a closed connection."""
        try:
            async for piece in octets:
                yield piece
        except Exception as error:
            reason = error.reason.name if isinstance(error, Fault) else type(error).__name__
            log.error("answer.broken_off", method=name, reason=reason, exc_info=error)
            raise

    async def _carry_out(self, operation: Operation, scope: Scope, body: Body) -> Answer:
        if self._calls > CALLS_MAX:
            raise Deferred(Reason.PEER_BUSY, f"more than {CALLS_MAX} calls at once")
        signed = verify(scope["headers"], self._context.systems.named, self._context.secrets)
        call = Call(signed, body, _takes_gzip(scope), _is_private(scope))
        if operation.takes_file:
            return await operation.handler(call)
        try:
            async with asyncio.timeout(OPERATION_TIME_S):
                return await operation.handler(call)
        except TimeoutError as error:
            raise Deferred(Reason.STORE_STALLED, f"not done in {OPERATION_TIME_S:g} s") from error

    async def _slow_down(self, scope: Scope, body: Body, fault: Fault) -> None:
        if fault.reason not in (Reason.CREDENTIAL_MISSING, Reason.CREDENTIAL_WRONG):
            return
        await body.drain()
        await self._brake.refused(_address(scope), claimed_name(scope["headers"]), fault.reason.name)

    async def _response(self, made: Answer, operation: Operation, body: Body) -> Response:
        read_whole = await body.drain()
        headers = {} if read_whole and not operation.is_list else {"connection": "close"}
        if isinstance(made, bytes):
            return Response(made, 200, headers, "application/json" if made else None)
        if made.size_bytes is not None:
            headers["content-length"] = str(made.size_bytes)
        if made.is_gzip:
            headers["content-encoding"] = "gzip"
        return StreamingResponse(made.octets, 200, headers, made.media_type)

    def _all_operations(self) -> dict[str, Operation]:
        a_list = partial(Operation, is_list=True)
        anyhow = frozenset({"GET", "POST"})
        return {
            "registerAgency": Operation(self._register_agency),
            "deleteAgency": Operation(self._delete_agency),
            "getAgenciesList": a_list(partial(self._agencies, agencies.AGENCIES)),
            "getAgenciesListQD20": a_list(partial(self._agencies, agencies.QD20)),
            "getSynchronizeUnit": a_list(partial(self._agencies, agencies.SYNCHRONIZE)),
            "getListUnit": a_list(partial(self._agencies, agencies.SYNCHRONIZE)),
            "sendEdoc": Operation(self._send_edoc, takes_file=True),
            "getReceivedEdocList": a_list(self._received_list),
            "getSentEdocList": a_list(self._sent_list),
            "getEdoc": Operation(self._get_edoc),
            "downloadEdoc": Operation(self._download_edoc, frozenset({"GET"}), is_raw=True),
            "updateStatus": Operation(self._update_status),
            "countReceiveEdoc": Operation(partial(self._count, PacketKind.DOCUMENT), anyhow),
            "countReceiveStatus": Operation(partial(self._count, PacketKind.STATUS), anyhow),
        }

    async def _send_edoc(self, call: Call) -> Answer:
        return await send.send_edoc(self._context, call.signed, call.body)

    async def _received_list(self, call: Call) -> Answer:
        await call.body.whole(SMALL_BODY_BYTES_MAX)
        made = await receive.received_list(self._context, call.signed)
        return made if isinstance(made, bytes) else Stream(made)

    async def _sent_list(self, call: Call) -> Answer:
        await call.body.whole(SMALL_BODY_BYTES_MAX)
        return Stream(await sent.sent_list(self._context, call.signed))

    async def _get_edoc(self, call: Call) -> Answer:
        # Read the body first: the library waits three seconds for the 100-continue that reading it sends.
        await call.body.whole(SMALL_BODY_BYTES_MAX)
        size_bytes, octets = await receive.edoc_in_json(self._context, call.signed)
        if size_bytes <= SMALL_ANSWER_BYTES_MAX:
            return b"".join([piece async for piece in octets])
        return Stream(octets, size_bytes)

    async def _download_edoc(self, call: Call) -> Answer:
        size_bytes, octets = await receive.edoc_raw(self._context, call.signed)
        return Stream(octets, size_bytes, media_type="application/octet-stream")

    async def _update_status(self, call: Call) -> Answer:
        await call.body.whole(SMALL_BODY_BYTES_MAX)
        return await receive.update_status(self._context, call.signed)

    async def _count(self, kind: PacketKind, call: Call) -> Answer:
        await call.body.whole(SMALL_BODY_BYTES_MAX)
        return await receive.count(self._context, call.signed, kind)

    async def _agencies(self, name: str, call: Call) -> Answer:
        await call.body.whole(SMALL_BODY_BYTES_MAX)
        form = Form(name, _level(call.signed) if name == agencies.QD20 else 0)
        if call.takes_gzip:
            return Stream(self._lists.gzipped(form), is_gzip=True)
        return Stream(self._lists.plain(form))

    async def _register_agency(self, call: Call) -> Answer:
        _require_private(call)
        body = await call.body.whole(register.BODY_BYTES_MAX)
        return await register.register_agency(self._context.vxp_inbox, self._context.registrar, call.signed, body)

    async def _delete_agency(self, call: Call) -> Answer:
        _require_private(call)
        await call.body.whole(SMALL_BODY_BYTES_MAX)
        return await register.delete_agency(self._context.vxp_inbox, self._context.registrar, call.signed)


def _level(signed: Signed) -> int:
    text = signed.argument("level")
    if not text:
        return 0
    if text not in map(str, range(1, agencies.LEVELS_MAX + 1)):
        raise Rejected(Reason.REQUEST_INVALID, f"level is 1 to {agencies.LEVELS_MAX}")
    return int(text)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _is_private(scope: Scope) -> bool:
    return scope["scheme"] == "https" or _address(scope) in ("127.0.0.1", "::1")


def _require_private(call: Call) -> None:
    if not call.is_private:
        raise Rejected(Reason.REQUEST_INVALID, "the library does not sign this order; it is taken over https only")


def _takes_gzip(scope: Scope) -> bool:
    told = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding").lower()
    chosen = [part.partition(b";") for part in told.split(b",")]
    return any(name.strip() == b"gzip" and quality.strip() not in (b"q=0", b"q=0.0") for name, _, quality in chosen)
