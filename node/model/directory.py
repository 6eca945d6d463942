"""The directory in words: nodes, zones, units, and who serves whom. Where it comes from and why it is believed is node/directory/.

Longest prefix wins, on label boundaries: a unit H49.22.05 is served by the node that holds H49.22 if there is one, else by
the node that holds H49. A snapshot never changes; a newer one replaces it whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from node.model.code import Code

FOUND_MAX = 16_384
"""Answers that a snapshot remembers."""


class Role(IntEnum):
    """What the authority lets a node be besides a node; numbers as in directory.proto."""

    RELAY = 1
    DIRECTORY = 2


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Raw public key (32 octets) and its validity in milliseconds since 1970 UTC; 0: no limit on that side."""

    raw: bytes
    suite: int
    valid_from_ms: int = 0
    valid_to_ms: int = 0


@dataclass(frozen=True, slots=True)
class NodeEntry:
    """One node as the directory describes it. `mesh_address` is "host:port" or empty if nobody can dial it."""

    node_id: str
    name: str
    mesh_address: str
    via_relays: tuple[str, ...]
    tls_certificates: tuple[bytes, ...]
    signing_keys: tuple[PublicKey, ...]
    sealing_keys: tuple[PublicKey, ...]
    roles: frozenset[Role] = frozenset()


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit. Code canonical; validity in milliseconds since 1970 UTC, 0: no limit on that side."""

    code: str
    name: str
    short_names: tuple[str, ...] = ()
    parent: str = ""
    valid_from_ms: int = 0
    valid_to_ms: int = 0
    successor: str = ""


@dataclass(frozen=True, slots=True)
class Zone:
    """The units under one prefix and the node that serves them, by canonical code.

    In a running node `units` is directory.units.UnitTable, which makes a Unit when it is asked for; a dict does for tests.
    """

    prefix: Code
    node_id: str
    units: Mapping[str, Unit]


@dataclass(frozen=True, slots=True)
class Directory:
    """One version of the directory, verified. `signed_time_ms` is when its timestamp was signed."""

    version: int
    signed_time_ms: int
    nodes: dict[str, NodeEntry]
    zones: dict[Code, Zone]
    certificates: dict[bytes, str] = field(default_factory=dict)
    """DER of a TLS certificate -> id of the node that may present it."""
    _found: dict[Code, Zone | None] = field(default_factory=dict, init=False, compare=False, repr=False)
    """Answers given before: a snapshot never changes, and each packet asks several times for the same few units."""

    def zone_of(self, code: Code) -> Zone | None:
        """Return the zone with the longest prefix that the code is under, or None."""
        try:
            return self._found[code]
        except KeyError:
            if len(self._found) >= FOUND_MAX:
                self._found.clear()
            found = self._found[code] = self._look(code)
            return found

    def _look(self, code: Code) -> Zone | None:
        labels = code.labels
        for length in range(len(labels), 0, -1):
            zone = self.zones.get(Code(labels[:length]))
            if zone is not None:
                return zone
        return None

    def unit(self, code: Code) -> Unit | None:
        """Return the unit of that code, or None if no zone lists it."""
        zone = self.zone_of(code)
        return zone.units.get(code.text) if zone else None

    def prefixes_of(self, node_id: str) -> list[Code]:
        """Return the prefixes that a node serves, in order."""
        return sorted(prefix for prefix, zone in self.zones.items() if zone.node_id == node_id)

    def relays(self) -> list[NodeEntry]:
        """Return the nodes that carry for others, in order of id."""
        return sorted((n for n in self.nodes.values() if Role.RELAY in n.roles), key=lambda n: n.node_id)

    def unit_count(self) -> int:
        """Return how many units all zones list together."""
        return sum(len(zone.units) for zone in self.zones.values())


EMPTY = Directory(version=0, signed_time_ms=0, nodes={}, zones={})


def directory_of(version: int, signed_time_ms: int, nodes: list[NodeEntry], zones: list[Zone]) -> Directory:
    """Put a snapshot together, with its index of certificates."""
    certificates = {der: n.node_id for n in nodes for der in n.tls_certificates}
    return Directory(version, signed_time_ms, {n.node_id: n for n in nodes}, {z.prefix: z for z in zones}, certificates)
