"""VXP inbox: what the VXP bridge asks of the store beyond the node's verbs (submit, fetch, track), in bounded transactions.

A docket is the id under which the VXP bridge shows one packet to one unit (docId), and what the unit's software said of it.

The software that the bridge serves knows one id per packet and recipient, in the form of a UUID, and keeps it in columns and
file names made for a UUID. A docket follows from packet and unit, so nothing is stored for it and both sides of the mesh show the
same one:

    docket = packet id XOR the first 16 octets of SHA-256("truc docket" unit)

Going back, each unit of the asking system is tried: only a packet that is or was in the inbox of that very unit is found. An id
that was guessed, or overheard from another system, therefore leads nowhere.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from node.errors import Rejected
from node.flow.inbox import inbox
from node.model.envelope import PacketKind
from node.model.office import System
from node.model.reason import Reason
from node.ports import Ports, Tx
from node.rows import document_keys, keys
from node.rows.access import load, load_many, require, save
from node.rows.records import BridgeOrderRecord, DocketRecord, InboxRecord, PacketRecord
from node.wire import codec

PAGE = 500
"""Rows looked at in one transaction, so that a long list does not hold up the loop."""
COUNT_MAX = 100_000
DONE = "done"
"""The word by which a unit's software takes a packet over for good."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Listed:
    """A packet that waits for a unit. `word` is what the unit's software said of it last, "" for nothing.

    Times are milliseconds since 1970 UTC.
    """

    docket: str
    unit: str
    sender_unit: str
    kind: PacketKind
    accept_time_ms: int
    word: str
    change_time_ms: int


@dataclass(frozen=True, slots=True)
class SentPacket:
    """A packet that was submitted here."""

    packet_id: bytes
    kind: PacketKind


def uuid_of(packet_id: bytes) -> str:
    """Write 16 octets as a UUID."""
    text = packet_id.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def octets_of(uuid: str) -> bytes:
    """Read what `uuid_of` wrote, in capitals or not, with hyphens or not. Raises Rejected(NOT_FOUND) for anything else."""
    written = uuid.strip().lower()
    if not _UUID.fullmatch(written):
        raise Rejected(Reason.NOT_FOUND, "not the id of a packet")
    return bytes.fromhex(written.replace("-", ""))


def docket_of(packet_id: bytes, unit: str) -> str:
    """Return the id under which a unit sees a packet."""
    return uuid_of(_masked(packet_id, unit))


def find(tx: Tx, docket: str, units: Iterable[str]) -> tuple[bytes, str]:
    """Return the packet id and the unit that a docket stands for. Raises Rejected(NOT_FOUND) if it is none of these units'."""
    octets = octets_of(docket)
    for unit in units:
        packet_id = _masked(octets, unit)
        if tx.get(keys.inbox_entry(packet_id, unit)) is not None:
            return packet_id, unit
    raise Rejected(Reason.NOT_FOUND, f"no packet {docket[:40]} for this system")


def waiting(tx: Tx, units: list[str], kind: PacketKind | None, start: bytes, limit: int) -> tuple[list[Listed], bytes]:
    """Look at `limit` waiting packets from a row key on; return those of a kind (None: all) and where to go on (empty: the end)."""
    held, following = inbox.page(tx, units, start, limit)
    said = load_many(tx, [document_keys.docket(one.packet_id, one.unit) for one in held], DocketRecord)
    shown = (_waiting(one, kind, docket or DocketRecord()) for one, docket in zip(held, said, strict=True))
    return [one for one in shown if one is not None], following


def report(tx: Tx, docket: str, units: Iterable[str], word: str, now_ms: int) -> None:
    """Write down what a unit's software says of a packet; "done" takes it out of the inbox, and what comes after changes nothing.

    Raises Rejected(NOT_FOUND) as `find`.
    """
    packet_id, unit = find(tx, docket, units)
    key = document_keys.docket(packet_id, unit)
    if word == DONE:
        inbox.acknowledge_one(tx, packet_id, unit, now_ms)
        tx.delete(key)
    elif not require(tx, keys.inbox_entry(packet_id, unit), InboxRecord).acknowledge_time_ms:
        save(tx, key, DocketRecord(word=word, time_ms=now_ms))


def was_carried_out(tx: Tx, system: str, order_sha256: bytes) -> bool:
    """Tell whether this very order about a unit was carried out for a system before."""
    return tx.get(keys.bridge_order(system, order_sha256)) is not None


def note_carried_out(tx: Tx, system: str, order_sha256: bytes, now_ms: int) -> None:
    """Remember that an order about a unit has been carried out for a system."""
    save(tx, keys.bridge_order(system, order_sha256), BridgeOrderRecord(time_ms=now_ms))


