"""Receipts: a node's signed statements about a packet, in words. Their bytes are made and read in node/wire/receipt.py."""

from dataclasses import dataclass
from enum import IntEnum

from node.model.envelope import Signature
from node.model.reason import Reason


class Level(IntEnum):
    """The statement of a receipt; numbers as in receipt.proto."""

    CUSTODY = 1
    DELIVERED = 2
    FAILED = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a packet for one unit. `Reason.NONE`: it is durably there; any other reason: refused for good."""

    unit: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Receipt:
    """A node's statement; time in milliseconds since 1970 UTC by the signer's clock."""

    packet_id: bytes
    envelope_sha256: bytes
    signer_node: str
    level: Level
    outcomes: tuple[Outcome, ...]
    create_time_ms: int


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """Exact receipt bytes and their signature."""

    receipt: bytes
    signature: Signature
