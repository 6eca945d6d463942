"""Editions: how the directory changes during a day, and when each node hears of it.

The whole day's editions are written before it begins (`write_book`), from the seed: so it is known which systems will ever speak for
which units. An edition is published at its time, and each node takes it after a delay of its own, seconds to hours; a node that hears
by Hello only fetches it from a caller that says it has a newer one, as node/directory/trust/feed.py does. At the end all get the newest.

        units       one is added, one is closed with an heir, an alias begins or ends
        moves       a unit and all below it, or a whole prefix, go over to another node
        keys        a new signing or sealing key is published before its time; the old one ends a while after
        tls         a new certificate is published, presented as soon as the node has seen it published, the old one is struck off later
        revoked     a node is struck off, and comes back an hour later with other keys
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from node.model.code import Code, parse_code
from node.model.directory import Alias, Directory, Holding, NodeEntry, PublicKey, Unit, Zone, directory_of
from tests.sim.keys import SimKeys
from tests.sim.machine import EPOCH_MS

MINUTE_S, HOUR_S = 60.0, 3600.0
DELAYS_S = (5.0, 60.0, 600.0, 5400.0)
"""Means of the time that an edition takes to a node."""
BASE_VERSION = 10
"""Above the versions that a world begins with."""


@dataclass(frozen=True)
class Edition:
    """One edition, and when it is published."""

    at_s: float
    what: str
    directory: Directory


@dataclass
class Draft:
    """The directory as the authority has it on the desk."""

    nodes: dict[str, NodeEntry]
    units: dict[str, Unit]
    holders: dict[Code, str]
    """Prefix to node."""
    aliases: dict[str, Alias]
    struck_off: dict[str, NodeEntry] = field(default_factory=dict)
    since_ms: dict[Code, int] = field(default_factory=dict)
    former: list[Holding] = field(default_factory=list)

    @staticmethod
    def of(directory: Directory) -> "Draft":
        """Begin with a directory as it stands."""
        units = {code: unit for zone in directory.zones.values() for code, unit in zone.units.items()}
        aliases = {code: alias for zone in directory.zones.values() for code, alias in zone.aliases.items()}
        made = Draft(dict(directory.nodes), units, {p: z.node_id for p, z in directory.zones.items()}, aliases)
        made.since_ms = {prefix: zone.held_from_ms for prefix, zone in directory.zones.items()}
        made.former = [one for held in directory.former.values() for one in held]
        return made

    def give(self, prefix: Code, node_id: str, at_ms: int) -> None:
        """Let a node hold a prefix from a time on, and write down who held it before, as the authority does."""
        before = self.holders.get(prefix)
        if before is not None:
            self.former.append(Holding(prefix, before, self.since_ms.get(prefix, 0), at_ms))
        self.holders[prefix], self.since_ms[prefix] = node_id, at_ms

    def holder(self, code: str) -> Code:
        """Return the longest prefix that a code is under."""
        labels = parse_code(code).labels
        return next(Code(labels[:n]) for n in range(len(labels), 0, -1) if Code(labels[:n]) in self.holders)

    def publish(self, version: int, at_s: float) -> Directory:
        """Put an edition together."""
        zones = []
        for prefix, node_id in self.holders.items():
            units = {code: unit for code, unit in self.units.items() if self.holder(code) == prefix}
            aliases = {code: alias for code, alias in self.aliases.items() if self.holder(code) == prefix}
            zones.append(Zone(prefix, node_id, units, aliases, held_from_ms=self.since_ms.get(prefix, 0)))
        return directory_of(version, _ms(at_s), list(self.nodes.values()), zones, self.former)


class Book:
    """All editions of a world, those that are still to come too; and what they say over the whole time."""

    def __init__(self, base: Iterable[Directory]) -> None:
        self.base = list(base)
        self.editions: list[Edition] = []
        self._homes: dict[str, set[str]] = {}

    @property
    def directories(self) -> list[Directory]:
        """All of them, the base first."""
        return [*self.base, *(one.directory for one in self.editions)]

    def homes(self, unit: str) -> set[str]:
        """Return the nodes that serve a unit at any time."""
        if unit not in self._homes:
            zones = [directory.zone_of(parse_code(unit)) for directory in self.directories]
            self._homes[unit] = {zone.node_id for zone in zones if zone is not None and unit in zone.units}
        return self._homes[unit]

    def holders(self, unit: str) -> set[str]:
        """Return the nodes that hold a unit's prefix at any time, whether they list the unit or not."""
        zones = [directory.zone_of(parse_code(unit)) for directory in self.directories]
        return {zone.node_id for zone in zones if zone is not None}

    def units_of(self, node_id: str) -> set[str]:
        """Return the units that a node serves at any time."""
        zones = [zone for one in self.directories for zone in one.zones.values() if zone.node_id == node_id]
        return {unit for zone in zones for unit in zone.units}

    def closes(self, unit: str) -> bool:
        """Tell whether a unit is closed at any time."""
        found = [directory.unit(parse_code(unit)) for directory in self.directories]
        return any(one is not None and one.valid_to_ms for one in found)

    def changes(self, unit: str) -> bool:
        """Tell whether a unit is closed or moves at any time."""
        return bool(self.editions) and (len(self.homes(unit)) > 1 or self.closes(unit))

    def entry(self, node_id: str) -> NodeEntry:
        """Return a node with all keys that it ever had, each without an end."""
        entries = [one.nodes[node_id] for one in self.directories if node_id in one.nodes]
        raw = dict.fromkeys(key.raw for entry in entries for key in entry.signing_keys)
        return replace(entries[-1], signing_keys=tuple(PublicKey(key, 1) for key in raw))


