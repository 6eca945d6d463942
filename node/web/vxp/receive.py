"""Receive: what a unit's software takes and reports: the list of waiting packets, a packet itself, done or fail, counts.

A list shows the waiting packets of all units of the system, and nothing narrows it but the kind of packet: header fields stick from
call to call, so a `status`, `to`, `docId`, `fromDate` or `toDate` may be left over from hours ago, and a list that hides a packet would
be the worst fault of all. A row vanishes once its packet is `done`; with `fail` it stays and is offered again.
"""

import re
from collections.abc import AsyncIterator
from functools import lru_cache

from node.errors import Rejected
from node.flow.inbox.vxp_inbox import Listed
from node.model.calendar import moment_of
from node.model.envelope import PacketKind
from node.model.office import NO_LEASE, InboxEntry
from node.model.reason import Reason
from node.web.vxp.answer import success
from node.web.vxp.context import BridgeContext
from node.web.vxp.signature import Signed
from node.web.vxp.streams import as_base64, base64_bytes, begun, frame, framed, row

INITIAL = "initial"
WORDS: dict[str, str] = {
    INITIAL: "Đang chờ nhận",
    "processing": "Đang xử lý",
    "done": "Đã nhận",
    "fail": "Nhận không thành công, sẽ nhận lại",
    "inbox": "Đã vào hộp đến",
    "acceptance": "Đã tiếp nhận",
    "rejection": "Từ chối nhận",
    "assignment": "Đã phân công",
    "cancellation": "Đã hủy",
}
"""Words of updateStatus; all but done leave the packet on the list."""

KINDS = {"edoc": PacketKind.DOCUMENT, "status": PacketKind.STATUS}
KIND_WORDS = {kind: word for word, kind in KINDS.items()}

_DECLARED = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)")
_READABLE = {b"utf-8", b"utf8", b"us-ascii", b"ascii"}


def time_text(ms: int) -> str:
    """Write a time as the clients do: dd/MM/yyyy HH:mm:ss, Vietnamese time."""
    return moment_of(ms).strftime("%d/%m/%Y %H:%M:%S")


def kind_asked(signed: Signed) -> PacketKind | None:
    """Return the kind that messagetype names; None: both."""
    return KINDS.get(signed.argument("messagetype").lower())


async def received_list(context: BridgeContext, signed: Signed) -> bytes | AsyncIterator[bytes]:
    """Return the list of what waits: whole if it is one page, which it mostly is, else made page by page."""
    kind = kind_asked(signed)
    page, following = await context.vxp_inbox.waiting(signed.system, kind)
    rows = b",".join(map(_waiting_row, page))
    if following:
        return framed(_waiting(context, signed, rows, following))
    before, after = frame()
    return before + b"[" + rows + b"]" + after


async def _waiting(context: BridgeContext, signed: Signed, rows: bytes, start: bytes) -> AsyncIterator[bytes]:
    yield rows
    kind = kind_asked(signed)
    while start:
        page, start = await context.vxp_inbox.waiting(signed.system, kind, start)
        yield b",".join(map(_waiting_row, page))


@lru_cache(maxsize=4_096)
def _waiting_row(one: Listed) -> bytes:
    word = one.word or INITIAL
    return row(
        {
            "docId": one.docket,
            "serviceType": "eDoc",
            "messageType": KIND_WORDS[one.kind],
            "created_time": time_text(one.accept_time_ms),
            "updated_time": time_text(one.change_time_ms),
            "from": one.sender_unit,
            "to": one.unit,
            "status": word,
            "status_desc": WORDS[word],
        }
    )


async def edoc_in_json(context: BridgeContext, signed: Signed) -> tuple[int, AsyncIterator[bytes]]:
    """getEdoc: return the answer's length and its octets. The folder (filePath) is the caller's own and is not looked at.

    Raises Rejected(REQUEST_INVALID) for a packet that is not UTF-8: the library reads every packet as UTF-8, and would damage it.
    """
    entry, pieces = await _packet(context, signed)
    first, octets = await begun(pieces)
    _require_utf_8(first)
    before, after = frame()
    size_bytes = len(before) + 1 + base64_bytes(entry.packet_bytes) + 1 + len(after)
    return size_bytes, _quoted(before, octets, after)


async def _quoted(before: bytes, octets: AsyncIterator[bytes], after: bytes) -> AsyncIterator[bytes]:
    yield before + b'"'
    async for piece in as_base64(octets):
        yield piece
    yield b'"' + after


def _require_utf_8(head: bytes) -> None:
    declared = _DECLARED.match(head.removeprefix(b"\xef\xbb\xbf").lstrip())
    name = declared[1].lower() if declared else b"utf-8"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head[:4] or name not in _READABLE:
        raise Rejected(Reason.REQUEST_INVALID, "the packet is not written in UTF-8; downloadEdoc gives its octets")


async def edoc_raw(context: BridgeContext, signed: Signed) -> tuple[int, AsyncIterator[bytes]]:
    """downloadEdoc: return the packet's length and its octets."""
    entry, pieces = await _packet(context, signed)
    return entry.packet_bytes, (await begun(pieces))[1]


async def _packet(context: BridgeContext, signed: Signed) -> tuple[InboxEntry, AsyncIterator[bytes]]:
    # Prefer docId: docid may be left over from an earlier updateStatus (vxp.md section 6.3).
    packet_id, unit = await context.vxp_inbox.find(signed.system, signed.required("docId", "docid"))
    # No lease: the library asks again when a connection dies, and must get the same answer at once.
    return await context.node.fetch(signed.system, packet_id, unit, lease_ms=NO_LEASE)


async def update_status(context: BridgeContext, signed: Signed) -> bytes:
    """updateStatus: write down what the unit's software says; repeats are harmless."""
    docket = signed.required("docid", "docId")
    word = signed.required("status").lower()
    if word not in WORDS:
        raise Rejected(Reason.REQUEST_INVALID, f"status {word[:40]!r} is none of {', '.join(sorted(WORDS))}")
    await context.vxp_inbox.report(signed.system, docket, word)
    return success()


async def count(context: BridgeContext, signed: Signed, kind: PacketKind) -> bytes:
    """countReceiveEdoc, countReceiveStatus: return how many packets wait."""
    return success(count=await context.vxp_inbox.count(signed.system, kind))
