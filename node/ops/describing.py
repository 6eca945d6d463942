"""Describing a node: what its zone tells the directory of it, brought up to date with its settings and keys.

Others go by the directory alone: what has changed here holds only when the zone says it and the authority has published it.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from node.model.directory import NodeEntry
from node.ops import key_times
from node.ops.home import Home, passphrase_of

if TYPE_CHECKING:
    from node.seal.keyring import Keyring


def describe_anew(
    place: Home, now_ms: int, *, overlap_ms: int = key_times.OVERLAP_MS, revoke: Collection[str] = ()
) -> bool:
    """Bring the zone's description of the node up to date with node.toml and keys/; return whether anything changed.

    A new signing or sealing key begins after the overlap; of the kinds in `revoke` only the newest is listed (key_times.py). Raises what
    reading settings, keys, zone and directory raises.
    """
    from node.directory.trust.trust import TrustedFolder
    from node.seal import next_tls
    from node.seal.keyring import load_keys
    from node.seal.tls import load_tls

    settings, before = place.settings(), described(place)
    passphrase = passphrase_of(settings)
    held = load_keys(place.keys, settings.node_id, passphrase).public_keys()
    entry = TrustedFolder(place.directory).load().nodes.get(settings.node_id)
    signing, sealing = (entry.signing_keys, entry.sealing_keys) if entry else ((), ())
    keep_ms = key_times.keep_signing_ms(settings.policy())
    now = replace(
        before,
        name=settings.name,
        mesh_address=settings.mesh.advertise,
        tls_certificates=tuple(load_tls(folder, passphrase).certificate_der for folder in next_tls.folders(place.keys)),
        signing_keys=key_times.listed(
            before.signing_keys,
            signing,
            held.signing,
            now_ms,
            overlap_ms=overlap_ms,
            keep_ms=keep_ms,
            revoke="signing" in revoke,
        ),
        sealing_keys=key_times.listed(
            before.sealing_keys, sealing, held.sealing, now_ms, overlap_ms=overlap_ms, revoke="sealing" in revoke
        ),
    )
    if now != before:
        with place.editing_zone() as zone:
            zone.set_node(now)
    return now != before


def described(place: Home) -> NodeEntry:
    """Return the node as its own zone describes it. Raises Broken(HOME_MISSING), Broken(DIRECTORY_INVALID)."""
    from node.directory.files import read_file
    from node.directory.rules import check_node_file
    from node.directory.translate import node_entry

    zone = place.zone_editor()
    return node_entry(check_node_file(read_file(place.zone / "node") or b"", zone.node_id), frozenset())


def sealing_key_in_use(place: Home, keys: "Keyring", now_ms: int) -> bytes:
    """Return the public key for which secrets of this node are sealed: one that the running process has already."""
    from node.directory.trust.trust import TrustedFolder
    from node.seal.public import sealing_key_of

    entry, held = TrustedFolder(place.directory).load().nodes.get(keys.node_id), keys.public_keys().sealing
    used = sealing_key_of(entry, now_ms) if entry is not None else None
    return used if used in held and used is not None else held[-1]
