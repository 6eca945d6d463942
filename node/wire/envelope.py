"""Envelope, signature and key wrap between words and octets.

An envelope is serialised once, by its origin; from then on only its bytes count, so this file is the one place where
they are made and read. Reading is strict: whatever `decode_envelope` returns is consistent in itself, and the rooms
behind it need not ask again. This file does not ask whether it is *true* (signature, prefixes, keys). Signatures and key
wraps are translated as they are; node/seal/ judges them whole.

A message within another is filled in its place (`..._into`): a message that is made apart and handed to the outer one's constructor
is serialised and read again for each layer around it, which cost a packet of 50 KB a dozen copies of its body.
"""

import re
from functools import lru_cache
from itertools import pairwise

from google.protobuf.message import DecodeError

from node.errors import Denied, Rejected
from node.model.code import parse_code
from node.model.envelope import (
    SEGMENT_TAG_BYTES,
    SUITE,
    BodyRef,
    Envelope,
    KeyWrap,
    PacketKind,
    Signature,
    SignedEnvelope,
    packet_id_of,
)
from node.model.lane import Lane
from node.model.policy import KIB
from node.model.reason import Reason
from node.wire.lane import lane_of_numbers, lane_to_numbers
from node.wire.truc.v1 import envelope_pb2 as pb

VERSION = 1
RECIPIENTS_MAX = 10_000
ALIASES_MAX = 10_000
SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX = 4 * 1024, 1024 * 1024
SEGMENTS_MAX = 2**32 - 1
"""The segment counter has four octets."""
NODE_ID = re.compile(r"[a-z0-9-]{1,64}")

_KINDS = {int(kind): kind for kind in PacketKind}


def encode_envelope(envelope: Envelope) -> bytes:
    """Serialise an envelope, once and for all. A malformed one is our own mistake: no peer would ever accept it."""
    flaw = _flaw(envelope)
    assert not flaw, flaw
    lane, urgency = lane_to_numbers(envelope.lane)
    message = pb.Envelope(
        version=VERSION,
        packet_id=envelope.packet_id,
        packet_nonce=envelope.packet_nonce,
        origin_node=envelope.origin_node,
        sender_unit=envelope.sender_unit,
        recipient_units=envelope.recipient_units,
        kind=pb.PacketKind.ValueType(envelope.kind),
        lane=lane,
        urgency=urgency,
        create_time_ms=envelope.create_time_ms,
        expire_at_ms=envelope.expire_at_ms,
        answers_packet_id=envelope.answers_packet_id,
        sender_alias=envelope.sender_alias,
    )
    _body_into(message.body, envelope.body)
    for code, unit in envelope.aliases:
        message.aliases.add(code=code, unit=unit)
    return message.SerializeToString(deterministic=True)


def decode_envelope(octets: bytes) -> Envelope:
    """Read an envelope's exact bytes. Raises Denied(ENVELOPE_MALFORMED), naming what is wrong.

    A packet is looked at several times within a second, when it comes, is fetched and is answered, so the last envelopes are remembered.
    """
    if len(octets) <= REMEMBERED_BYTES_MAX:
        return _remembered(octets)
    return _remembered_large(octets) if len(octets) <= LARGE_BYTES_MAX else _decode(octets)


def _decode(octets: bytes) -> Envelope:
    try:
        message = pb.Envelope.FromString(octets)
    except DecodeError as error:
        raise _malformed("not a truc.v1.Envelope") from error
    if message.version != VERSION:
        raise _malformed(f"version {message.version}")
    kind, lane = _KINDS.get(message.kind), lane_of_numbers(message.lane, message.urgency)
    if kind is None or lane is None:
        raise _malformed(f"kind {message.kind}, lane {message.lane}")
    envelope = Envelope(
        message.packet_id,
        message.packet_nonce,
        message.origin_node,
        message.sender_unit,
        tuple(message.recipient_units),
        kind,
        lane,
        message.create_time_ms,
        message.expire_at_ms,
        _body_from_proto(message.body),
        message.answers_packet_id,
        tuple((one.code, one.unit) for one in message.aliases),
        message.sender_alias,
    )
    flaw = _flaw(envelope)
    if flaw:
        raise _malformed(flaw)
    return envelope


