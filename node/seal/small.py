"""Small stored things (the header summary of a packet) encrypted under the packet's content key, for the node's own disk.

The key is derived from content key and label (HKDF-Expand with SHA-256, RFC 5869 2.3; the content key is already uniform, so
there is nothing to extract), hence never the key of the body's segments nor of another label. The cipher is AES-256-GCM-SIV
(RFC 8452) with a nonce of zeros: it is made for repeated nonces and then tells only whether two plaintexts are equal. So no
nonce has to be kept, and a summary written again after a crash has the same octets. Deterministic and safe to call again.
"""

import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from node.errors import Denied
from node.model.reason import Reason
from node.seal.body import CONTENT_KEY_BYTES

HEADER_LABEL = b"truc header"

_INFO = b"truc small\0"
_NONCE = bytes(12)


def seal_small(content_key: bytes, label: bytes, data: bytes) -> bytes:
    """Encrypt `data` under a content key for one purpose, the label; 16 octets longer than it was."""
    return _cipher_of(content_key, label).encrypt(_NONCE, data, label)


def open_small(content_key: bytes, label: bytes, sealed: bytes) -> bytes:
    """Decrypt what `seal_small` made with the same key and label. Raises Denied(BODY_UNREADABLE)."""
    try:
        return _cipher_of(content_key, label).decrypt(_NONCE, sealed, label)
    except InvalidTag as error:
        raise Denied(Reason.BODY_UNREADABLE, f"{label.decode()} does not open") from error


def _cipher_of(content_key: bytes, label: bytes) -> AESGCMSIV:
    assert len(content_key) == CONTENT_KEY_BYTES
    return AESGCMSIV(hmac.digest(content_key, _INFO + label + b"\1", "sha256"))
