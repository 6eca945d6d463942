"""Wraps: the content key of a packet, locked for one node.

One HPKE encapsulation costs two elliptic-curve operations, but a packet's own part should cost next to nothing. So a random wrapping
key travels by HPKE to each recipient's public key (Keys.encapsulate) and locks many content keys, each by AES-256-GCM:

    wrapped_key     = nonce (12 octets) | AES-256-GCM(wrapping key, nonce, content key)
    associated data = SHA-256 of the envelope's bytes | node id

The associated data ties the wrap to its envelope and its node: moved to another it does not open. The nonce is a counter over
the uses of one wrapping key. It cannot repeat: a wrapping key lives in the memory of one Wrapper only, is never written down,
and is thrown away with its counter. Uses and age are bounded, so that one wrapping key never stands for more than a few minutes.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from node.errors import Denied
from node.model.envelope import KeyWrap
from node.model.reason import Reason
from node.ports import Keys
from node.seal.body import CONTENT_KEY_BYTES
from node.seal.public import key_id_of

NONCE_BYTES = 12
WRAPPED_KEY_BYTES = NONCE_BYTES + CONTENT_KEY_BYTES + 16
REMEMBERED_MAX = 4_096
"""Wrapping keys kept on either side, the least recently used leaving first; some 600 octets each."""


class Wrapper:
    """Wraps and unwraps content keys with a node's Keys. Safe to be called from several threads."""

    def __init__(
        self, keys: Keys, now_ms: Callable[[], int], *, uses_max: int = 4_096, age_max_ms: int = 600_000
    ) -> None:
        """Share an encapsulation for at most `uses_max` wraps and `age_max_ms` milliseconds of the given wall clock."""
        self._keys, self._now_ms = keys, now_ms
        self._uses_max, self._age_max_ms = uses_max, age_max_ms
        self._shared: OrderedDict[bytes, _Shared] = OrderedDict()
        self._lock = threading.Lock()
        self._cipher_of = lru_cache(maxsize=REMEMBERED_MAX)(self._decapsulate)

    def wrap(self, content_key: bytes, node_id: str, public_key: bytes, envelope_sha256: bytes) -> KeyWrap:
        """Lock a content key for the node that holds `public_key` (raw X25519), for this envelope only.

        Raises Broken(DIRECTORY_INVALID) if that is not a usable public key.
        """
        assert len(content_key) == CONTENT_KEY_BYTES
        shared, nonce = self._take(public_key)
        locked = shared.cipher.encrypt(nonce, content_key, _bound_to(envelope_sha256, node_id))
        return KeyWrap(node_id, key_id_of(public_key), shared.encapsulation, nonce + locked)

    def unwrap(self, wrap: KeyWrap, envelope_sha256: bytes) -> bytes:
        """Return the content key. Raises Denied(BODY_UNREADABLE) if the wrap is not for this node, envelope or our keys."""
        if wrap.node_id != self._keys.node_id or len(wrap.wrapped_key) != WRAPPED_KEY_BYTES:
            raise Denied(Reason.BODY_UNREADABLE, f"a key wrapped for {wrap.node_id[:64]!r}")
        cipher = self._cipher_of(wrap.key_id, wrap.encapsulation)
        nonce, locked = wrap.wrapped_key[:NONCE_BYTES], wrap.wrapped_key[NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, locked, _bound_to(envelope_sha256, wrap.node_id))
        except InvalidTag as error:
            raise Denied(Reason.BODY_UNREADABLE, "the wrapped key does not open for this envelope") from error

    def _take(self, public_key: bytes) -> tuple["_Shared", bytes]:
        """Return a wrapping key and a nonce that nobody else has been given."""
        with self._lock:
            now_ms = self._now_ms()
            shared = self._shared.get(public_key)
            if shared is None or not self._is_fresh(shared, now_ms):
                shared = self._shared[public_key] = _Shared(*self._keys.encapsulate(public_key), now_ms)
            self._shared.move_to_end(public_key)
            if len(self._shared) > REMEMBERED_MAX:
                self._shared.popitem(last=False)
            shared.uses += 1
            return shared, shared.uses.to_bytes(NONCE_BYTES, "big")

    def _is_fresh(self, shared: "_Shared", now_ms: int) -> bool:
        # A clock that jumped back makes the age negative: take a new key rather than an old one for ever.
        return shared.uses < self._uses_max and 0 <= now_ms - shared.since_ms < self._age_max_ms

    def _decapsulate(self, key_id: bytes, encapsulation: bytes) -> AESGCM:
        return AESGCM(self._keys.decapsulate(key_id, encapsulation))


class _Shared:
    """A wrapping key in use, with the encapsulation that carries it and its counter of uses."""

    __slots__ = ("cipher", "encapsulation", "since_ms", "uses")

    def __init__(self, wrapping_key: bytes, encapsulation: bytes, since_ms: int) -> None:
        self.cipher, self.encapsulation, self.since_ms, self.uses = AESGCM(wrapping_key), encapsulation, since_ms, 0


def _bound_to(envelope_sha256: bytes, node_id: str) -> bytes:
    assert len(envelope_sha256) == 32
    return envelope_sha256 + node_id.encode()
