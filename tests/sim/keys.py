"""Private keys from the seed: real Ed25519 signatures, and an encapsulation that only the holder of the X25519 key can open.

Real HPKE draws from the operating system, so its octets would differ from run to run. Here the ephemeral key comes from the seed
and the wrapping key is SHA-256 over the X25519 secret: enough for nobody else to open it, and the same every time.

A node may hold several keys, the newest first. It signs with the newest that its own directory gives it for this time (`follow`), and
opens with all of them: a key is published before it is used, and an old one opens as long as the node lives.
"""

import hashlib
import random
from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from node.errors import Denied
from node.model.directory import NodeEntry
from node.model.envelope import Signature
from node.model.reason import Reason
from node.seal.public import is_usable, key_id_of
from node.seal.signature import sign_statements


class SimKeys:
    """The port `Keys`."""

    def __init__(self, node_id: str, numbers: random.Random) -> None:
        self._node_id = node_id
        self._numbers = numbers
        self._signing: dict[bytes, Ed25519PrivateKey] = {}
        self._sealing: dict[bytes, X25519PrivateKey] = {}
        self._own_entry: Callable[[], NodeEntry | None] = lambda: None
        self._now_ms: Callable[[], int] = lambda: 0
        self._forced = b""
        """The key to sign with whatever the directory says."""
        self.signing_public = self.add_signing_key()
        self.sealing_public = self.add_sealing_key()

    def add_signing_key(self) -> bytes:
        """Make one more key to sign with; return its public half. It is used when the directory says so."""
        key = Ed25519PrivateKey.from_private_bytes(self._numbers.randbytes(32))
        public = key.public_key().public_bytes_raw()
        self._signing[public] = key
        return public

    def add_sealing_key(self) -> bytes:
        """Make one more key to open with; return its public half."""
        key = X25519PrivateKey.from_private_bytes(self._numbers.randbytes(32))
        public = key.public_key().public_bytes_raw()
        self._sealing[public] = key
        return public

    def change_signing_key(self) -> bytes:
        """Sign with another key from now on, whatever the directory says; return its public half."""
        self.signing_public = self._forced = self.add_signing_key()
        return self.signing_public

    def follow(self, own_entry: Callable[[], NodeEntry | None], now_ms: Callable[[], int]) -> None:
        """Sign from now on with the key that the directory names for this node and this time."""
        self._own_entry, self._now_ms = own_entry, now_ms

    @property
    def node_id(self) -> str:
        """Whose keys these are."""
        return self._node_id

    @property
    def signing_key_id(self) -> bytes:
        """The name of the key that signs now."""
        return key_id_of(self._public_now())

    def _public_now(self) -> bytes:
        if self._forced:
            return self._forced
        entry, now_ms = self._own_entry(), self._now_ms()
        named = [key for key in entry.signing_keys if key.raw in self._signing] if entry is not None else []
        usable = [key for key in named if is_usable(key, now_ms)]
        newest = max(usable or named, key=lambda key: key.valid_from_ms, default=None)
        return newest.raw if newest is not None else self.signing_public

    def sign(self, label: bytes, statements: Sequence[bytes]) -> list[Signature]:
        """Sign statements together."""
        return sign_statements(self._signing[self._public_now()], label, statements)

    def encapsulate(self, public_key: bytes) -> tuple[bytes, bytes]:
        """Make a wrapping key for the holder of a public key."""
        ephemeral = X25519PrivateKey.from_private_bytes(self._numbers.randbytes(32))
        encapsulation = ephemeral.public_key().public_bytes_raw()
        secret = ephemeral.exchange(X25519PublicKey.from_public_bytes(public_key))
        return _wrapping_key(secret, encapsulation, public_key), encapsulation

    def decapsulate(self, key_id: bytes, encapsulation: bytes) -> bytes:
        """Return the wrapping key. Raises Denied(BODY_UNREADABLE) for another's."""
        public = next((one for one in self._sealing if key_id_of(one) == key_id), None)
        if public is None:
            raise Denied(Reason.BODY_UNREADABLE, "sealed for another key")
        secret = self._sealing[public].exchange(X25519PublicKey.from_public_bytes(encapsulation))
        return _wrapping_key(secret, encapsulation, public)


def _wrapping_key(secret: bytes, encapsulation: bytes, public_key: bytes) -> bytes:
    return hashlib.sha256(b"sim wrap" + secret + encapsulation + public_key).digest()
