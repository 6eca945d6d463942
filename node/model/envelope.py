"""Envelope and body: what travels, in words. Their bytes are made and read in node/wire/envelope.py."""

import hashlib
from dataclasses import dataclass
from enum import IntEnum

from node.model.lane import Lane

SUITE = 1
"""AES-256-GCM segments, SHA-256, Ed25519, HPKE(X25519, HKDF-SHA256, AES-256-GCM); see node/seal/."""

SEGMENT_BYTES = 256 * 1024
SEGMENT_TAG_BYTES = 16


class PacketKind(IntEnum):
    """Kind of the edXML packet in a body; numbers as in envelope.proto."""

    DOCUMENT = 1
    STATUS = 2


@dataclass(frozen=True, slots=True)
class BodyRef:
    """Names an encrypted body and says how to open it; sizes in octets."""

    body_sha256: bytes
    body_bytes: int
    packet_bytes: int
    segment_bytes: int
    suite: int
    content_tag: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """The signed header of a packet. Codes are canonical; times in milliseconds since 1970 UTC."""

    packet_id: bytes
    packet_nonce: bytes
    origin_node: str
    sender_unit: str
    recipient_units: tuple[str, ...]
    kind: PacketKind
    lane: Lane
    create_time_ms: int
    expire_at_ms: int
    body: BodyRef
    answers_packet_id: bytes = b""
    """The packet that a status 15 or 16 answers; b"": none that the answering unit's node knew."""
    aliases: tuple[tuple[str, str], ...] = ()
    """Codes in the packet that are aliases of its sender or recipients, each with its unit, in order of code (decision 0010)."""
    sender_alias: str = ""
    """The alias by which the packet calls its sender; "": it calls it by the sending unit's own code."""

    @property
    def units_by_alias(self) -> dict[str, str]:
        """The unit that each alias of the packet stands for."""
        return dict(self.aliases)


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature over one of several statements signed together (RFC 6962 tree); see envelope.proto."""

    key_id: bytes
    root_signature: bytes
    leaf_index: int
    tree_size: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class SignedEnvelope:
    """Exact envelope bytes and their signature."""

    envelope: bytes
    signature: Signature

    @property
    def sha256(self) -> bytes:
        """Digest of the exact envelope bytes."""
        return envelope_sha256_of(self.envelope)


def envelope_sha256_of(envelope: bytes) -> bytes:
    """Return the digest by which receipts and key wraps name an envelope."""
    return hashlib.sha256(envelope).digest()


@dataclass(frozen=True, slots=True)
class KeyWrap:
    """The content key locked for one node; bound to the envelope by its digest."""

    node_id: str
    key_id: bytes
    encapsulation: bytes
    wrapped_key: bytes


def packet_id_of(origin_node: str, packet_nonce: bytes) -> bytes:
    """Return the 16-octet packet id. It depends on the origin, so that no node can take an id of another's."""
    return hashlib.sha256(b"truc packet id" + origin_node.encode() + b"\0" + packet_nonce).digest()[:16]


def packet_nonce_of(system: str, submission_id: str) -> bytes:
    """Return the 16-octet nonce of a submission: the same submission has the same packet id, even after a lost disk."""
    return hashlib.sha256(b"truc packet nonce" + system.encode() + b"\0" + submission_id.encode()).digest()[:16]
