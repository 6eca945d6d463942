"""Listing: the units and aliases under a node's own prefixes, as its operator has them now; unsigned, and seen by nobody else.

    <home>/zone/  prefixes, leaves (one a line), units/<prefix> (ZoneFile: units and aliases), units/opaque (the same, of no prefix)

Each code goes into the zone of the longest own prefix; units with opaque codes are kept together, and are signed as far as their codes
were granted. Whatever is accepted here keeps the rules (rules.py) and is on disk when the
call returns; a change that breaks one leaves everything as it was.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from node.directory.files import read_file, write_file
from node.directory.rules import check_alias, check_aliases, check_leaf, check_unit, check_zone_file, read_leaves
from node.directory.translate import alias, alias_message, unit, unit_message, zone_bytes
from node.errors import Denied, Rejected
from node.model.code import Code, parse_code
from node.model.directory import Alias, Unit
from node.model.reason import Reason
from node.wire.truc.v1 import directory_pb2 as pb

OPAQUE = Code(("opaque",))
"""In place of a prefix: the units with opaque codes. It is no code that anybody can have."""


class UnitIsClosed(Rejected):
    """The unit is recorded as closed, or as closing some day, and what was asked would change that without saying so."""

    def __init__(self, unit: Unit) -> None:
        heir = f", succeeded by {unit.successor}" if unit.successor else ""
        super().__init__(Reason.REQUEST_INVALID, f"unit {unit.code} is closed since {unit.valid_to_ms} ms{heir}")
        self.unit = unit


class SuccessorUnfit(Rejected):
    """That unit cannot take over: it is the one that closes, or it is closed (`closed_ms`), or nobody lists it (0)."""

    def __init__(self, successor: Code, closed_ms: int, *, itself: bool = False) -> None:
        why = "the unit itself" if itself else f"closed since {closed_ms} ms" if closed_ms else "not in this zone"
        super().__init__(Reason.REQUEST_INVALID, f"{successor} cannot take over: it is {why}")
        self.successor = successor
        self.closed_ms = closed_ms
        self.itself = itself


class NotOurs(Denied):
    """That code is under none of the node's prefixes, or is an opaque one that it was not granted."""

    def __init__(self, what: str, code: Code, prefixes: Iterable[Code]) -> None:
        own = ", ".join(map(str, prefixes)) or "none"
        why = "was not granted to this node" if code.is_leaf else f"is under none of this node's prefixes ({own})"
        super().__init__(Reason.PEER_SPEAKS_FOR_OTHERS, f"{what} {code} {why}")
        self.code = code
        self._own = ", ".join(map(str, prefixes))

    @property
    def advice(self) -> str:
        """In place of the general advice, which speaks of peers."""
        if self.code.is_leaf:
            return f"Mã riêng {self.code} chưa được giao cho nút này. Hãy xin cơ quan vận hành danh bạ giao mã, rồi cập nhật danh bạ."
        return f"{self.code} không nằm dưới tiền tố nào của nút này ({self._own or 'chưa có tiền tố'}). Hãy kiểm tra lại mã."


@dataclass(slots=True)
class Listed:
    """The units and aliases under one prefix, by canonical code."""

    units: dict[str, Unit] = field(default_factory=dict)
    aliases: dict[str, Alias] = field(default_factory=dict)


