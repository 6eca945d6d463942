"""Directory, in words: nodes, zones, units, and who serves whom. node/directory/ knows where it comes from and why it is believed.

Longest prefix wins, on label boundaries: a unit H49.22.05 is served by the node that holds H49.22 if there is one, else by
the node that holds H49. A snapshot never changes; a newer one replaces it whole.

An alias is another code by which a unit is reached for a time (decision 0010). It stands in the zone of its own code, so only the
holder of a code can give it away; the unit may be in any zone. `Directory.resolve` takes one step and only to an open unit, so a code
that is no open unit's, and leads to none, stays what it is.

Prefixes go from one node to another. The authority signs who held which one when (decision 0014), so that what a node has signed in
its time stays good: `Directory.speaks_for`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from node.model.code import Code, parse_code

FOUND_MAX = 16_384
"""Answers of `zone_of` that a snapshot remembers."""


class Role(IntEnum):
    """Tasks that the authority gives a node besides its own; numbers as in directory.proto."""

    RELAY = 1
    DIRECTORY = 2


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Raw public key (32 octets) and its validity in milliseconds since 1970 UTC; 0: no limit on that side."""

    raw: bytes
    suite: int
    valid_from_ms: int = 0
    valid_to_ms: int = 0


class CertificateNames(NamedTuple):
    """How TLS looks a certificate up: names in one form for all ways of writing the same; key identifiers in hex, "" if it has none."""

    subject: str
    subject_key: str
    issuer: str
    issuer_key: str

    def is_own_of(self, node_id: str) -> bool:
        """Tell whether the subject is the node's id as common name (2.5.4.3), as nodes name the certificates that they make."""
        return self.subject == f"2.5.4.3={node_id}"

    def may_pass_for_issuer_of(self, other: "CertificateNames") -> bool:
        """Tell whether TLS may take this certificate for the one that issued the other (which may be the other itself)."""
        if self.subject != other.issuer:
            return False
        return not (self.subject_key and other.issuer_key and self.subject_key != other.issuer_key)


@dataclass(frozen=True, slots=True)
class NodeEntry:
    """One node as the directory describes it. `mesh_address` is "host:port" or empty if nobody can dial it.

    `leaves` are its units with opaque codes, as it lists them; those that it was granted are zones of their own in the Directory.
    """

    node_id: str
    name: str
    mesh_address: str
    via_relays: tuple[str, ...]
    tls_certificates: tuple[bytes, ...]
    signing_keys: tuple[PublicKey, ...]
    sealing_keys: tuple[PublicKey, ...]
    roles: frozenset[Role] = frozenset()
    further_addresses: tuple[str, ...] = ()
    leaves: tuple["Unit", ...] = ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """All addresses, in the order in which they are to be tried."""
        return (self.mesh_address, *self.further_addresses) if self.mesh_address else ()


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
    mail: str = ""

    def holds_at(self, now_ms: int) -> bool:
        """Tell whether the unit is there and open."""
        return is_within(now_ms, self.valid_from_ms, self.valid_to_ms)

    def has_begun(self, now_ms: int) -> bool:
        """Tell whether the unit is there, or was: a closed one has begun."""
        return self.valid_from_ms <= now_ms


@dataclass(frozen=True, slots=True)
class Alias:
    """Another code of a unit. Both canonical; validity in milliseconds since 1970 UTC, 0: no limit on that side."""

    code: str
    unit: str
    valid_from_ms: int = 0
    valid_to_ms: int = 0

    def holds_at(self, now_ms: int) -> bool:
        """Tell whether the code stands for the unit."""
        return is_within(now_ms, self.valid_from_ms, self.valid_to_ms)


def is_within(now_ms: int, from_ms: int, to_ms: int) -> bool:
    """Tell whether a time lies in a validity: `from_ms` is in it, `to_ms` is not; 0: no limit on that side."""
    return from_ms <= now_ms and (not to_ms or now_ms < to_ms)


