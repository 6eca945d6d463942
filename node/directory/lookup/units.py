"""Units of a zone in little memory: octets and a sorted list of codes, a Unit made when it is asked for.

125,000 units as dataclasses take over 60 MiB and half a second at start. Here a zone keeps the file's octets as they were verified;
the first question sorts them into one blob with offsets (1 ms per 1,000 units), and each answer decodes one unit (3 µs).

Aliases are few and small: they are read with the units, into a dict.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from node.directory.grant import cut_off_by
from node.directory.translate import alias as alias_of
from node.directory.translate import unit as unit_of
from node.model.directory import Alias, Unit
from node.wire.truc.v1 import directory_pb2 as pb

RECENT_MAX = 128
"""So many decoded units are kept for the next question: traffic asks for the same few again and again."""


class UnitTable(Mapping[str, Unit]):
    """A zone file's units by canonical code, in order of code. Read-only; safe to read from several threads."""

    def __init__(self, zone_file: bytes, count: int, longer: frozenset[str] = frozenset()) -> None:
        """Take a verified zone file that lists `count` units outside the `longer` prefixes, which hide what lies under them."""
        self.aliases: Mapping[str, Alias] = AliasTable(self._read_aliases)
        self._pending: bytes | None = zone_file
        self._count = count
        self._longer = longer
        self._codes: list[str] = []
        self._blob = b""
        self._ends = array("I")
        self._recent: dict[str, Unit] = {}
        self._aliases: dict[str, Alias] = {}

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[str]:
        return iter(self._sorted())

    def __contains__(self, code: object) -> bool:
        return isinstance(code, str) and self._find(code) >= 0

    def __getitem__(self, code: str) -> Unit:
        word = self._recent.get(code)
        if word is None:
            place = self._find(code)
            if place < 0:
                raise KeyError(code)
            word = self._at(place)
            if len(self._recent) >= RECENT_MAX:
                self._recent.clear()
            self._recent[code] = word
        return word

    def _at(self, place: int) -> Unit:
        start = self._ends[place - 1] if place else 0
        return unit_of(pb.Unit.FromString(self._blob[start : self._ends[place]]))

    def _find(self, code: str) -> int:
        codes = self._sorted()
        place = bisect_left(codes, code)
        return place if place < len(codes) and codes[place] == code else -1

    def _sorted(self) -> list[str]:
        """Return the codes in order; read the file on the first call (harmless if two threads do it at once)."""
        zone_file = self._pending
        if zone_file is not None:
            codes, parts, ends, end = [], [], array("I"), 0
            file = pb.ZoneFile.FromString(zone_file)
            for message in file.units:
                if cut_off_by(message.code, self._longer) is None:
                    part = message.SerializeToString()
                    end += len(part)
                    codes.append(message.code)
                    parts.append(part)
                    ends.append(end)
            assert len(codes) == self._count, "the zone was counted when it was verified"
            self._blob, self._ends, self._codes = b"".join(parts), ends, codes
            self._aliases = {
                one.code: alias_of(one) for one in file.aliases if cut_off_by(one.code, self._longer) is None
            }
            self._pending = None  # last: until then another thread reads the file for itself, instead of half a table
        return self._codes

    def _read_aliases(self) -> dict[str, Alias]:
        self._sorted()
        return self._aliases


class AliasTable(Mapping[str, Alias]):
    """A zone file's aliases by canonical code, in order of code; read on the first question, with the units."""

    def __init__(self, read: Callable[[], dict[str, Alias]]) -> None:
        self._read = read

    def __len__(self) -> int:
        return len(self._read())

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __getitem__(self, code: str) -> Alias:
        return self._read()[code]

    def get(self, code: str, default: Any = None) -> Any:
        """Return one alias; nearly every code that is asked for is none, and an exception for each would cost more."""
        return self._read().get(code, default)