class Listing:
    """Changes what a node lists. It is not for two at once (zone_lock.py)."""

    def __init__(self, folder: Path, node_id: str, prefixes: list[Code], leaves: Iterable[Code] = ()) -> None:
        """Read `<home>/zone`. Raises Broken(DIRECTORY_INVALID) if it is damaged."""
        self._folder = folder
        self._owner = node_id
        self._prefixes = sorted(set(prefixes))
        self._leaves = sorted(set(leaves))
        self._zones: dict[Code, Listed] = {prefix: self._read(prefix) for prefix in (*self._prefixes, OPAQUE)}

    @property
    def prefixes(self) -> list[Code]:
        """The prefixes asked for, or set since, in order."""
        return list(self._prefixes)

    @property
    def leaves(self) -> list[Code]:
        """The opaque codes asked for, or set since, in order."""
        return list(self._leaves)

    def leaf_units(self) -> list[Unit]:
        """Return those units with opaque codes that are the node's to list, in order of code."""
        own = {leaf.text for leaf in self._leaves}
        return [unit for code, unit in sorted(self._zones[OPAQUE].units.items()) if code in own]

    def units(self) -> list[Unit]:
        """Return all units, in order of code."""
        return sorted(
            (word for zone in self._zones.values() for word in zone.units.values()), key=lambda word: word.code
        )

    def unit(self, code: Code) -> Unit | None:
        """Return one unit or None."""
        return next((zone.units[code.text] for zone in self._zones.values() if code.text in zone.units), None)

    def add_unit(self, word: Unit, *, reopen: bool = False) -> None:
        """Add a unit, or replace the one of the same code; see `add_units`."""
        self.add_units([word], reopen=reopen)

    def add_units(self, words: Iterable[Unit], *, reopen: bool = False) -> int:
        """Add or replace units, all or none; codes in either written form. Return how many.

        A closed unit is opened again only if that is asked for: else raises UnitIsClosed.
        Raises Denied(PEER_SPEAKS_FOR_OTHERS) for a code that is not the node's to list, Rejected(CODE_MALFORMED), or
        Broken(DIRECTORY_INVALID) for a name or validity that is not allowed, or a code that is an alias at that time.
        """
        placed: dict[Code, dict[str, Unit]] = {}
        count = 0
        for count, word in enumerate(words, 1):  # noqa: B007  the last number is the count
            prefix, message = self._placed(word, reopen=reopen)
            placed.setdefault(prefix, {})[message.code] = unit(message)
        # All are checked before the first is taken: a list with one wrong line changes nothing.
        for prefix, units in placed.items():
            check_aliases(prefix, units.values(), self._zones[prefix].aliases.values())
        for prefix, units in placed.items():
            self._zones[prefix].units.update(units)
            self._save(prefix)
        return count

    def check_addition(self, word: Unit, *, reopen: bool = False) -> None:
        """Raise what `add_units` would for this one, except for a code that is an alias."""
        self._placed(word, reopen=reopen)

    def close_unit(
        self,
        code: Code,
        now_ms: int,
        successor: Code | None = None,
        *,
        from_ms: int = 0,
        elsewhere: Callable[[Code], Unit | None] = lambda _: None,
    ) -> bool:
        """Close a unit, from now on if no time is given, naming who takes over. Return whether that changed anything.

        A closed unit may be closed again as it is, and be given a successor if it has none. `elsewhere` tells what other nodes list
        under the own prefixes. Raises Rejected(RECIPIENT_UNKNOWN) if there is no such unit, UnitIsClosed, SuccessorUnfit.
        """
        known = self._need(code)
        at_ms = from_ms or now_ms
        if 0 < known.valid_to_ms <= now_ms and not from_ms:
            at_ms = known.valid_to_ms
        heir = successor.text if successor else known.successor
        if known.valid_to_ms and (at_ms != known.valid_to_ms or (known.successor and heir != known.successor)):
            raise UnitIsClosed(known)
        if heir == known.successor and at_ms == known.valid_to_ms:
            return False
        if successor is not None:
            self._check_successor(code, successor, max(at_ms, now_ms), elsewhere)
        self.add_unit(replace(known, valid_to_ms=at_ms, successor=heir))
        return True

    def remove_unit(self, code: Code) -> None:
        """Remove a unit altogether; only for mistakes, else close it. Raises Rejected(RECIPIENT_UNKNOWN)."""
        self._need(code)
        self.remove_units([code])

    def remove_units(self, codes: Iterable[Code]) -> int:
        """Remove those of the units that are there; return how many. It serves also after a sub-prefix was granted to somebody else."""
        return self._remove(codes, lambda zone: zone.units)

    def aliases(self) -> list[Alias]:
        """Return all aliases, in order of code."""
        words = (word for zone in self._zones.values() for word in zone.aliases.values())
        return sorted(words, key=lambda word: word.code)

    def alias(self, code: Code) -> Alias | None:
        """Return one alias or None."""
        return next((zone.aliases[code.text] for zone in self._zones.values() if code.text in zone.aliases), None)

    def add_aliases(self, words: Iterable[Alias]) -> int:
        """Add or replace aliases, all or none; codes in either written form. Return how many.

        An alias whose code was a unit's holds from that unit's end, if it names no beginning. Raises as `add_units`, and
        Broken(DIRECTORY_INVALID) for one that leads to itself or to an alias.
        """
        placed: dict[Code, dict[str, Alias]] = {}
        count = 0
        for count, word in enumerate(words, 1):  # noqa: B007  the last number is the count
            message = alias_message(self._begun(word))
            prefix = self._prefix_for("alias", parse_code(message.code))
            if prefix is OPAQUE:
                raise Rejected(Reason.REQUEST_INVALID, f"{message.code} is an opaque code, which cannot be an alias")
            check_alias(prefix, message)
            placed.setdefault(prefix, {})[message.code] = alias(message)
        new = {code: one for aliases in placed.values() for code, one in aliases.items()}
        # Against those of all own prefixes: an alias may lead into another zone, and there must be no alias in its place.
        everything = {one.code: one for one in self.aliases()} | new
        for prefix in placed:
            check_aliases(prefix, self._zones[prefix].units.values(), everything.values())
        for prefix, aliases in placed.items():
            self._zones[prefix].aliases.update(aliases)
            self._save(prefix)
        return count

    def remove_alias(self, code: Code) -> None:
        """Remove an alias altogether; only for mistakes, else let it end. Raises Rejected(RECIPIENT_UNKNOWN) if there is none."""
        if not self.remove_aliases([code]):
            raise Rejected(Reason.RECIPIENT_UNKNOWN, f"there is no alias {code} in this zone")

    def remove_aliases(self, codes: Iterable[Code]) -> int:
        """Remove those of the aliases that are there; return how many."""
        return self._remove(codes, lambda zone: zone.aliases)

    def set_leaves(self, leaves: Iterable[Code]) -> None:
        """Take over the opaque codes that were granted; units of others stay on disk, and come back with their codes."""
        self._leaves = sorted(set(leaves))
        write_file(self._folder / "leaves", code_lines(self._leaves))

    def set_prefixes(self, prefixes: list[Code]) -> None:
        """Take over the prefixes that were granted; what is listed moves to the longest one.

        Units and aliases under none of them are no longer signed; they stay on disk and come back with their prefix. Raises
        Broken(DIRECTORY_INVALID) if a zone would break a rule then: an alias that leads to an alias must be mended before.
        """
        added = [self._read(prefix) for prefix in prefixes if prefix not in self._zones]
        zones = {prefix: Listed() for prefix in sorted(set(prefixes))}
        opaque = self._zones.pop(OPAQUE)
        for listed in (*added, *self._zones.values()):
            for word in listed.units.values():
                if (prefix := _longest(zones, parse_code(word.code))) is not None:
                    zones[prefix].units[word.code] = word
            for one in listed.aliases.values():
                if (prefix := _longest(zones, parse_code(one.code))) is not None:
                    zones[prefix].aliases[one.code] = one
        for prefix, listed in zones.items():
            check_aliases(prefix, listed.units.values(), listed.aliases.values())
        write_file(self._folder / "prefixes", code_lines(prefixes))
        self._prefixes, self._zones = list(zones), {**zones, OPAQUE: opaque}
        for prefix in self._prefixes:
            self._save(prefix)

    def zone_files(self) -> dict[Code, bytes]:
        """Return the files to be signed, by prefix; none for a prefix under which nothing is listed."""
        return {
            prefix: self._bytes(prefix)
            for prefix, zone in self._zones.items()
            if prefix is not OPAQUE and (zone.units or zone.aliases)
        }

    def _placed(self, word: Unit, *, reopen: bool) -> tuple[Code, pb.Unit]:
        """Return the zone that a unit belongs to, and the unit as it is kept."""
        message = unit_message(_canonical(word))
        prefix = self._prefix_for("unit", parse_code(message.code))
        if prefix is OPAQUE:
            check_leaf(message)
        else:
            check_unit(prefix, message)
        known = self._zones[prefix].units.get(message.code)
        if known is not None and known.valid_to_ms and not word.valid_to_ms and not reopen:
            raise UnitIsClosed(known)
        return prefix, message

    def _remove(self, codes: Iterable[Code], of: Callable[[Listed], dict[str, Unit] | dict[str, Alias]]) -> int:
        texts = {code.text for code in codes}
        removed = 0
        for prefix, zone in self._zones.items():
            listed = of(zone)
            if found := texts & listed.keys():
                for code in found:
                    del listed[code]
                self._save(prefix)
                removed += len(found)
        return removed

    def _begun(self, word: Alias) -> Alias:
        """Return an alias with its codes in canonical form, and with its beginning if the code was a unit's before."""
        code = parse_code(word.code)
        was = self.unit(code)
        begin_ms = word.valid_from_ms or (was.valid_to_ms if was is not None else 0)
        return replace(word, code=code.text, unit=parse_code(word.unit).text, valid_from_ms=begin_ms)

    def _read(self, prefix: Code) -> Listed:
        data = read_file(self._folder / "units" / prefix.text)
        if data is None:
            return Listed()
        file = read_leaves(data) if prefix is OPAQUE else check_zone_file(data, prefix, self._owner)
        return Listed({one.code: unit(one) for one in file.units}, {one.code: alias(one) for one in file.aliases})

    def _bytes(self, prefix: Code) -> bytes:
        zone = self._zones[prefix]
        return zone_bytes(prefix, self._owner, zone.units.values(), zone.aliases.values())

    def _save(self, prefix: Code) -> None:
        write_file(self._folder / "units" / prefix.text, self._bytes(prefix))

    def _need(self, code: Code) -> Unit:
        word = self.unit(code)
        if word is None:
            raise Rejected(Reason.RECIPIENT_UNKNOWN, f"there is no unit {code} in this zone")
        return word

    def _check_successor(
        self, code: Code, successor: Code, at_ms: int, elsewhere: Callable[[Code], Unit | None]
    ) -> None:
        if successor == code:
            raise SuccessorUnfit(successor, 0, itself=True)
        found = self.unit(successor) or elsewhere(successor)
        if found is None and _longest(self._prefixes, successor) is not None:
            raise SuccessorUnfit(successor, 0)
        if found is not None and 0 < found.valid_to_ms <= at_ms:
            raise SuccessorUnfit(successor, found.valid_to_ms)

    def _prefix_for(self, what: str, code: Code) -> Code:
        if code.is_leaf and code in self._leaves:
            return OPAQUE
        prefix = _longest(self._prefixes, code)
        if prefix is None:
            raise NotOurs(what, code, self._prefixes)
        return prefix


def _longest(prefixes: Iterable[Code], code: Code) -> Code | None:
    """Return the longest of some prefixes that a code is under."""
    return max((p for p in prefixes if code.is_under(p)), key=lambda p: len(p.labels), default=None)


def _canonical(word: Unit) -> Unit:
    """Return the unit with all its codes in canonical form."""
    codes = (word.code, word.parent, word.successor)
    code, parent, successor = (parse_code(text).text if text else "" for text in codes)
    return replace(word, code=code, parent=parent, successor=successor)


def code_lines(codes: Iterable[Code]) -> bytes:
    """Return the file that remembers some codes."""
    return "".join(f"{code}\n" for code in sorted(set(codes))).encode()