@dataclass(frozen=True, slots=True)
class Zone:
    """The units and aliases under one prefix and the node that serves them, by canonical code.

    In a running node `units` is a UnitTable (node/directory/lookup/units.py), which makes a Unit when it is asked for; a dict does for
    tests.
    """

    prefix: Code
    node_id: str
    units: Mapping[str, Unit]
    aliases: Mapping[str, Alias] = field(default_factory=dict)
    held_from_ms: int = 0
    """Since when the node holds the prefix, milliseconds since 1970 UTC; 0: always has."""
    is_leaf: bool = False
    """True of an opaque code, which has a zone of its own and is nobody's prefix."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A time in which a node held a prefix, and does no more: from, until in milliseconds since 1970 UTC; `from_ms` 0: always had."""

    prefix: Code
    node_id: str
    from_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Directory:
    """One version of the directory, verified. `signed_time_ms` is when its timestamp was signed."""

    version: int
    signed_time_ms: int
    nodes: dict[str, NodeEntry]
    zones: dict[Code, Zone]
    certificates: dict[bytes, str] = field(default_factory=dict)
    """DER of a TLS certificate -> id of the node that may present it."""
    former: Mapping[Code, tuple[Holding, ...]] = field(default_factory=dict)
    """The former holders of a prefix, as far as they are still nodes."""
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

    def holder_at(self, code: Code, at_ms: int) -> str | None:
        """Return the node that served a code at some time: by the longest prefix that somebody held then. None if nobody did."""
        for length in range(len(code.labels), 0, -1):
            prefix = Code(code.labels[:length])
            zone = self.zones.get(prefix)
            if zone is not None and zone.held_from_ms <= at_ms:
                return zone.node_id
            for held in self.former.get(prefix, ()):
                if is_within(at_ms, held.from_ms, held.until_ms):
                    return held.node_id
        return None

    def speaks_for(self, node_id: str, code: Code, times_ms: Iterable[int]) -> bool:
        """Tell whether a node serves a code now, or did at one of these times (model/statement.py)."""
        zone = self.zone_of(code)
        if zone is not None and zone.node_id == node_id:
            return True
        return any(self.holder_at(code, at_ms) == node_id for at_ms in times_ms)

    def has_just_held(self, node_id: str, code: Code, at_ms: int, within_ms: int) -> bool:
        """Tell whether a node served a code until some time not longer than `within_ms` before."""
        prefixes = [Code(code.labels[:length]) for length in range(1, len(code.labels) + 1)]
        ends = {self.zones[prefix].held_from_ms for prefix in prefixes if prefix in self.zones}
        ends |= {
            at for prefix in prefixes for held in self.former.get(prefix, ()) for at in (held.from_ms, held.until_ms)
        }
        return any(self.holder_at(code, end - 1) == node_id for end in ends if end <= at_ms < end + within_ms)

    def unit(self, code: Code) -> Unit | None:
        """Return the unit of that code, or None if no zone lists it."""
        zone = self.zone_of(code)
        return zone.units.get(code.text) if zone else None

    def alias(self, code: Code) -> Alias | None:
        """Return the alias of that code, whether it holds now or not; None if there is none."""
        zone = self.zone_of(code)
        return zone.aliases.get(code.text) if zone else None

    def resolve(self, code: Code, now_ms: int) -> Code:
        """Return the code of the unit that a code stands for: its own if it is an open unit's, or no alias that leads to one now.

        The code returned resolves to itself, whatever the zones say of each other.
        """
        zone = self.zone_of(code)
        if zone is None:
            return code
        unit = zone.units.get(code.text)
        if unit is not None and unit.holds_at(now_ms):
            return code
        alias = zone.aliases.get(code.text)
        if alias is None or not alias.holds_at(now_ms):
            return code
        target = parse_code(alias.unit)
        meant = self.unit(target)
        return target if meant is not None and meant.holds_at(now_ms) else code

    def stood_for(self, code: Code, now_ms: int) -> Code:
        """Return the unit that an alias stands for or stood for, be the unit open or closed; the code itself if it never was an alias."""
        unit, alias = self.unit(code), self.alias(code)
        if alias is None or alias.valid_from_ms > now_ms or (unit is not None and unit.holds_at(now_ms)):
            return code
        target = parse_code(alias.unit)
        return target if self.unit(target) is not None else code

    def aliases_by_unit(self) -> dict[str, list[Alias]]:
        """Return all aliases by the unit they stand for, each list in order of code. Made anew by every call: keep it."""
        found: dict[str, list[Alias]] = {}
        for _, zone in sorted(self.zones.items()):
            for _, alias in sorted(zone.aliases.items()):
                found.setdefault(alias.unit, []).append(alias)
        return found

    def holder_of_alias(self, alias: Alias) -> str:
        """Return the node in whose zone an alias stands."""
        zone = self.zone_of(parse_code(alias.code))
        return zone.node_id if zone is not None else ""

    def prefixes_of(self, node_id: str) -> list[Code]:
        """Return the prefixes that a node serves, in order; opaque codes are none."""
        return sorted(prefix for prefix, zone in self.zones.items() if zone.node_id == node_id and not zone.is_leaf)

    def leaves_of(self, node_id: str) -> list[Code]:
        """Return the opaque codes that a node was granted, in order."""
        return sorted(code for code, zone in self.zones.items() if zone.node_id == node_id and zone.is_leaf)

    def certificates_of(self, node_id: str) -> tuple[bytes, ...]:
        """Return the TLS certificates (DER) by which a node is known; none if it is not admitted."""
        entry = self.nodes.get(node_id)
        return entry.tls_certificates if entry else ()

    def relays(self) -> list[NodeEntry]:
        """Return the nodes that carry for others, in order of id."""
        return sorted((n for n in self.nodes.values() if Role.RELAY in n.roles), key=lambda n: n.node_id)

    def unit_count(self) -> int:
        """Return how many units all zones list together."""
        return sum(len(zone.units) for zone in self.zones.values())


EMPTY = Directory(version=0, signed_time_ms=0, nodes={}, zones={})


def directory_of(
    version: int, signed_time_ms: int, nodes: list[NodeEntry], zones: list[Zone], former: Iterable[Holding] = ()
) -> Directory:
    """Put a snapshot together, with its indexes."""
    certificates = {der: n.node_id for n in nodes for der in n.tls_certificates}
    held: dict[Code, tuple[Holding, ...]] = {}
    for one in former:
        held[one.prefix] = (*held.get(one.prefix, ()), one)
    by_id, by_prefix = {n.node_id: n for n in nodes}, {z.prefix: z for z in zones}
    return Directory(version, signed_time_ms, by_id, by_prefix, certificates, held)
