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
    """The outcome of a packet for one unit. `Reason.NONE`: it is durably there; any other reason but one: refused for good.

    WRONG_NODE answers a question: the signer, which does not serve the unit by its directory `directory_version`, has not taken the packet
    for it and will not, unless it is sent again by a newer one. That decides nothing about the delivery.
    """

    unit: str
    reason: Reason
    directory_version: int = 0

    @property
    def decides(self) -> bool:
        """True if the delivery ends by it."""
        return self.reason is not Reason.WRONG_NODE  # as model/delivery.py: decides


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
