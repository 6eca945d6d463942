"""Keyring: this node's private keys, from files: one that signs, and several that open what was sealed for it.

    keys/sign.pem         Ed25519     signs envelopes and receipts
    keys/seal-0001.pem    X25519      opens key wraps; the highest number is published, the older ones still open

PKCS8 PEM, mode 0600, encrypted if there is a passphrase. OpenSSL stretches a passphrase with PBKDF2 in 2,048 rounds only
(`cryptography` offers no other for PKCS8), so it has to be a long random one from a credential store, not a word people know.
An old sealing key stays until every body wrapped for it has ended. Nothing here shows key octets: not repr, not a fault.
"""

import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from node.errors import Broken, Denied
from node.model.envelope import Signature
from node.model.reason import Reason
from node.seal.files import make_folder, read_private, write_new
from node.seal.public import key_id_of
from node.seal.signature import sign_statements

SIGN_FILE = "sign.pem"
WRAPPING_KEY_BYTES = 32
HPKE_INFO = b"truc key wrap v1"

_SEAL_FILE = re.compile(r"seal-([0-9]{4})\.pem")
_HPKE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


class PublicKeys(NamedTuple):
    """Raw public keys (32 octets each) as the directory lists them; sealing keys the newest first."""

    signing: tuple[bytes, ...]
    sealing: tuple[bytes, ...]


class Keyring:
    """The port Keys over keys in memory."""

    def __init__(self, node_id: str, sign_key: Ed25519PrivateKey, seal_keys: Sequence[X25519PrivateKey]) -> None:
        """Hold the keys of a node; sealing keys the newest first, at least one."""
        assert seal_keys
        self._node_id, self._sign_key = node_id, sign_key
        self._seal_keys = {key_id_of(key.public_key().public_bytes_raw()): key for key in seal_keys}

    def __repr__(self) -> str:
        return f"Keyring({self._node_id!r}, sign {key_id_of(self.public_keys().signing[0]).hex()[:16]})"

    @property
    def node_id(self) -> str:
        """The node whose keys these are."""
        return self._node_id

    def public_keys(self) -> PublicKeys:
        """Return the public halves."""
        sealing = tuple(key.public_key().public_bytes_raw() for key in self._seal_keys.values())
        return PublicKeys((self._sign_key.public_key().public_bytes_raw(),), sealing)

    def sign(self, label: bytes, statements: Sequence[bytes]) -> list[Signature]:
        """Sign 1 to 4,096 statements with one private-key operation; signatures in order."""
        return sign_statements(self._sign_key, label, statements)

    def encapsulate(self, public_key: bytes) -> tuple[bytes, bytes]:
        """Make a fresh 32-octet wrapping key for the holder of an X25519 public key; return (wrapping key, encapsulation).

        Raises Broken(DIRECTORY_INVALID) if the directory gave something that is not a usable public key.
        """
        wrapping_key = secrets.token_bytes(WRAPPING_KEY_BYTES)
        try:
            recipient = X25519PublicKey.from_public_bytes(public_key)
            return wrapping_key, _HPKE.encrypt(wrapping_key, recipient, info=HPKE_INFO)
        except ValueError as error:
            raise Broken(Reason.DIRECTORY_INVALID, f"{public_key.hex()[:64]} is no usable X25519 key") from error

    def decapsulate(self, key_id: bytes, encapsulation: bytes) -> bytes:
        """Return the wrapping key that somebody encapsulated for this node. Raises Denied(BODY_UNREADABLE)."""
        key = self._seal_keys.get(key_id)
        if key is None:
            raise Denied(Reason.BODY_UNREADABLE, f"no sealing key {key_id.hex()[:16]}")
        try:
            wrapping_key = _HPKE.decrypt(encapsulation, key, info=HPKE_INFO)
        except (InvalidTag, ValueError) as error:
            raise Denied(Reason.BODY_UNREADABLE, "the encapsulation does not open") from error
        if len(wrapping_key) != WRAPPING_KEY_BYTES:
            raise Denied(Reason.BODY_UNREADABLE, f"a wrapping key of {len(wrapping_key)} octets")
        return wrapping_key


