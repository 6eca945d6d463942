"""Duty: what a node owes in a unit's name, as rows that become status packets.

There are two: 01 (đã đến) when a document reaches the inbox of a unit whose software leaves that to the node, and 15 (đồng ý) when the
node takes back for its unit what nobody had read (QĐ 28/2018 Điều 9.2, NĐ 30/2020 Điều 21.2.c). A row is written by the transaction
that makes it due; duty_loop.py submits the packet and then deletes the row. The submission id follows from the duty, so a crash in
between repeats a submission that counts once (law 3), and a duty is done if its submission is there.
"""

from dataclasses import dataclass

from node.edxml.compose import compose_status
from node.errors import Rejected
from node.model.calendar import moment_of
from node.model.code import parse_code
from node.model.directory import Directory
from node.model.envelope import Envelope
from node.model.office import Submission, System
from node.model.policy import MINUTE_MS, Policy
from node.ports import Tx
from node.rows import keys
from node.rows.access import load, save
from node.rows.records import DutyRecord, HeaderRecord, PacketRecord

NODE_SYSTEM = "@nut"
"""The name under which a node hands packets in itself; no connected system can be called so (access/systems.py)."""
ARRIVED, AGREED = "01", "15"
WORDS = {
    ARRIVED: "Văn bản đã đến hộp đến của đơn vị (nút báo tự động)",
    AGREED: "Nút đã lấy lại văn bản khi đơn vị chưa tải về (nút trả lời tự động)",
}
PUT_OFF_MS_MAX = 60 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class Duty:
    """One duty that is due, with the packet it is about; `is_done`: it was submitted, only its row is still there."""

    key: bytes
    record: DutyRecord
    packet: PacketRecord
    is_done: bool

    @property
    def submission(self) -> Submission:
        """The submission as which it is handed in: the same duty always under the same id."""
        return Submission(submission_id_of(self.record), answers_packet_id=self.record.answers_packet_id)

    @property
    def system(self) -> System:
        """The system as which it is handed in: the node itself, speaking for one unit."""
        return System(NODE_SYSTEM, frozenset({self.record.unit}))


def submission_id_of(record: DutyRecord) -> str:
    """Return the id under which a duty's packet is submitted."""
    return f"{record.status_code}-{(record.answers_packet_id or record.packet_id).hex()}-{record.unit}"


def owe(tx: Tx, unit: str, status_code: str, packet_id: bytes, now_ms: int, answers_packet_id: bytes = b"") -> None:
    """Write down that a unit owes a status about a packet."""
    record = DutyRecord(
        unit=unit, status_code=status_code, packet_id=packet_id, answers_packet_id=answers_packet_id, time_ms=now_ms
    )
    save(tx, _key(record, now_ms), record)


def _key(record: DutyRecord, due_ms: int) -> bytes:
    # Two requests about one document are two duties, even if they fall due in the same millisecond.
    return keys.duty(due_ms, record.answers_packet_id or record.packet_id, record.status_code, record.unit)


def due(tx: Tx, now_ms: int, limit: int) -> tuple[list[Duty], int | None]:
    """Return duties whose time has come, the oldest first; and when the first duty of all is due, None if there is none.

    A duty that is due later than the longest pause was written before the clock was set back, and is due as well.
    """
    first = tx.scan(keys.DUTIES, limit=limit)
    found = [row for row in first if keys.due_of(row[0]) <= now_ms]
    far = keys.duty_from(now_ms + PUT_OFF_MS_MAX + 1)
    found += tx.scan(keys.DUTIES, start=far, limit=limit - len(found))
    records = [DutyRecord.FromString(value) for _, value in found]
    # A withdrawal from thousands of units is one packet, whose envelope names them all: it is read once.
    packets = {one: load(tx, keys.packet(one), PacketRecord) for one in {record.packet_id for record in records}}
    done = tx.get_many([keys.submission(NODE_SYSTEM, submission_id_of(record)) for record in records])
    duties = []
    for (key, _), record, submission in zip(found, records, done, strict=True):
        packet = packets[record.packet_id]
        # Of a packet that was erased meanwhile nobody is owed anything: its row goes like that of a duty which was done.
        duties.append(Duty(key, record, packet or PacketRecord(), submission is not None or packet is None))
    return duties, keys.due_of(first[0][0]) if first else None


def done(tx: Tx, keys_done: list[bytes]) -> None:
    """Forget duties that have been submitted."""
    for key in keys_done:
        tx.delete(key)


def put_off(tx: Tx, duty: Duty, now_ms: int, policy: Policy) -> bool:
    """Put off a duty whose submission was refused: the author's unit may be unknown today. Returns False after the last attempt."""
    record = load(tx, duty.key, DutyRecord)
    if record is None:
        return True
    tx.delete(duty.key)
    if abs(now_ms - record.time_ms) > policy.expire_after_ms:
        return False
    record.attempts += 1
    pause_ms = min(PUT_OFF_MS_MAX, MINUTE_MS * 2 ** min(record.attempts, 10))
    save(tx, _key(record, now_ms + pause_ms), record)
    return True


def author_of(envelope: Envelope, header: HeaderRecord, directory: Directory, now_ms: int) -> str:
    """Return the code by which a status calls the author of the packet it is about: that packet's own, while it leads to the unit.

    An alias may have ended since, or not have reached our directory yet; the unit's own code is always right.
    """
    try:
        meant = directory.resolve(parse_code(header.sender_code), now_ms).text
    except Rejected:
        return envelope.sender_unit
    return header.sender_code if meant == envelope.sender_unit else envelope.sender_unit


def compose(record: DutyRecord, author: str, header: HeaderRecord, unit_name: str) -> bytes:
    """Return the status packet of a duty to the author of the packet that it is about (`header` is that packet's)."""
    return compose_status(
        sender=record.unit,
        sender_name=unit_name,
        author=author,
        document_id=header.document_id,
        code=header.document_code,
        date=header.promulgation_date,
        status_code=record.status_code,
        description=WORDS[record.status_code],
        timestamp=moment_of(record.time_ms).strftime("%Y/%m/%d %H:%M:%S"),
    )
