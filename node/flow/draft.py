"""Draft: reading and encrypting a packet that is being handed in, in one pass over its octets.

A small packet is read and encrypted at once. A large one flows through: each piece is read, hashed and encrypted and leaves as
ciphertext, so that memory does not grow with the document (law 5). Nothing is decided here; what is wrong with the XML is raised
by the reader as soon as it is seen.
"""

from dataclasses import dataclass

from node.edxml.reader import HeaderReader, read_header
from node.model.envelope import SEGMENT_BYTES, BodyRef
from node.model.header import PacketHeader
from node.seal.body import BodySealer, seal_body


@dataclass(frozen=True, slots=True)
class Sealed:
    """A packet that was read and encrypted. `body` is None if the ciphertext has flowed into a file."""

    header: PacketHeader
    packet_sha256: bytes
    content_key: bytes
    body: bytes | None
    body_ref: BodyRef


def seal_small(packet: bytes, content_key: bytes) -> Sealed:
    """Read and encrypt a whole packet. Raises Rejected for what the reader refuses."""
    header = read_header(packet)
    body, body_ref, packet_sha256 = seal_body(content_key, packet)
    return Sealed(header, packet_sha256, content_key, body, body_ref)


class LargeSeal:
    """Reads and encrypts a packet piece by piece."""

    def __init__(self, content_key: bytes) -> None:
        self._content_key = content_key
        self._reader = HeaderReader()
        self._sealer = BodySealer(content_key, SEGMENT_BYTES)

    def feed(self, data: bytes) -> bytes:
        """Take the next octets, return ciphertext that is ready. Raises Rejected for what the reader refuses."""
        self._reader.feed(data)
        return self._sealer.update(data)

    def finish(self) -> tuple[bytes, Sealed]:
        """Return the last ciphertext and what was learnt."""
        header = self._reader.finish()
        rest = self._sealer.finish()
        return rest, Sealed(header, self._sealer.packet_sha256, self._content_key, None, self._sealer.body_ref())
