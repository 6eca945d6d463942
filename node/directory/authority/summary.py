"""Summary, the authority's own view: who is admitted, with what, and whether something waits to be published."""

from dataclasses import dataclass

from google.protobuf.message import DecodeError

from node.directory.authority.draft import Draft
from node.directory.authority.publish import published_time_ms, published_version
from node.directory.delegation import key_of_node
from node.directory.grant import Grant
from node.directory.layout import node_target, role_path, target_path, zone_target
from node.directory.signing import time_ms
from node.directory.tufapi import Metadata, Targets
from node.model.code import Code
from node.model.directory import Role
from node.wire.truc.v1 import directory_pb2 as pb


@dataclass(frozen=True, slots=True)
class AdmittedNode:
    """One admitted node; times in milliseconds since 1970 UTC."""

    node_id: str
    name: str
    prefixes: tuple[Code, ...]
    roles: frozenset[Role]
    zone_version: int
    zone_expire_at_ms: int
    key_id: str
    units: int
    aliases: int
    leaves: tuple[Code, ...] = ()
    """Opaque codes that it was granted."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The authority at a glance; `unpublished` are the paths that wait for `publish`."""

    name: str
    fingerprint: str
    version: int
    signed_time_ms: int
    targets_expire_at_ms: int
    nodes: tuple[AdmittedNode, ...]
    unpublished: tuple[str, ...]


def summarise(draft: Draft, name: str, fingerprint: str, targets: Targets, grants: list[Grant]) -> Summary:
    """Put the view together from the files as decided."""
    return Summary(
        name=name,
        fingerprint=fingerprint,
        version=published_version(draft),
        signed_time_ms=published_time_ms(draft),
        targets_expire_at_ms=time_ms(targets.expires),
        nodes=tuple(_node(draft, targets, grant) for grant in grants),
        unpublished=tuple(draft.changed()),
    )


def _node(draft: Draft, targets: Targets, grant: Grant) -> AdmittedNode:
    role = Metadata[Targets].from_bytes(draft.need(role_path(grant.node_id))).signed
    file = _file(draft.need(target_path(node_target(grant.node_id))))
    zones = [_zone(draft, prefix) for prefix in grant.prefixes]
    return AdmittedNode(
        node_id=grant.node_id,
        name=file.name,
        prefixes=grant.prefixes,
        roles=grant.roles,
        zone_version=role.version,
        zone_expire_at_ms=time_ms(role.expires),
        key_id=key_of_node(targets, grant.node_id).keyid,
        units=sum(len(zone.units) for zone in zones) + len(file.leaves),
        aliases=sum(len(zone.aliases) for zone in zones),
        leaves=grant.leaves,
    )


def _file(data: bytes) -> pb.NodeFile:
    """Return what a node says of itself; an authority must see its members also when a file of one breaks rules that are newer."""
    try:
        return pb.NodeFile.FromString(data)
    except DecodeError:
        return pb.NodeFile()


def _zone(draft: Draft, prefix: Code) -> pb.ZoneFile:
    return pb.ZoneFile.FromString(draft.read(target_path(zone_target(prefix))) or b"")
