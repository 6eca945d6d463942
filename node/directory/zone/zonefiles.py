"""Zone files, as a node's operator hands them to the authority: a join request or a zone update, and how each is checked.

Both are one file with the node's role metadata and every file it signs, by the paths of layout.py. Everything is checked here
before the authority takes anything: signature, digests, paths, content. All faults are Broken(DIRECTORY_INVALID) with the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from node.directory.grant import Grant, longer_prefixes
from node.directory.layout import LEAVES_PER_NODE_MAX, check_node_id, node_target, role_path, target_path, zone_target
from node.directory.rules import check_node_file, check_not_cut_off, check_zone_file, refuse
from node.directory.signing import expires, key_from_json, time_ms
from node.directory.tufapi import (
    Key,
    LengthOrHashMismatchError,
    Metadata,
    RepositoryError,
    SslibError,
    SSlibKey,
    Targets,
)
from node.errors import Rejected
from node.model.code import Code, parse_code, parse_leaf
from node.wire.truc.v1 import directory_pb2 as pb


@dataclass(frozen=True, slots=True)
class SignedZone:
    """A node's verified files by path, with the version and expiry of the role metadata that signs them."""

    version: int
    expire_at_ms: int
    node: pb.NodeFile
    files: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Join:
    """A join request in words, not yet judged."""

    node_id: str
    name: str
    key: SSlibKey
    prefixes: list[Code]
    files: Mapping[str, bytes]
    consents: tuple[pb.SignedConsent, ...] = ()
    leaves: tuple[Code, ...] = ()


def read_join(data: bytes) -> Join:
    """Read a join request."""
    try:
        request = pb.JoinRequest.FromString(data)
    except DecodeError:
        refuse("join request", "cannot be read")
    node_id = check_node_id(request.node.node_id)
    try:
        prefixes = [parse_code(prefix) for prefix in request.prefixes]
        leaves = tuple(parse_leaf(code) for code in request.leaves[: LEAVES_PER_NODE_MAX + 1])
    except Rejected as error:
        refuse("join request", error.detail)
    if len(leaves) > LEAVES_PER_NODE_MAX:
        refuse("join request", f"asks for {len(request.leaves)} opaque codes, at most {LEAVES_PER_NODE_MAX}")
    key, consents = key_from_json(request.zone_key), tuple(request.consents)
    return Join(node_id, request.node.name, key, prefixes, dict(request.files), consents, leaves)


def read_update(data: bytes) -> tuple[str, Mapping[str, bytes]]:
    """Read a zone update; return (node id, files by path), not yet judged."""
    try:
        update = pb.ZoneUpdate.FromString(data)
    except DecodeError:
        refuse("zone update", "cannot be read")
    return check_node_id(update.node_id), dict(update.files)


def check_signed_zone(
    files: Mapping[str, bytes], grant: Grant, key: Key, granted: list[Code], now_ms: int
) -> SignedZone:
    """Verify a node's files, by path, against its grant and zone key; `granted` are all prefixes granted to anybody."""
    role = _role(files.get(role_path(grant.node_id), b""), grant.node_id, key)
    if role.is_expired(expires(now_ms, 0)):
        refuse(role_path(grant.node_id), f"has run out on {role.expires:%Y-%m-%d}")
    found = {role_path(grant.node_id): files[role_path(grant.node_id)]}
    for target, info in role.targets.items():
        if target not in grant.targets():
            refuse(role_path(grant.node_id), f"signs {target}, which is not granted to {grant.node_id}")
        found[target_path(target)] = data = files.get(target_path(target), b"")
        try:
            info.verify_length_and_hashes(data)
        except LengthOrHashMismatchError as error:
            refuse(target, str(error))
    if strange := sorted(set(files) - set(found)):
        refuse(strange[0], f"is not signed by {grant.node_id}")
    return SignedZone(role.version, time_ms(role.expires), _check_content(found, grant, granted), found)


def _check_content(found: Mapping[str, bytes], grant: Grant, granted: list[Code]) -> pb.NodeFile:
    node = check_node_file(found.get(target_path(node_target(grant.node_id)), b""), grant.node_id)
    granted_leaves = {leaf.text for leaf in grant.leaves}
    for unit in node.leaves:
        if unit.code not in granted_leaves:
            refuse(node_target(grant.node_id), f"lists {unit.code}, which is not granted to {grant.node_id}")
    for prefix in grant.prefixes:
        data = found.get(target_path(zone_target(prefix)))
        if data is not None:
            check_not_cut_off(check_zone_file(data, prefix, grant.node_id), longer_prefixes(granted, prefix))
    return node


def _role(data: bytes, node_id: str, key: Key) -> Targets:
    """Read role metadata and check the node's signature on it."""
    where = role_path(node_id)
    try:
        metadata = Metadata[Targets].from_bytes(data)
        if not isinstance(metadata.signed, Targets) or metadata.signed.delegations is not None:
            refuse(where, "is not metadata that only lists files")
        if key.keyid not in metadata.signatures:
            refuse(where, f"is not signed with the key granted to {node_id}")
        key.verify_signature(metadata.signatures[key.keyid], metadata.signed_bytes)
    except (RepositoryError, SslibError) as error:
        refuse(where, str(error))
    return metadata.signed
