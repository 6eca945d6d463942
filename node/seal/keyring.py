"""Keyring: this node's private keys, from files: those that sign, and those that open what was sealed for it.

    keys/sign.pem         Ed25519     signs envelopes and receipts; the first one
    keys/sign-0002.pem    Ed25519     the following ones: each signs from the time on that the directory gives it
    keys/seal-0001.pem    X25519      opens key wraps; peers seal for the one whose time it is, the older ones still open

A key is published before it is used (decision 0014). So the ring asks the directory, at every signing, which of the keys that it holds
is the newest whose time has come: a change needs no restart, and no timer. While the directory names none of them (the node is not
admitted yet, or its key file is damaged) the first one signs; health says so.

PKCS8 PEM, mode 0600, encrypted if there is a passphrase. OpenSSL stretches a passphrase with PBKDF2 in 2,048 rounds only
(`cryptography` offers no other for PKCS8), so it has to be a long random one from a credential store, not a word people know.
An old sealing key stays as long as there are bodies and headers wrapped for it. Nothing here shows key octets: not repr, not a fault.
"""

import re
import secrets
from collections.abc import Callable, Sequence
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
from node.model.directory import NodeEntry
from node.model.envelope import Signature
from node.model.reason import Reason
from node.seal.files import make_folder, read_private, write_new
from node.seal.public import key_id_of, key_to_sign_with, sealing_key_of, signing_key_of
from node.seal.signature import sign_statements

SIGN_FILE = "sign.pem"
"""The first signing key; the following ones have numbers."""
WRAPPING_KEY_BYTES = 32
HPKE_INFO = b"truc key wrap v1"

_SIGN_FILE = re.compile(r"sign-([0-9]{4})\.pem")
_SEAL_FILE = re.compile(r"seal-([0-9]{4})\.pem")
_HPKE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


class PublicKeys(NamedTuple):
    """Raw public keys (32 octets each), the newest first."""

    signing: tuple[bytes, ...]
    sealing: tuple[bytes, ...]


class _Choice(NamedTuple):
    """The key that signs by an entry of the directory, from one time until another."""

    entry: NodeEntry | None
    from_ms: int
    until_ms: int
    key_id: bytes


class Keyring:
    """The port Keys over keys in memory."""

    def __init__(
        self, node_id: str, sign_keys: Sequence[Ed25519PrivateKey], seal_keys: Sequence[X25519PrivateKey]
    ) -> None:
        """Hold the keys of a node, the newest first; at least one of each kind."""
        assert sign_keys
        assert seal_keys
        self._node_id = node_id
        self._sign_keys = {key_id_of(key.public_key().public_bytes_raw()): key for key in sign_keys}
        self._seal_keys = {key_id_of(key.public_key().public_bytes_raw()): key for key in seal_keys}
        self._choice: _Choice | None = None
        self._own_entry: Callable[[], NodeEntry | None] = lambda: None
        self._now_ms: Callable[[], int] = lambda: 0

    def __repr__(self) -> str:
        return f"Keyring({self._node_id!r}, sign {self.signing_key_id.hex()[:16]})"

    def follow(self, own_entry: Callable[[], NodeEntry | None], now_ms: Callable[[], int]) -> None:
        """Sign from now on with the key that the directory names for this node and this time."""
        self._own_entry, self._now_ms = own_entry, now_ms

    def lacks(self, entry: NodeEntry) -> bool:
        """Tell whether the directory names a key of ours that is not in the ring: it may have come to the disk since."""
        signing = any(key_id_of(key.raw) not in self._sign_keys for key in entry.signing_keys)
        return signing or any(key_id_of(key.raw) not in self._seal_keys for key in entry.sealing_keys)

    @property
    def is_named(self) -> bool:
        """False if others do not believe what this node signs now, or seal for a key that it does not have, by the directory.

        True if the directory does not know the node at all: that is another matter.
        """
        entry, now_ms = self._own_entry(), self._now_ms()
        if entry is None:
            return True
        sealing = sealing_key_of(entry, now_ms)
        signs = signing_key_of(entry, self.signing_key_id, (now_ms,)) is not None
        return signs and sealing is not None and key_id_of(sealing) in self._seal_keys

    def take_in(self, other: "Keyring") -> None:
        """Hold the keys of another ring of the same node, too; those held before stay."""
        assert other.node_id == self._node_id
        self._sign_keys = other._sign_keys | self._sign_keys
        self._seal_keys = other._seal_keys | self._seal_keys
        self._choice = None

    @property
    def node_id(self) -> str:
        """The node whose keys these are."""
        return self._node_id

    def public_keys(self) -> PublicKeys:
        """Return the public halves."""
        signing = tuple(key.public_key().public_bytes_raw() for key in self._sign_keys.values())
        return PublicKeys(signing, tuple(key.public_key().public_bytes_raw() for key in self._seal_keys.values()))

    @property
    def signing_key_id(self) -> bytes:
        """The name of the key that signs now."""
        entry, now_ms = self._own_entry(), self._now_ms()
        choice = self._choice
        if choice is None or choice.entry is not entry or not choice.from_ms <= now_ms < choice.until_ms:
            choice = self._choice = self._choose(entry, now_ms)
        return choice.key_id

    def _choose(self, entry: NodeEntry | None, now_ms: int) -> "_Choice":
        """Choose the key that signs. It is asked for with every packet, so the choice is kept until a key begins or ends."""
        chosen = key_to_sign_with(entry, self._sign_keys, now_ms) if entry is not None else None
        named = entry.signing_keys if entry is not None else ()
        turns = [at_ms for key in named for at_ms in (key.valid_from_ms, key.valid_to_ms + 1) if at_ms > now_ms]
        return _Choice(entry, now_ms, min(turns, default=1 << 63), chosen or list(self._sign_keys)[-1])

    def sign(self, label: bytes, statements: Sequence[bytes]) -> list[Signature]:
        """Sign 1 to 4,096 statements with one private-key operation; signatures in order."""
        return sign_statements(self._sign_keys[self.signing_key_id], label, statements)

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