def newest_sent(
    tx: Tx, system: str, kind: PacketKind | None, start: bytes, limit: int
) -> tuple[list[SentPacket], bytes]:
    """Look at `limit` packets that a system has submitted, the newest first, from a row key on.

    Returns those of a kind (None: all) and where to go on (empty: the end).
    """
    rows = tx.scan(keys.sent(system), start=start, limit=limit)
    found = [sent(tx, keys.packet_of_row(key)) for key, _ in rows]
    following = rows[-1][0] + b"\0" if len(rows) == limit else b""
    return [one for one in found if kind in (None, one.kind)], following


def sent(tx: Tx, packet_id: bytes) -> SentPacket:
    """Return what kind of packet it is. Raises Rejected(NOT_FOUND) if none of that id was submitted here."""
    packet = load(tx, keys.packet(packet_id), PacketRecord)
    if packet is None or not packet.system:
        raise Rejected(Reason.NOT_FOUND, f"packet {packet_id.hex()} was not submitted here")
    return SentPacket(packet_id, codec.decode_envelope(packet.envelope).kind)


def _waiting(held: inbox.Held, kind: PacketKind | None, said: DocketRecord) -> Listed | None:
    sender_unit, kind_of_packet = _author_and_kind(held.packet.envelope)
    if kind is not None and kind_of_packet is not kind:
        return None
    accept_time_ms = held.entry.accept_time_ms
    return Listed(
        docket=docket_of(held.packet_id, held.unit),
        unit=held.unit,
        sender_unit=sender_unit,
        kind=kind_of_packet,
        accept_time_ms=accept_time_ms,
        word=said.word,
        change_time_ms=said.time_ms or accept_time_ms,
    )


def _masked(octets: bytes, unit: str) -> bytes:
    return (int.from_bytes(octets, "big") ^ _mask(unit)).to_bytes(16, "big")


@lru_cache(maxsize=4_096)
def _author_and_kind(envelope: bytes) -> tuple[str, PacketKind]:
    """Return what lists show of an envelope. It is kept, since lists are asked for again and again and an envelope never changes."""
    decoded = codec.decode_envelope(envelope)
    return decoded.sender_unit, decoded.kind


@lru_cache(maxsize=16_384)
def _mask(unit: str) -> int:
    return int.from_bytes(hashlib.sha256(b"truc docket" + unit.encode()).digest()[:16], "big")


class VxpInbox:
    """Answers what a bridge asks of the store beyond the node's verbs."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def waiting(self, system: System, kind: PacketKind | None, start: bytes = b"") -> tuple[list[Listed], bytes]:
        """Return a page of what waits for a system's units, and where to go on (empty: the end). A page may be empty."""
        units = sorted(system.units)
        return await self._ports.store.transact(lambda tx: waiting(tx, units, kind, start, PAGE))

    async def count(self, system: System, kind: PacketKind) -> int:
        """Return how many packets of a kind wait for a system's units; counting stops at 100,000."""
        count, start = 0, b""
        while True:
            page, start = await self.waiting(system, kind, start)
            count += len(page)
            if not start or count >= COUNT_MAX:
                return count

    async def find(self, system: System, docket_id: str) -> tuple[bytes, str]:
        """Return packet id and unit. Raises Rejected(NOT_FOUND) for what never was in an inbox of the system's units."""
        units = sorted(system.units)
        return await self._ports.store.transact(lambda tx: find(tx, docket_id, units))

    async def report(self, system: System, docket_id: str, word: str) -> None:
        """Write down what a unit's software says of a packet; "done" acknowledges it. Raises Rejected(NOT_FOUND)."""
        units, now_ms = sorted(system.units), self._ports.clock.now_ms()
        await self._ports.store.transact(lambda tx: report(tx, docket_id, units, word, now_ms))

    async def sent(self, packet_id: bytes) -> SentPacket:
        """Return what kind of packet was submitted here under an id. Raises Rejected(NOT_FOUND)."""
        return await self._ports.store.transact(lambda tx: sent(tx, packet_id))

    async def newest_sent(
        self, system: System, kind: PacketKind | None, start: bytes = b""
    ) -> tuple[list[SentPacket], bytes]:
        """Return a page of what the system has submitted, the newest first, and where to go on (empty: the end)."""
        return await self._ports.store.transact(lambda tx: newest_sent(tx, system.name, kind, start, PAGE))

    async def was_carried_out(self, system: System, order_sha256: bytes) -> bool:
        """Tell whether this very order about a unit was carried out for the system before."""
        return await self._ports.store.transact(lambda tx: was_carried_out(tx, system.name, order_sha256))

    async def note_carried_out(self, system: System, order_sha256: bytes) -> None:
        """Remember that an order about a unit has been carried out for the system."""
        now_ms = self._ports.clock.now_ms()
        await self._ports.store.transact(lambda tx: note_carried_out(tx, system.name, order_sha256, now_ms))