# Of longer envelopes, with hundreds or thousands of recipients, only the last few are remembered, since each of these asks for the same
# one: the octets kept stay below 6 MiB whatever is sent.
REMEMBERED_BYTES_MAX, LARGE_BYTES_MAX = 4 * KIB, 512 * KIB
_remembered = lru_cache(maxsize=1_024)(_decode)
_remembered_large = lru_cache(maxsize=4)(_decode)


def is_node_id(text: str) -> bool:
    """Tell whether a text can be a node's id: 1 to 64 characters of [a-z0-9-]."""
    return NODE_ID.fullmatch(text) is not None


@lru_cache(maxsize=65_536)
def is_canonical_code(text: str) -> bool:
    """Tell whether a text is an identifier code in its canonical form (H49.22.05)."""
    try:
        return parse_code(text).text == text
    except Rejected:
        return False


def signature_into(message: pb.Signature, signature: Signature) -> None:
    """Translate a signature."""
    message.key_id = signature.key_id
    message.root_signature = signature.root_signature
    message.leaf_index = signature.leaf_index
    message.tree_size = signature.tree_size
    message.path.extend(signature.path)


def signature_from_proto(message: pb.Signature) -> Signature:
    """Translate a signature as it is; node.seal.signature.verify judges sizes, position and path."""
    return Signature(message.key_id, message.root_signature, message.leaf_index, message.tree_size, tuple(message.path))


def signature_to_bytes(signature: Signature) -> bytes:
    """Serialise a signature for the store."""
    message = pb.Signature()
    signature_into(message, signature)
    return message.SerializeToString(deterministic=True)


def signature_from_bytes(octets: bytes) -> Signature:
    """Read a serialised signature. Raises Denied(ENVELOPE_SIGNATURE_INVALID)."""
    try:
        return signature_from_proto(pb.Signature.FromString(octets))
    except DecodeError as error:
        raise Denied(Reason.ENVELOPE_SIGNATURE_INVALID, "not a truc.v1.Signature") from error


def signed_envelope_into(message: pb.SignedEnvelope, signed: SignedEnvelope) -> None:
    """Translate a signed envelope; the envelope's bytes stay as they are."""
    message.envelope = signed.envelope
    signature_into(message.signature, signed.signature)


def signed_envelope_from_proto(message: pb.SignedEnvelope) -> SignedEnvelope:
    """Translate a signed envelope; neither its bytes nor its signature are judged."""
    return SignedEnvelope(message.envelope, signature_from_proto(message.signature))


def key_wrap_into(message: pb.KeyWrap, wrap: KeyWrap) -> None:
    """Translate a key wrap."""
    message.node_id = wrap.node_id
    message.key_id = wrap.key_id
    message.encapsulation = wrap.encapsulation
    message.wrapped_key = wrap.wrapped_key


def key_wrap_from_proto(message: pb.KeyWrap) -> KeyWrap:
    """Translate a key wrap as it is; node.seal.wrap judges it."""
    return KeyWrap(message.node_id, message.key_id, message.encapsulation, message.wrapped_key)


def key_wrap_to_bytes(wrap: KeyWrap) -> bytes:
    """Serialise a key wrap for the store."""
    message = pb.KeyWrap()
    key_wrap_into(message, wrap)
    return message.SerializeToString(deterministic=True)


def key_wrap_from_bytes(octets: bytes) -> KeyWrap:
    """Read a serialised key wrap. Raises Denied(BODY_UNREADABLE)."""
    try:
        return key_wrap_from_proto(pb.KeyWrap.FromString(octets))
    except DecodeError as error:
        raise Denied(Reason.BODY_UNREADABLE, "not a truc.v1.KeyWrap") from error