def create_keys(folder: Path, passphrase: bytes | None) -> None:
    """Make a node's keys in a folder. Raises Broken(ALREADY_EXISTS), Broken(IO_FAILED) or Deferred(DISK_FULL)."""
    make_folder(folder)
    write_new(folder / SIGN_FILE, _pem_of(Ed25519PrivateKey.generate(), passphrase))
    write_new(folder / _seal_file(1), _pem_of(X25519PrivateKey.generate(), passphrase))


def add_sealing_key(folder: Path, passphrase: bytes | None) -> Path:
    """Make the next sealing key beside the older ones, which still open; return its file. Publish it before it is used."""
    newest = max(_seal_numbers(folder), default=0)
    path = folder / _seal_file(newest + 1)
    write_new(path, _pem_of(X25519PrivateKey.generate(), passphrase))
    return path


def load_keys(folder: Path, node_id: str, passphrase: bytes | None) -> Keyring:
    """Read a node's keys.

    Raises Broken: KEY_FILE_MISSING, KEY_FILE_EXPOSED or KEY_UNUSABLE (passphrase missing, wrong or set for a key that is not
    encrypted; key of another kind). The detail names the file.
    """
    sign_key = load_private_key(folder / SIGN_FILE, passphrase)
    if not isinstance(sign_key, Ed25519PrivateKey):
        raise Broken(Reason.KEY_UNUSABLE, f"{folder / SIGN_FILE} is no Ed25519 key")
    numbers = sorted(_seal_numbers(folder), reverse=True) or [1]
    return Keyring(node_id, sign_key, [_load_seal_key(folder / _seal_file(number), passphrase) for number in numbers])


def load_private_key(path: Path, passphrase: bytes | None) -> PrivateKeyTypes:
    """Read a PEM private key of any kind; faults as in `load_keys`."""
    pem = read_private(path)
    try:
        return load_pem_private_key(pem, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        # TypeError: a passphrase is missing, or is set although the key lies there in the clear.
        raise Broken(Reason.KEY_UNUSABLE, f"{path}: {error}") from error


def under_passphrase(path: Path, now: bytes | None, new: bytes) -> bytes | None:
    """Return a private key file's content under another passphrase; None if it is under that one already.

    Faults as in `load_keys`. A file in the clear opens, too: a change that was cut short may leave one.
    """
    pem = read_private(path)
    for passphrase in dict.fromkeys((new, now, None)):
        try:
            key = load_pem_private_key(pem, passphrase)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            continue
        if passphrase == new:
            return None
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption_of(new))
    raise Broken(Reason.KEY_UNUSABLE, f"{path} opens with neither the passphrase in node.toml nor the new one")


def encryption_of(passphrase: bytes | None) -> KeySerializationEncryption:
    """Return the encryption with which a private key is written under this passphrase; none without one."""
    return BestAvailableEncryption(passphrase) if passphrase else NoEncryption()


def _load_seal_key(path: Path, passphrase: bytes | None) -> X25519PrivateKey:
    key = load_private_key(path, passphrase)
    if not isinstance(key, X25519PrivateKey):
        raise Broken(Reason.KEY_UNUSABLE, f"{path} is no X25519 key")
    return key


def _pem_of(key: Ed25519PrivateKey | X25519PrivateKey, passphrase: bytes | None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption_of(passphrase))


def _seal_file(number: int) -> str:
    return f"seal-{number:04}.pem"


def _seal_numbers(folder: Path) -> list[int]:
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError as error:
        raise Broken(Reason.KEY_FILE_MISSING, f"{folder}: {error.strerror}") from error
    return [int(match[1]) for name in names if (match := _SEAL_FILE.fullmatch(name))]
