"""Status: what a recipient's status packet says about a document reaches its author's view.

On the road a status packet is a packet like any other, and it ends in the author's inbox. This file writes its meaning beside the
document: appended to the history of (document, reporting unit), never overwriting (QĐ 28/2018 Điều 10.2.p). A status about a
document that this node does not know changes nothing here; the packet itself waits in the inbox all the same.

Only the code is written down in the clear. The words of the report stay encrypted in the status packet, and are read from there when
somebody looks.
"""

from node.flow.document import dossier
from node.flow.document.aliases import names_of, sender_names
from node.flow.webhooks import notices
from node.model.envelope import Envelope
from node.model.header import PacketHeader
from node.model.status import StatusEvent
from node.model.webhook import NoticeKind
from node.ports import Tx
from node.rows import document_keys, keys
from node.rows.records import StatusRecord
from node.wire.truc.v1 import status_pb2


def record(tx: Tx, envelope: Envelope, header: PacketHeader, author_unit: str, now_ms: int) -> tuple[str, str]:
    """If the packet is a status for a document of `author_unit` that is known here, append it to the document's history.

    Returns the codes under which author and reporter have the document: those of their units, except for a document that was sent
    before a code became an alias (aliases.py).
    """
    reporters = sender_names(envelope)
    for author in names_of(envelope.aliases, author_unit):
        for reporter in reporters:
            packet_id = _packet_at(tx, author, header.subject_document_id, reporter)
            if packet_id is not None:
                _append(tx, packet_id, reporter, envelope, header, now_ms)
                return author, reporter
    return author_unit, envelope.sender_unit


def _packet_at(tx: Tx, author: str, document_id: str, unit: str) -> bytes | None:
    """Return the author's packet by which a unit has got a document, or None."""
    packet_id = tx.get(document_keys.document(author, document_id))
    if packet_id is None or tx.get(keys.delivery(packet_id, unit)) is not None:
        return packet_id
    # The newest packet went to others: an older one, or an update that added the unit, has brought it the document.
    return dossier.packet_for(tx, author, document_id, unit)


def _append(tx: Tx, packet_id: bytes, unit: str, envelope: Envelope, header: PacketHeader, now_ms: int) -> None:
    event = status_pb2.StatusEvent(
        code=header.status_code,
        unit=envelope.sender_unit,
        accept_time_ms=now_ms,
        packet_id=envelope.packet_id,
        answers_packet_id=envelope.answers_packet_id,
    )
    key = keys.status(packet_id, unit, now_ms, envelope.packet_id)
    tx.put(key, StatusRecord(event=event.SerializeToString()).SerializeToString())
    notices.happened_to(tx, packet_id, NoticeKind.REPORTED, [unit], now_ms)


def history(tx: Tx, packet_id: bytes, unit: str) -> tuple[StatusEvent, ...]:
    """Return all statuses that one unit reported for a packet, in order of acceptance, without their words."""
    events = []
    for _, value in tx.scan(keys.statuses(packet_id, unit), limit=1_000):
        event = status_pb2.StatusEvent.FromString(StatusRecord.FromString(value).event)
        events.append(
            StatusEvent(
                event.code,
                event.unit,
                event.description,
                event.timestamp_text,
                event.accept_time_ms,
                event.packet_id,
                event.answers_packet_id,
            )
        )
    return tuple(events)
