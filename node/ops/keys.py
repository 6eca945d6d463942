"""Key files of a node after its first day: a new TLS certificate, a passphrase for all private keys.

A TLS certificate is replaced without a moment in which the others refuse the node (node/seal/next_tls.py). `renew` goes a step, or says
what the next one is:

    CURRENT    good for long enough          nothing; unless it is asked for all the same
    PREPARED   made now, waiting             publish
    WAITING    the directory lacks it        publish, or wait until the authority has published
    READY      the directory lists it        restart the node: it takes the new one

Signing and sealing keys turn in the same way (`rotate`; key_times.py), but without a restart: the running node takes them from the disk
when the directory names them, and uses each from its beginning on:

    SCHEDULED  the directory lists it        nothing: it begins by itself

Every step may be cut short and done again.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from node.config.settings import Settings
from node.directory.trust.trust import TrustedFolder
from node.model.directory import NodeEntry, PublicKey
from node.model.policy import DAY_MS
from node.ops import key_times
from node.ops.describing import describe_anew, described
from node.ops.home import Home, passphrase_of
from node.ops.making import CERTIFICATE_DAYS, certificate_hosts
from node.seal import next_tls
from node.seal.files import replace_file
from node.seal.keyring import (
    add_sealing_key,
    add_signing_key,
    load_keys,
    newest_sealing_file,
    newest_signing_file,
    signing_files,
    under_passphrase,
)
from node.seal.tls import create_certificate, load_tls, not_after_ms, write_tls

CURRENT, PREPARED, WAITING, READY, SCHEDULED = "current", "prepared", "waiting", "ready", "scheduled"
SIGNING, SEALING, TLS = "signing", "sealing", "tls"
KINDS = (SIGNING, SEALING, TLS)
EARLY_MS = 90 * DAY_MS
"""How long before its end a certificate is replaced without being asked twice."""
PASSPHRASE_BYTES_MIN = 32
"""OpenSSL stretches a passphrase only little (node/seal/keyring.py): it has to be a random one, not a word."""


def renew(place: Home, settings: Settings, at_ms: int, *, even_early: bool = False) -> tuple[str, int]:
    """Go a step of the table above; return where we are and until when the certificate that it is about is valid.

    Raises what reading settings, keys, zone and directory raises, and what writing key files raises.
    """
    passphrase = passphrase_of(settings)
    in_use, *waiting = (load_tls(folder, passphrase).certificate_der for folder in next_tls.folders(place.keys))
    if waiting:
        listed = TrustedFolder(place.directory).load().certificates_of(settings.node_id)
        describe_anew(place, at_ms)
        return READY if waiting[0] in listed else WAITING, not_after_ms(waiting[0])
    if not even_early and not_after_ms(in_use) - at_ms > EARLY_MS:
        return CURRENT, not_after_ms(in_use)
    hosts = certificate_hosts(settings.mesh.advertise, settings.mesh.listen, settings.office.listen)
    made = create_certificate(settings.node_id, hosts, CERTIFICATE_DAYS, at_ms)
    write_tls(next_tls.next_folder(place.keys), made, passphrase)
    describe_anew(place, at_ms)
    return PREPARED, not_after_ms(made.certificate_der)


@dataclass(frozen=True, slots=True)
class Turn:
    """The state of one kind of key after a step.

    `at_ms`: when the newest key of the kind begins or began (0: always has been, or not told yet); of TLS until when it is good.
    """

    kind: str
    state: str
    at_ms: int


def rotate(
    place: Home,
    settings: Settings,
    at_ms: int,
    kinds: Collection[str] = KINDS,
    *,
    even_early: bool = False,
    revoke: bool = False,
    overlap_ms: int = key_times.OVERLAP_MS,
) -> list[Turn]:
    """Go a step with each kind of key; return where each is. Raises as `renew`.

    `revoke`: the old signing and sealing keys are listed no more from the next publication on; a new TLS certificate needs its start.
    """
    turns = []
    for kind in (kind for kind in (SIGNING, SEALING) if kind in kinds):
        state = _step(place, settings, kind, at_ms, even_early=even_early, revoke=revoke)
        describe_anew(place, at_ms, overlap_ms=overlap_ms, revoke=(kind,) if revoke else ())
        newest = max(_of_kind(described(place), kind), key=lambda key: key.valid_from_ms)
        turns.append(Turn(kind, state, newest.valid_from_ms))
    if SIGNING in kinds:
        _remove_forgotten(place, settings)
    if TLS in kinds:
        turns.append(Turn(TLS, *renew(place, settings, at_ms, even_early=even_early or revoke)))
    return turns


def _step(place: Home, settings: Settings, kind: str, at_ms: int, *, even_early: bool, revoke: bool) -> str:
    passphrase = passphrase_of(settings)
    held = load_keys(place.keys, settings.node_id, passphrase).public_keys()
    newest = (held.signing if kind == SIGNING else held.sealing)[0]
    entry = TrustedFolder(place.directory).load().nodes.get(settings.node_id)
    published = next((key for key in _of_kind(entry, kind) if key.raw == newest), None) if entry else None
    if published is None:
        return WAITING
    # Others have been told how the old key goes on until the new one begins: to take that back, there must be yet another.
    if published.valid_from_ms > at_ms and not revoke:
        return SCHEDULED
    file = (newest_signing_file if kind == SIGNING else newest_sealing_file)(place.keys)
    began_ms = published.valid_from_ms or file.stat().st_mtime_ns // 1_000_000
    if not (even_early or revoke) and at_ms - began_ms <= key_times.TURN_AFTER_MS:
        return CURRENT
    (add_signing_key if kind == SIGNING else add_sealing_key)(place.keys, passphrase)
    return PREPARED


def _of_kind(entry: NodeEntry, kind: str) -> tuple[PublicKey, ...]:
    return entry.signing_keys if kind == SIGNING else entry.sealing_keys


def _remove_forgotten(place: Home, settings: Settings) -> None:
    """Remove the files of signing keys that neither the zone nor the directory lists any more."""
    entry = TrustedFolder(place.directory).load().nodes.get(settings.node_id)
    listed = {key.raw for one in (described(place), entry) if one is not None for key in one.signing_keys}
    _, *older = signing_files(place.keys, passphrase_of(settings)).items()
    for raw, path in older:
        if raw not in listed:
            path.unlink()


def encrypt_keys(place: Home, settings: Settings, new: bytes) -> list[Path]:
    """Write every private key under a new passphrase; return the files that changed.

    Cut short between two files, it may be done again: what is under the new passphrase already stays as it is. Raises
    what reading and writing key files raises, before anything has changed if a key opens with neither.
    """
    now = passphrase_of(settings)
    changed = {path: pem for path in place.private_keys() if (pem := under_passphrase(path, now, new))}
    for path, pem in changed.items():
        replace_file(path, pem)
    return list(changed)
