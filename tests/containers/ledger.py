"""The ledger: a book outside the mesh of what was submitted and what each inbox gave, and what must be true of it at the end.

A line is written when a node has acknowledged a submission, and when an office has read a packet's octets. Nothing in it comes from
what nodes say about themselves.
"""

import hashlib
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from node.model.envelope import PacketKind
from node.model.office import InboxEntry
from tests.containers.mesh import NODE_OF_UNIT

ARRIVED, ANSWERED = "01", "03"
"""The status that nodes report of their own accord, and the one that our offices do."""


@dataclass(frozen=True)
class Sent:
    """One acknowledged submission."""

    submission_id: str
    packet_id: bytes
    sha256: bytes
    node: str
    sender: str
    recipients: tuple[str, ...]
    document_id: str
    kind: PacketKind
    at_s: float


@dataclass
class Ledger:
    """One scenario's book."""

    path: Path
    sent: dict[bytes, Sent] = field(default_factory=dict)
    received: dict[tuple[bytes, str], float] = field(default_factory=dict)
    """When a unit's inbox first gave a packet of ours."""
    statuses: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Status packets that came, by (document id, unit that reports, status code)."""

    def note_sent(self, packet: bytes, one: Sent) -> None:
        """Write down what a node has acknowledged."""
        assert one.packet_id not in self.sent, f"two submissions have the packet id {one.packet_id.hex()}"
        assert hashlib.sha256(packet).digest() == one.sha256, "acknowledged are other octets than were submitted"
        self.sent[one.packet_id] = one
        self._write(event="sent", id=one.submission_id, packet=one.packet_id.hex(), node=one.node, to=one.recipients)

    def note_received(self, entry: InboxEntry, octets: bytes) -> None:
        """Write down what an inbox gave, and hold it against what was sent."""
        key = (entry.packet_id, entry.unit)
        assert key not in self.received, f"{entry.unit} was given {entry.packet_id.hex()} as a new one twice"
        digest = hashlib.sha256(octets).digest()
        assert digest == entry.packet_sha256
        if entry.kind is PacketKind.STATUS:
            self.statuses[entry.document_id, entry.sender_unit, entry.status_code] += 1
        known = self.sent.get(entry.packet_id)
        self.received[key] = time.monotonic()
        self._write(event="received", packet=entry.packet_id.hex(), unit=entry.unit, status=entry.status_code)
        if known is None:
            # Of the node's own accord, or acknowledged at this very moment: `missing` and `strange` tell which.
            return
        assert digest == known.sha256, f"{entry.unit} was given other octets than {known.submission_id} had"
        assert entry.unit in known.recipients

    def documents(self) -> list[Sent]:
        """Return the documents among what was sent."""
        return [one for one in self.sent.values() if one.kind is PacketKind.DOCUMENT]

    def deliveries(self) -> set[tuple[bytes, str]]:
        """Return (packet, unit) of all that must arrive."""
        return {(one.packet_id, unit) for one in self.sent.values() for unit in one.recipients}

    def expected_statuses(self) -> Counter[tuple[str, str, str]]:
        """Every recipient of every document reports twice: its node that it has arrived, its office that it has been taken."""
        reports = [(one.document_id, unit) for one in self.documents() for unit in one.recipients]
        return Counter((*report, code) for report in reports for code in (ARRIVED, ANSWERED))

    def missing(self) -> list[str]:
        """Return what has not come yet, in words."""
        packets = [
            f"{self.sent[packet].submission_id} from {self.sent[packet].node} for {unit} at {NODE_OF_UNIT[unit]}"
            for packet, unit in sorted(self.deliveries() - self.received.keys())
        ]
        reports = [
            f"status {code} of {unit} on {name}" for name, unit, code in self.expected_statuses() - self.statuses
        ]
        return packets + reports

    def too_much(self) -> list[str]:
        """Return what came although nobody sent it, or came twice."""
        return [f"status {code} of {unit} on {name}" for name, unit, code in self.statuses - self.expected_statuses()]

    def longest_wait_s(self) -> float:
        """Return the longest time from an acknowledgement to the moment an office saw the packet in its inbox."""
        waits = [self.received[packet, unit] - self.sent[packet].at_s for packet, unit in self.deliveries()]
        return max(waits, default=0.0)

    def _write(self, **fields: object) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"at_s": round(time.monotonic(), 3), **fields}) + "\n")