Change = Callable[[Draft, random.Random, float], str]
"""A change of the draft at a time; returns what it is, "" if there is nothing to change."""


def write_book(
    book: Book, kinds: frozenset[str], keys: dict[str, SimKeys], numbers: random.Random, lasts_s: float
) -> None:
    """Write all editions of a day, beginning from the last of the base; `kinds` are faults of switches.py."""
    draft, desk = Draft.of(book.base[-1]), Desk(keys)
    changes = [change for kind in sorted(kinds) for change in desk.changes(kind)]
    times = sorted(numbers.uniform(0.05, 0.9) * lasts_s for _ in range(numbers.randint(3, 8)))
    due: list[tuple[float, Change]] = [(at_s, numbers.choice(changes)) for at_s in times] if changes else []
    while due:
        due.sort(key=lambda one: one[0])
        at_s, change = due.pop(0)
        what = change(draft, numbers, at_s)
        if what:
            directory = draft.publish(BASE_VERSION + len(book.editions), at_s)
            book.editions.append(Edition(at_s, what, directory))
        due += desk.later
        desk.later.clear()


class Desk:
    """The changes that an authority makes. `later` are those that follow from earlier ones."""

    def __init__(self, keys: dict[str, SimKeys]) -> None:
        self.later: list[tuple[float, Change]] = []
        self.certificates: dict[str, int] = dict.fromkeys(keys, 1)
        self._keys = keys
        self._made = 0

    def changes(self, kind: str) -> list[Change]:
        """Return the changes of a kind."""
        return {
            "editions": [self.add_unit, self.close_unit, self.begin_alias, self.end_alias],
            "moves": [self.move_unit, self.move_unit, self.hand_over],
            "keys": [self.change_signing_key, self.change_sealing_key],
            "tls": [self.change_certificate],
            "revoked": [self.strike_off],
        }[kind]

    def _number(self) -> int:
        self._made += 1
        return self._made

    # --- units --------------------------------------------------------------------------------------------------------

    def add_unit(self, draft: Draft, numbers: random.Random, at_s: float) -> str:
        """List a new unit."""
        prefix = numbers.choice(_prefixes(draft))
        code = f"{prefix.text}.7{self._number()}"
        draft.units[code] = Unit(code, f"Đơn vị {code}")
        return f"{code} is new"

    def close_unit(self, draft: Draft, numbers: random.Random, at_s: float) -> str:
        """Close a unit and name its heir."""
        code, heir = numbers.sample(_open_units(draft), 2)
        draft.units[code] = replace(draft.units[code], valid_to_ms=_ms(at_s), successor=heir)
        return f"{code} is closed"

    def begin_alias(self, draft: Draft, numbers: random.Random, at_s: float) -> str:
        """Give a unit another code, some time before it holds, or at once."""
        unit = numbers.choice(_open_units(draft))
        prefix = draft.holder(unit) if numbers.random() < 0.5 else numbers.choice(_prefixes(draft))
        code = f"{prefix.text}.6{self._number()}"
        draft.aliases[code] = Alias(code, unit, _ms(at_s) + numbers.choice((0, 600_000)))
        return f"{code} means {unit}"

    def end_alias(self, draft: Draft, numbers: random.Random, at_s: float) -> str:
        """Let an alias end."""
        code = numbers.choice(sorted(draft.aliases))
        draft.aliases[code] = replace(draft.aliases[code], valid_to_ms=_ms(at_s) + numbers.choice((0, 600_000)))
        return f"{code} ends"

    def move_unit(self, draft: Draft, numbers: random.Random, at_s: float) -> str:
        """Give a unit and those below it to another node, by a prefix of its own."""
        code = numbers.choice(_open_units(draft))
        target = self._another(draft, numbers, draft.holders[draft.holder(code)])
        draft.give(parse_code(code), target, _ms(at_s))
        return f"{code} moves to {target}"

    def hand_over(self, draft: Draft, numbers: random.Random, at_s: float) -> str:
        """Give a whole prefix to another node."""
        prefix = numbers.choice(_prefixes(draft))
        draft.give(prefix, self._another(draft, numbers, draft.holders[prefix]), _ms(at_s))
        return f"{prefix.text} goes over to {draft.holders[prefix]}"

    def _another(self, draft: Draft, numbers: random.Random, node_id: str) -> str:
        return numbers.choice([name for name in sorted(draft.nodes) if name not in (node_id, "centre")])

    # --- keys ---------------------------------------------------------------------------------------------------------

    def change_signing_key(self, draft: Draft, numbers: random.Random, at_s: float) -> str:
        """Publish a signing key before its time, and when the old one ends."""
        name, begins_s = self._rotation(draft, numbers, at_s)
        entry, new = draft.nodes[name], self._keys[name].add_signing_key()
        ends_ms = _ms(begins_s + numbers.choice((MINUTE_S, 20 * MINUTE_S)))
        draft.nodes[name] = replace(entry, signing_keys=_followed(entry.signing_keys, new, _ms(begins_s), ends_ms))
        return f"{name} signs with another key"

    def change_sealing_key(self, draft: Draft, numbers: random.Random, at_s: float) -> str:
        """Publish a sealing key before its time, and when the old one ends."""
        name, begins_s = self._rotation(draft, numbers, at_s)
        entry, new = draft.nodes[name], self._keys[name].add_sealing_key()
        ends_ms = _ms(begins_s + numbers.choice((MINUTE_S, 20 * MINUTE_S)))
        draft.nodes[name] = replace(entry, sealing_keys=_followed(entry.sealing_keys, new, _ms(begins_s), ends_ms))
        return f"{name} opens with another key"

    def _rotation(self, draft: Draft, numbers: random.Random, at_s: float) -> tuple[str, float]:
        return numbers.choice(sorted(draft.nodes)), at_s + numbers.choice((10 * MINUTE_S, HOUR_S))

    def change_certificate(self, draft: Draft, numbers: random.Random, at_s: float) -> str:
        """Publish a second certificate; strike the old one off later."""
        name = numbers.choice(sorted(draft.nodes))
        self.certificates[name] += 1
        new = f"{name}/{self.certificates[name]}".encode()
        entry = draft.nodes[name]
        draft.nodes[name] = replace(entry, tls_certificates=(*entry.tls_certificates, new))

        def strike(later: Draft, _: random.Random, __: float) -> str:
            if name not in later.nodes or new not in later.nodes[name].tls_certificates:
                return ""
            later.nodes[name] = replace(later.nodes[name], tls_certificates=(new,))
            return f"{name} has only its new certificate"

        self.later.append((at_s + numbers.choice((20 * MINUTE_S, HOUR_S)), strike))
        return f"{name} has another certificate"

    def strike_off(self, draft: Draft, numbers: random.Random, at_s: float) -> str:
        """Strike a node off, and admit it again with other keys an hour later."""
        names = [name for name in sorted(draft.nodes) if name != "centre"]
        if draft.struck_off:
            return ""
        name = numbers.choice(names)
        entry = draft.struck_off[name] = draft.nodes.pop(name)
        self.certificates[name] += 1
        keys, certificate = self._keys[name], f"{name}/{self.certificates[name]}".encode()
        signing, sealing = keys.add_signing_key(), keys.add_sealing_key()

        def admit(later: Draft, _: random.Random, __: float) -> str:
            del later.struck_off[name]
            later.nodes[name] = replace(
                entry,
                tls_certificates=(certificate,),
                signing_keys=(PublicKey(signing, 1),),
                sealing_keys=(PublicKey(sealing, 1),),
            )
            return f"{name} is admitted again"

        self.later.append((at_s + numbers.uniform(0.2, 1.0) * HOUR_S, admit))
        return f"{name} is struck off"


def _followed(old: tuple[PublicKey, ...], new: bytes, from_ms: int, ends_ms: int) -> tuple[PublicKey, ...]:
    ending = tuple(replace(key, valid_to_ms=ends_ms) if not key.valid_to_ms else key for key in old)
    return (PublicKey(new, 1, from_ms), *ending)


def _prefixes(draft: Draft) -> list[Code]:
    return [prefix for prefix in sorted(draft.holders) if draft.holders[prefix] != "centre"]


def _open_units(draft: Draft) -> list[str]:
    return sorted(code for code, unit in draft.units.items() if not unit.valid_to_ms)


def _ms(at_s: float) -> int:
    return EPOCH_MS + round(at_s * 1000)