def add_signing_key(folder: Path, passphrase: bytes | None) -> Path:
    """Make the next signing key beside the older ones; return its file. Publish it before it is used."""
    newest = max(_numbers(folder, _SIGN_FILE), default=1)
    path = folder / _sign_file(newest + 1)
    write_new(path, _pem_of(Ed25519PrivateKey.generate(), passphrase))
    return path


def newest_signing_file(folder: Path) -> Path:
    """Return the file of the signing key that was made last."""
    return _sign_files(folder)[0]


def newest_sealing_file(folder: Path) -> Path:
    """Return the file of the sealing key that was made last."""
    return folder / _seal_file(max(_numbers(folder, _SEAL_FILE), default=1))


def signing_files(folder: Path, passphrase: bytes | None) -> dict[bytes, Path]:
    """Return the file of each signing key by its raw public key, the newest first. Faults as in `load_keys`."""
    return {_load_sign_key(path, passphrase).public_key().public_bytes_raw(): path for path in _sign_files(folder)}


def add_sealing_key(folder: Path, passphrase: bytes | None) -> Path:
    """Make the next sealing key beside the older ones, which still open; return its file. Publish it before it is used."""
    newest = max(_numbers(folder, _SEAL_FILE), default=0)
    path = folder / _seal_file(newest + 1)
    write_new(path, _pem_of(X25519PrivateKey.generate(), passphrase))
    return path


def load_keys(folder: Path, node_id: str, passphrase: bytes | None) -> Keyring:
    """Read a node's keys.

    Raises Broken: KEY_FILE_MISSING, KEY_FILE_EXPOSED or KEY_UNUSABLE (passphrase missing, wrong or set for a key that is not
    encrypted; key of another kind). The detail names the file.
    """
    signing = [_load_sign_key(path, passphrase) for path in _sign_files(folder)]
    numbers = sorted(_numbers(folder, _SEAL_FILE), reverse=True) or [1]
    return Keyring(node_id, signing, [_load_seal_key(folder / _seal_file(number), passphrase) for number in numbers])


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


def _load_sign_key(path: Path, passphrase: bytes | None) -> Ed25519PrivateKey:
    key = load_private_key(path, passphrase)
    if not isinstance(key, Ed25519PrivateKey):
        raise Broken(Reason.KEY_UNUSABLE, f"{path} is no Ed25519 key")
    return key


def _load_seal_key(path: Path, passphrase: bytes | None) -> X25519PrivateKey:
    key = load_private_key(path, passphrase)
    if not isinstance(key, X25519PrivateKey):
        raise Broken(Reason.KEY_UNUSABLE, f"{path} is no X25519 key")
    return key


def _pem_of(key: Ed25519PrivateKey | X25519PrivateKey, passphrase: bytes | None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption_of(passphrase))


def _sign_files(folder: Path) -> list[Path]:
    """Return the files of signing keys, the newest first. The first one may be gone once others have followed it."""
    later = [folder / _sign_file(number) for number in sorted(_numbers(folder, _SIGN_FILE), reverse=True)]
    first = folder / SIGN_FILE
    return [*later, *([first] if first.exists() or not later else [])]


def _sign_file(number: int) -> str:
    return f"sign-{number:04}.pem"


def _seal_file(number: int) -> str:
    return f"seal-{number:04}.pem"


def _numbers(folder: Path, pattern: re.Pattern[str]) -> list[int]:
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError as error:
        raise Broken(Reason.KEY_FILE_MISSING, f"{folder}: {error.strerror}") from error
    return [int(match[1]) for name in names if (match := pattern.fullmatch(name))]
