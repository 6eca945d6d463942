"""Opening: what a recipient's node finds in a body that was sealed for it.

The origin's signature proves that it made the body, not that the body is good. So the node opens it before it says DELIVERED:
the key must fit, every segment must be whole, and there must be a readable packet inside that says what its envelope says.
"""

from node.edxml.reader import HeaderReader, read_header
from node.errors import Denied, Rejected
from node.flow.bodies.summary import sealed_header
from node.flow.receive.verify import Opened, contradiction
from node.model.envelope import Envelope
from node.model.header import PacketHeader
from node.model.mesh import Parcel
from node.model.reason import Reason
from node.seal.body import BodyOpener, open_body
from node.seal.wrap import Wrapper


def content_key_of(parcel: Parcel, node_id: str, wrapper: Wrapper) -> bytes:
    """Unlock a parcel's content key. Raises Denied(BODY_UNREADABLE)."""
    if parcel.key_wrap.node_id != node_id:
        raise Denied(Reason.BODY_UNREADABLE, f"the key is wrapped for {parcel.key_wrap.node_id!r}")
    return wrapper.unwrap(parcel.key_wrap, parcel.signed_envelope.sha256)


def open_parcel(parcel: Parcel, envelope: Envelope, body: bytes, node_id: str, wrapper: Wrapper) -> Opened:
    """Open a whole body. Raises Denied(BODY_DIGEST_DIFFERS or BODY_UNREADABLE)."""
    content_key = content_key_of(parcel, node_id, wrapper)
    packet, packet_sha256 = open_body(content_key, envelope.body, body)
    try:
        header = read_header(packet)
    except Rejected as fault:
        return Opened(None, b"", fault.reason)
    return opened(envelope, header, content_key, packet_sha256)


class LargeOpening:
    """Opens a body piece by piece, keeping nothing but the header."""

    def __init__(self, parcel: Parcel, envelope: Envelope, node_id: str, wrapper: Wrapper) -> None:
        self._content_key = content_key_of(parcel, node_id, wrapper)
        self._envelope = envelope
        self._opener = BodyOpener(self._content_key, envelope.body)
        self._reader = HeaderReader()
        self._refusal = Reason.NONE

    def feed(self, data: bytes) -> None:
        """Take the next ciphertext. Raises Denied(BODY_UNREADABLE)."""
        self._read(self._opener.update(data))

    def finish(self) -> Opened:
        """Check that the body is complete. Raises Denied(BODY_DIGEST_DIFFERS or BODY_UNREADABLE)."""
        self._opener.finish()
        if self._refusal is not Reason.NONE:
            return Opened(None, b"", self._refusal)
        try:
            header = self._reader.finish()
        except Rejected as fault:
            return Opened(None, b"", fault.reason)
        return opened(self._envelope, header, self._content_key, self._opener.packet_sha256)

    def _read(self, packet: bytes) -> None:
        # A packet that cannot be read is refused with a receipt, but only once the body has proved to be the origin's.
        if self._refusal is not Reason.NONE:
            return
        try:
            self._reader.feed(packet)
        except Rejected as fault:
            self._refusal = fault.reason


def opened(envelope: Envelope, header: PacketHeader, content_key: bytes, packet_sha256: bytes) -> Opened:
    """Compare a packet with its envelope."""
    refusal = contradiction(envelope, header)
    if refusal is not Reason.NONE:
        return Opened(None, b"", refusal)
    return Opened(header, sealed_header(content_key, header, packet_sha256))
