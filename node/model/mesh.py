"""Mesh: what nodes say to each other, in words. node/wire/mesh.py translates them to truc.v1, node/net/ carries them."""

from dataclasses import dataclass

from node.model.envelope import KeyWrap, SignedEnvelope
from node.model.reason import Reason
from node.model.receipt import SignedReceipt


@dataclass(frozen=True, slots=True)
class Parcel:
    """A packet on its way to `target_node`. If another node than that is called, it is asked to relay.

    `directory_version` is that of the directory by which it is addressed, `addressed_version` that of the origin's own; 0: not said. With
    `asked_units` an Offer is a question: what has the called node decided about these recipients? `for_units` are those for whom it is
    sent; none: all whom the target serves.
    """

    signed_envelope: SignedEnvelope
    key_wrap: KeyWrap
    target_node: str
    directory_version: int = 0
    addressed_version: int = 0
    asked_units: tuple[str, ...] = ()
    for_units: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PushPacket:
    """A small packet with its body."""

    parcel: Parcel
    body: bytes


@dataclass(frozen=True, slots=True)
class PushReceipt:
    """A receipt that concerns the called node, brought by a relay."""

    signed_receipt: SignedReceipt


PushItem = PushPacket | PushReceipt


@dataclass(frozen=True, slots=True)
class First:
    """Acceptance by a recipient, before, under a packet id: the origin's envelope, the receipt for it, and the packet's SHA-256."""

    signed_envelope: SignedEnvelope
    receipt: SignedReceipt
    packet_sha256: bytes

    @property
    def size_bytes(self) -> int:
        """About how large it is in an answer."""
        return len(self.signed_envelope.envelope) + len(self.receipt.receipt) + 2_048


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of one item: a receipt, or the reason why there is none. A brought receipt is taken with reason NONE.

    `retry_after_ms` 0 means: as the sender sees fit. `first` may come with ENVELOPE_CONFLICT, to the origin itself.
    """

    receipt: SignedReceipt | None = None
    reason: Reason = Reason.NONE
    retry_after_ms: int = 0
    detail: str = ""
    first: First | None = None


@dataclass(frozen=True, slots=True)
class Want:
    """Upload from `offset_bytes` on, under the name `token` (16 octets)."""

    token: bytes
    offset_bytes: int


@dataclass(frozen=True, slots=True)
class Hello:
    """A node's introduction of itself; time in milliseconds since 1970 UTC.

    `admission_step` is how far it has closed itself (flow/admission.py, 0: it takes everything); None: it does not say.
    """

    node_id: str
    protocol_min: int
    protocol_max: int
    wall_time_ms: int
    directory_version: int
    features: tuple[str, ...] = ()
    software: str = ""
    admission_step: int | None = None
