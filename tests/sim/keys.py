"""Private keys from the seed: real Ed25519 signatures, and an encapsulation that only the holder of the X25519 key can open.

Real HPKE draws from the operating system, so its octets would differ from run to run. Here the ephemeral key comes from the seed
and the wrapping key is SHA-256 over the X25519 secret: enough for nobody else to open it, and the same every time.
"""

import hashlib
import random
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from node.errors import Denied
from node.model.envelope import Signature
from node.model.reason import Reason
from node.seal.public import key_id_of
from node.seal.signature import sign_statements


class SimKeys:
    """The port `Keys`."""

    def __init__(self, node_id: str, numbers: random.Random) -> None:
        self._node_id = node_id
        self._numbers = numbers
        self._signing = Ed25519PrivateKey.from_private_bytes(numbers.randbytes(32))
        self._sealing = X25519PrivateKey.from_private_bytes(numbers.randbytes(32))
        self.signing_public = self._signing.public_key().public_bytes_raw()
        self.sealing_public = self._sealing.public_key().public_bytes_raw()

    @property
    def node_id(self) -> str:
        """Whose keys these are."""
        return self._node_id

    @property
    def signing_key_id(self) -> bytes:
        """The name of the key that signs."""
        return key_id_of(self.signing_public)

    def change_signing_key(self) -> bytes:
        """Sign with another key from now on; return its public half."""
        self._signing = Ed25519PrivateKey.from_private_bytes(self._numbers.randbytes(32))
        self.signing_public = self._signing.public_key().public_bytes_raw()
        return self.signing_public

    def sign(self, label: bytes, statements: Sequence[bytes]) -> list[Signature]:
        """Sign statements together."""
        return sign_statements(self._signing, label, statements)

    def encapsulate(self, public_key: bytes) -> tuple[bytes, bytes]:
        """Make a wrapping key for the holder of a public key."""
        ephemeral = X25519PrivateKey.from_private_bytes(self._numbers.randbytes(32))
        encapsulation = ephemeral.public_key().public_bytes_raw()
        secret = ephemeral.exchange(X25519PublicKey.from_public_bytes(public_key))
        return _wrapping_key(secret, encapsulation, public_key), encapsulation

    def decapsulate(self, key_id: bytes, encapsulation: bytes) -> bytes:
        """Return the wrapping key. Raises Denied(BODY_UNREADABLE) for another's."""
        if key_id != key_id_of(self.sealing_public):
            raise Denied(Reason.BODY_UNREADABLE, "sealed for another key")
        secret = self._sealing.exchange(X25519PublicKey.from_public_bytes(encapsulation))
        return _wrapping_key(secret, encapsulation, self.sealing_public)


def _wrapping_key(secret: bytes, encapsulation: bytes, public_key: bytes) -> bytes:
    return hashlib.sha256(b"sim wrap" + secret + encapsulation + public_key).digest()
