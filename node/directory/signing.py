"""Signing: the directory's keys, PEM files of mode 0600, and TUF metadata signed with them.

A key's id is the SHA-256 of its 32 raw octets, as everywhere in truc. TUF does not check that, so we do: all nodes' keys stand in
one table of the authority's `targets`, where a key under another's id would take that other's place.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from node.directory.files import disk_faults, write_file
from node.directory.tufapi import CryptoSigner, Key, Metadata, Root, Snapshot, SslibError, SSlibKey, Targets, Timestamp
from node.errors import Broken
from node.model.reason import Reason

_ED25519 = "ed25519"
_Signed = TypeVar("_Signed", Root, Timestamp, Snapshot, Targets)


def key_of(public_hex: str) -> SSlibKey:
    """Return an Ed25519 public key under its proper id. Raises Broken(DIRECTORY_INVALID) unless it is 32 octets in hex."""
    try:
        raw = bytes.fromhex(public_hex)
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise Broken(Reason.DIRECTORY_INVALID, "a zone key is not 32 octets of Ed25519")
    return SSlibKey(hashlib.sha256(raw).hexdigest(), _ED25519, _ED25519, {"public": raw.hex()})


def key_to_json(key: Key) -> bytes:
    """Return a public key as it stands in a join request and beside the zone key: TUF's JSON, with the key's id."""
    return json.dumps({"keyid": key.keyid, **key.to_dict()}, sort_keys=True).encode()


def key_from_json(data: bytes) -> SSlibKey:
    """Read a public key; only Ed25519, only under its proper id. Raises Broken(DIRECTORY_INVALID)."""
    try:
        said = json.loads(data)
        key = key_of(str(said["keyval"]["public"]))
        proper = said["keyid"] == key.keyid and said["keytype"] == said["scheme"] == _ED25519
    except (ValueError, KeyError, TypeError) as error:
        raise Broken(Reason.DIRECTORY_INVALID, "the zone key is not a TUF key in JSON") from error
    if not proper:
        raise Broken(Reason.DIRECTORY_INVALID, "the zone key's id is not the digest of the key")
    return key


def create_key(path: Path) -> SSlibKey:
    """Make an Ed25519 key, write the private one (PEM, mode 0600) and return the public one."""
    signer = CryptoSigner.generate_ed25519()
    write_file(path, signer.private_bytes, mode=0o600)
    return key_of(signer.public_key.keyval["public"])


def open_signer(path: Path, key: Key) -> CryptoSigner:
    """Open the private key of `key`.

    Raises Broken: KEY_FILE_MISSING, KEY_FILE_EXPOSED (others than the owner can read it), KEY_UNUSABLE (not that key), IO_FAILED.
    """
    if not path.exists():
        raise Broken(Reason.KEY_FILE_MISSING, str(path))
    with disk_faults(path), path.open("rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise Broken(Reason.KEY_FILE_EXPOSED, str(path))
        try:
            # securesystemslib wants a URI, which cannot hold every path; the open file's own name always fits.
            return CryptoSigner.from_priv_key_uri(f"file2:/dev/fd/{file.fileno()}", key)
        except (ValueError, TypeError, SslibError) as error:
            raise Broken(Reason.KEY_UNUSABLE, str(path)) from error


def expires(now_ms: int, days: int) -> datetime:
    """Return when something signed now runs out; whole seconds, UTC, as TUF writes it."""
    return datetime.fromtimestamp(now_ms // 1000, UTC) + timedelta(days=days)


def time_ms(moment: datetime) -> int:
    """Return milliseconds since 1970 UTC."""
    return round(moment.timestamp() * 1000)


def signed(word: _Signed, signers: Iterable[CryptoSigner]) -> bytes:
    """Return TUF metadata (JSON) signed by each of the signers."""
    metadata = Metadata(word)
    for signer in signers:
        metadata.sign(signer, append=True)
    return metadata.to_bytes()
