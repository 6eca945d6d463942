"""Sent: getSentEdocList shows what became of a system's packets, one row for each recipient of each packet.

Nothing is remembered for it: a row is read off the deliveries, receipts and statuses that the node holds. Without a docId the list has
the newest packets only, as many as NEWEST says.
"""

from collections.abc import AsyncIterator

from node.errors import ADVICE, Fault
from node.flow.inbox.vxp_inbox import SentPacket, docket_of, octets_of, uuid_of
from node.model.delivery import State
from node.model.office import DeliveryView, TrackView
from node.model.reason import Reason
from node.model.status import status_name
from node.web.vxp.context import BridgeContext
from node.web.vxp.receive import KIND_WORDS, kind_asked, time_text
from node.web.vxp.signature import Signed
from node.web.vxp.streams import begun, framed, row

PACKETS_MAX = 2_000
"""Packets in a list without a docId."""
DELIVERIES_AT_ONCE = 200
"""Rows that are made before the first of them leaves."""
NEWEST = f"Success ({PACKETS_MAX} gói tin mới nhất)"

_SEND_WORDS = {State.WAITING: "processing", State.DELIVERED: "done", State.FAILED: "fail"}
_RECEIVE_WORDS = {"": "initial", "02": "fail", "06": "done"}
"""By status code; any other code is under way."""


async def sent_list(context: BridgeContext, signed: Signed) -> AsyncIterator[bytes]:
    """Return the rows of one packet (docId, else docid), or of the newest ones. Raises Rejected(NOT_FOUND) for another system's."""
    named = signed.argument("docId", "docid")
    if named and not await _is_left_over(context, signed, named):
        sent = await context.vxp_inbox.sent(octets_of(named))
        return (await begun(framed(_one(context, signed, sent))))[1]
    return (await begun(framed(_newest(context, signed), NEWEST)))[1]


async def _is_left_over(context: BridgeContext, signed: Signed, named: str) -> bool:
    """Tell whether an id is that of a received packet: then it stuck from an earlier call and nobody meant it here."""
    try:
        await context.vxp_inbox.find(signed.system, named)
    except Fault:
        return False
    return True


async def _one(context: BridgeContext, signed: Signed, sent: SentPacket) -> AsyncIterator[bytes]:
    token = ""
    while True:
        view = await context.node.track(
            signed.system, packet_id=sent.packet_id, page_size=DELIVERIES_AT_ONCE, page_token=token
        )
        yield _rows(sent, view)
        token = view.next_page_token
        if not token:
            return


async def _newest(context: BridgeContext, signed: Signed) -> AsyncIterator[bytes]:
    kind, start, shown = kind_asked(signed), b"", 0
    while shown < PACKETS_MAX:
        page, start = await context.vxp_inbox.newest_sent(signed.system, kind, start)
        for sent in page[: PACKETS_MAX - shown]:
            try:
                async for rows in _one(context, signed, sent):
                    yield rows
            except Fault as fault:
                # Its unit was taken from the system since, which may not see the unit's packets any more.
                if fault.reason is not Reason.NOT_FOUND:
                    raise
        shown += len(page)
        if not start:
            return


def _rows(sent: SentPacket, view: TrackView) -> bytes:
    return b",".join(_row(sent, view, delivery) for delivery in view.deliveries)


def _row(sent: SentPacket, view: TrackView, delivery: DeliveryView) -> bytes:
    code = delivery.status_code
    why = "" if delivery.reason is Reason.NONE else f": {ADVICE[delivery.reason]}"
    return row(
        {
            "serviceType": "eDoc",
            "messageType": KIND_WORDS[sent.kind],
            # The library of 2018 reads these four, the later ones those below.
            "docId": uuid_of(sent.packet_id),
            "from": view.sender_unit,
            "to": delivery.unit,
            "status": _SEND_WORDS[delivery.state],
            "senderDocId": uuid_of(sent.packet_id),
            "receiverDocId": docket_of(sent.packet_id, delivery.unit),
            "fromCode": view.sender_unit,
            "toCode": delivery.unit,
            "sendStatus": _SEND_WORDS[delivery.state],
            "sendStatusDesc": delivery.state.label + why,
            "receiveStatus": _RECEIVE_WORDS.get(code, "processing"),
            "receiveStatusDesc": f"{code} {status_name(code)}" if code else "chưa có trạng thái xử lý",
            "title": view.subject,
            "notation": view.document_code,
            "sentTime": time_text(view.create_time_ms),
            "receivedTime": time_text(delivery.end_time_ms) if delivery.state is State.DELIVERED else "",
        }
    )