def _body_into(message: pb.BodyRef, body: BodyRef) -> None:
    message.body_sha256 = body.body_sha256
    message.body_bytes = body.body_bytes
    message.packet_bytes = body.packet_bytes
    message.segment_bytes = body.segment_bytes
    message.suite = body.suite
    message.content_tag = body.content_tag


def _body_from_proto(message: pb.BodyRef) -> BodyRef:
    return BodyRef(
        message.body_sha256,
        message.body_bytes,
        message.packet_bytes,
        message.segment_bytes,
        message.suite,
        message.content_tag,
    )


def _flaw(envelope: Envelope) -> str:
    """Say what is wrong with an envelope, or "" if nothing is."""
    return (
        _flaw_of_ids(envelope) or _flaw_of_units(envelope) or _flaw_of_aliases(envelope) or _flaw_of_body(envelope.body)
    )


def _flaw_of_ids(envelope: Envelope) -> str:
    if len(envelope.packet_nonce) != 16:
        return "packet_nonce is not 16 octets"
    if not is_node_id(envelope.origin_node):
        return "origin_node is not an id"
    if envelope.packet_id != packet_id_of(envelope.origin_node, envelope.packet_nonce):
        return "packet_id is not that of origin and nonce"
    if envelope.lane is Lane.CONTROL and envelope.kind is not PacketKind.STATUS:
        # That lane passes where the disk is full, and must not be whoever's who asks for it.
        return "a document in the lane of statuses"
    if not 0 <= envelope.create_time_ms < envelope.expire_at_ms:
        return "it expires before it was made"
    if len(envelope.answers_packet_id) not in (0, 16):
        return "answers_packet_id is not 16 octets"
    return ""


def _flaw_of_units(envelope: Envelope) -> str:
    units = envelope.recipient_units
    if not 0 < len(units) <= RECIPIENTS_MAX:
        return f"{len(units)} recipients"
    if len(units) > 1 and len(set(units)) != len(units):
        return "a recipient is named twice"
    if not is_canonical_code(envelope.sender_unit) or not all(map(is_canonical_code, units)):
        return "a code is not in canonical form"
    return ""


def _flaw_of_aliases(envelope: Envelope) -> str:
    aliases = envelope.aliases
    if envelope.sender_alias and (envelope.sender_alias, envelope.sender_unit) not in aliases:
        return "sender_alias is no alias of the sender"
    if not aliases:
        return ""
    if len(aliases) > ALIASES_MAX:
        return f"{len(aliases)} aliases"
    codes = [code for code, _ in aliases]
    if any(code >= following for code, following in pairwise(codes)):
        return "aliases are not in order of code"
    if not all(is_canonical_code(text) for pair in aliases for text in pair):
        return "a code is not in canonical form"
    if any(code == unit for code, unit in aliases):
        return "an alias stands for itself"
    return ""


def _flaw_of_body(body: BodyRef) -> str:
    if len(body.body_sha256) != 32 or len(body.content_tag) != 32:
        return "a digest is not 32 octets"
    if body.suite != SUITE:
        return f"suite {body.suite} is unknown"
    if not SEGMENT_BYTES_MIN <= body.segment_bytes <= SEGMENT_BYTES_MAX:
        return f"segment_bytes {body.segment_bytes}"
    segments = -(-body.packet_bytes // body.segment_bytes)
    if not 0 < segments <= SEGMENTS_MAX:
        return f"packet_bytes {body.packet_bytes}"
    if body.body_bytes != body.packet_bytes + segments * SEGMENT_TAG_BYTES:
        return "body_bytes does not follow from packet_bytes"
    return ""


def _malformed(detail: str) -> Denied:
    return Denied(Reason.ENVELOPE_MALFORMED, detail)
