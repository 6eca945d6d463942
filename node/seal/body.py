"""Body: a packet encrypted once for all its recipients, in segments, so that 500 MB need no more memory than 2 KB.

The construction is STREAM (Hoang, Reyhanitabar, Rogaway, Vizar 2015): every segment of `segment_bytes` plaintext octets (the last
one may be shorter) is encrypted by AES-256-GCM on its own under

    nonce = 7 zero octets | segment number (4 octets, big-endian) | 1 if it is the last, else 0

Segments can therefore not be left out, repeated, swapped or cut off at the end. A nonce never repeats under one key, because the
content key is fresh for each sealing: never seal twice under one key. AES-GCM alone does not bind the key (one ciphertext may open
under two keys); the envelope's content tag does: HMAC over the packet's digest under a key derived from the content key.
"""

import hashlib
import hmac
from collections.abc import Iterator
from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from node.errors import Denied, Rejected
from node.model.envelope import SEGMENT_BYTES, SEGMENT_TAG_BYTES, SUITE, BodyRef
from node.model.reason import Reason

CONTENT_KEY_BYTES = 32

_TAG_LABEL = b"truc content tag"
_PREFIX = bytes(7)


def segment_count(ref: BodyRef) -> int:
    """Return how many segments a body has."""
    return -(-ref.packet_bytes // ref.segment_bytes)


def segment_span(ref: BodyRef, index: int) -> tuple[int, int]:
    """Return (offset, size) of an encrypted segment in its body, in octets. Its plaintext begins at index * segment_bytes."""
    assert 0 <= index < segment_count(ref)
    stride = ref.segment_bytes + SEGMENT_TAG_BYTES
    return index * stride, min(stride, ref.body_bytes - index * stride)


def content_tag_of(content_key: bytes, packet_sha256: bytes) -> bytes:
    """Return the 32 octets that bind content key and plaintext together (envelope.proto, BodyRef.content_tag)."""
    tag_key = hashlib.sha256(_TAG_LABEL + content_key).digest()
    return hmac.digest(tag_key, packet_sha256, "sha256")


def seal_body(content_key: bytes, packet: bytes, segment_bytes: int = SEGMENT_BYTES) -> tuple[bytes, BodyRef, bytes]:
    """Encrypt a packet that is in memory; return (body, its reference, SHA-256 of the packet). See BodySealer."""
    sealer = BodySealer(content_key, segment_bytes)
    # Most packets have one segment; they need not be copied into a buffer first.
    is_short = 0 < len(packet) <= segment_bytes
    body = sealer.seal_only(packet) if is_short else sealer.update(packet) + sealer.finish()
    return body, sealer.body_ref(), sealer.packet_sha256


def open_body(content_key: bytes, ref: BodyRef, body: bytes) -> tuple[bytes, bytes]:
    """Decrypt a body that is in memory; return (packet, its SHA-256).

    Raises Denied(BODY_DIGEST_DIFFERS) if it is not the body that the envelope names, Denied(BODY_UNREADABLE) if it is and still
    does not open with this key to what the envelope says.
    """
    if len(body) != ref.body_bytes or hashlib.sha256(body).digest() != ref.body_sha256:
        raise Denied(Reason.BODY_DIGEST_DIFFERS, f"a body of {len(body)} octets")
    cipher = _cipher_for(content_key, ref)
    count = segment_count(ref)
    packet = _decrypt(cipher, 0, True, body) if count == 1 else b"".join(_segments_of(cipher, ref, body, count))
    packet_sha256 = hashlib.sha256(packet).digest()
    _check_tag(content_key, ref, packet_sha256)
    return packet, packet_sha256


def open_segment(content_key: bytes, ref: BodyRef, index: int, ciphertext: bytes) -> bytes:
    """Decrypt one segment by itself, for reading from the middle. Raises Denied(BODY_UNREADABLE).

    Success proves that these octets are that segment of that key's packet; the digests of the whole are not compared.
    """
    cipher = _cipher_for(content_key, ref)
    if not 0 <= index < segment_count(ref) or len(ciphertext) != segment_span(ref, index)[1]:
        _unreadable(f"segment {index} of {len(ciphertext)} octets")
    return _decrypt(cipher, index, index == segment_count(ref) - 1, ciphertext)


class BodySealer:
    """Encrypts a packet as it comes in. Holds back at most one segment, since the last one is marked."""

    def __init__(self, content_key: bytes, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Begin a packet under a fresh content key of 32 octets."""
        assert len(content_key) == CONTENT_KEY_BYTES
        self._key, self._cipher = content_key, AESGCM(content_key)
        self._segment_bytes = segment_bytes
        self._held = bytearray()
        self._packet_hash, self._body_hash = hashlib.sha256(), hashlib.sha256()
        self._packet_bytes = self._body_bytes = self._index = 0
        self._finished = False

    def update(self, data: bytes) -> bytes:
        """Take plaintext; return the ciphertext that is ready, perhaps none."""
        assert not self._finished
        self._packet_hash.update(data)
        self._packet_bytes += len(data)
        self._held += data
        # One octet at least is held back: the last segment is marked, and nobody knows yet whether more will come.
        whole = (len(self._held) - 1) // self._segment_bytes
        if whole < 1:
            return b""
        end = whole * self._segment_bytes
        with memoryview(self._held) as held:
            ready = [
                self._encrypt(held[at : at + self._segment_bytes], False) for at in range(0, end, self._segment_bytes)
            ]
        del self._held[:end]
        return b"".join(ready)

    def finish(self) -> bytes:
        """End the packet; return the last segment. Raises Rejected(PACKET_NOT_XML) if there was nothing at all."""
        assert not self._finished
        if not self._packet_bytes:
            raise Rejected(Reason.PACKET_NOT_XML, "the packet is empty")
        self._finished = True
        last, self._held = self._held, bytearray()
        return self._encrypt(last, True)

    def seal_only(self, packet: bytes) -> bytes:
        """Encrypt a packet of one segment without copying it: update and finish in one."""
        assert not self._packet_bytes
        assert 0 < len(packet) <= self._segment_bytes
        self._packet_hash.update(packet)
        self._packet_bytes, self._finished = len(packet), True
        return self._encrypt(packet, True)

    @property
    def packet_bytes(self) -> int:
        """Plaintext octets taken so far."""
        return self._packet_bytes

    @property
    def packet_sha256(self) -> bytes:
        """Digest of the plaintext taken so far."""
        return self._packet_hash.digest()

    def body_ref(self) -> BodyRef:
        """Return the finished body's reference, for the envelope."""
        assert self._finished
        return BodyRef(
            self._body_hash.digest(),
            self._body_bytes,
            self._packet_bytes,
            self._segment_bytes,
            SUITE,
            content_tag_of(self._key, self.packet_sha256),
        )

    def _encrypt(self, plaintext: bytes | bytearray | memoryview, last: bool) -> bytes:
        ciphertext = self._cipher.encrypt(_nonce(self._index, last), plaintext, None)
        self._index += 1
        self._body_bytes += len(ciphertext)
        self._body_hash.update(ciphertext)
        return ciphertext


class BodyOpener:
    """Decrypts a body as it comes in.

    `update` returns authentic octets of the packet so far. Only when `finish` has returned is it known that they are all of it, and
    that it is what the envelope says: a writer to the outside marks the end only then.
    """

    def __init__(self, content_key: bytes, ref: BodyRef) -> None:
        """Begin a body. Raises Denied(BODY_UNREADABLE) if the reference contradicts itself or is of another suite."""
        self._key, self._ref = content_key, ref
        self._cipher = _cipher_for(content_key, ref)
        self._count, self._index, self._body_bytes = segment_count(ref), 0, 0
        self._held = bytearray()
        self._packet_hash, self._body_hash = hashlib.sha256(), hashlib.sha256()

    def update(self, data: bytes) -> bytes:
        """Take ciphertext; return the plaintext that is ready, perhaps none.

        Raises Denied(BODY_UNREADABLE) for an altered segment, Denied(BODY_DIGEST_DIFFERS) for more octets than there are.
        """
        self._body_bytes += len(data)
        if self._body_bytes > self._ref.body_bytes:
            raise Denied(Reason.BODY_DIGEST_DIFFERS, f"more than {self._ref.body_bytes} octets")
        self._body_hash.update(data)
        self._held += data
        ready, at = [], 0
        with memoryview(self._held) as held:
            while self._index < self._count and at + (size := segment_span(self._ref, self._index)[1]) <= len(held):
                ready.append(self._open_next(held[at : at + size]))
                at += size
        del self._held[:at]
        return b"".join(ready)

    def finish(self) -> None:
        """Check the whole. Raises Denied(BODY_UNREADABLE) if it is cut short or not of this key, BODY_DIGEST_DIFFERS."""
        if self._index != self._count:
            _unreadable(f"it ends after {self._body_bytes} of {self._ref.body_bytes} octets")
        if self._body_hash.digest() != self._ref.body_sha256:
            raise Denied(Reason.BODY_DIGEST_DIFFERS, "the body's SHA-256 is another")
        _check_tag(self._key, self._ref, self.packet_sha256)

    @property
    def packet_sha256(self) -> bytes:
        """Digest of the plaintext so far."""
        return self._packet_hash.digest()

    def _open_next(self, ciphertext: memoryview) -> bytes:
        plaintext = _decrypt(self._cipher, self._index, self._index == self._count - 1, ciphertext)
        self._index += 1
        self._packet_hash.update(plaintext)
        return plaintext


def _segments_of(cipher: AESGCM, ref: BodyRef, body: bytes, count: int) -> Iterator[bytes]:
    whole = memoryview(body)
    for index in range(count):
        offset, size = segment_span(ref, index)
        yield _decrypt(cipher, index, index == count - 1, whole[offset : offset + size])


def _cipher_for(content_key: bytes, ref: BodyRef) -> AESGCM:
    """Return the content key's cipher if the reference is one that can be opened at all."""
    assert len(content_key) == CONTENT_KEY_BYTES
    if ref.suite != SUITE or ref.packet_bytes < 1 or ref.segment_bytes < 1:
        _unreadable(f"suite {ref.suite}, {ref.packet_bytes} octets in segments of {ref.segment_bytes}")
    if ref.body_bytes != ref.packet_bytes + segment_count(ref) * SEGMENT_TAG_BYTES:
        _unreadable("body_bytes does not follow from packet_bytes")
    return AESGCM(content_key)


def _nonce(index: int, last: bool) -> bytes:
    return _PREFIX + index.to_bytes(4, "big") + (b"\1" if last else b"\0")


def _decrypt(cipher: AESGCM, index: int, last: bool, ciphertext: bytes | memoryview) -> bytes:
    try:
        return cipher.decrypt(_nonce(index, last), ciphertext, None)
    except InvalidTag as error:
        raise Denied(Reason.BODY_UNREADABLE, f"segment {index} does not open") from error


def _check_tag(content_key: bytes, ref: BodyRef, packet_sha256: bytes) -> None:
    if not hmac.compare_digest(content_tag_of(content_key, packet_sha256), ref.content_tag):
        _unreadable("it decrypts to something else than the envelope says")


def _unreadable(detail: str) -> NoReturn:
    raise Denied(Reason.BODY_UNREADABLE, detail)
