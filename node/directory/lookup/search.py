"""Search for units: by code in either written form or its beginning, or by words of the name in any order, without accents.

It is an inverted index from folded words to unit numbers. A typed word matches every word it begins; a unit must match all typed words.
Units are numbered in order of code, so a code's beginning is a range of numbers. It takes about 10 MiB for 125,000 units. An alias is
found as its unit, whenever it holds: people look for a code that no longer holds to learn what has become of it.

Typing errors are forgiven when nothing is found otherwise: each typed word then also stands for the few words of the directory most
like it. Vietnamese names are made of a few thousand syllables, so comparing with all of them takes some milliseconds.
"""

import re
from array import array
from bisect import bisect_left
from collections.abc import Callable
from difflib import get_close_matches
from heapq import nsmallest
from itertools import islice

from node.directory.lookup.fold import ABBREVIATIONS, expanded, fold, initials
from node.errors import Rejected
from node.model.code import parse_code
from node.model.directory import Alias, Directory, Unit
from node.model.office import FoundUnit

CANDIDATES_MAX = 1_000
"""Of more matches than this only those with the shortest names are looked at closely; such a query says too little anyway."""

LIKENESS_MIN = 0.6
"""difflib's ratio from which a word may have been meant: one wrong letter in three."""
LIKE_WORDS_MAX = 8
"""The words most like a typed one, and those of the same letters, for exchanging two is the commonest slip."""

ALIASES_SHOWN_MAX = 16
"""With one unit; all of them find it. Anybody may list aliases that lead to anybody's unit."""

_NUMBER_BITS, _CLOSED_BIT = 32, 48
_NUMBER_MASK = (1 << _NUMBER_BITS) - 1

_NEW_BEGINNING = re.compile(r"[A-Z][0-9]{2}(\.[0-9A-Z]{0,8}){0,7}")
_LEAF_BEGINNING = re.compile(r"Z[0-9]{2}[0-9A-Z]{1,32}|[0-9]{4,13}|[0-9]{10}-[0-9]{1,3}")
"""Of an opaque code; fewer digits than four say too little."""
_OLD_BEGINNING = re.compile(r"[0-9A-Z]{1,8}(\.[0-9A-Z]{1,8}){1,7}\.?|[0-9A-Z]{1,8}\.")


class SearchIndex:
    """An index over one snapshot. Building takes about a second for 125,000 units: do it in a worker."""

    def __init__(self, directory: Directory) -> None:
        """Build the index."""
        zones = list(directory.zones.values())
        numbered = sorted((code, number) for number, zone in enumerate(zones) for code in zone.units)
        self._codes = [code for code, _ in numbered]
        self._zones = [zones[number] for _, number in numbered]
        self._aliases = directory.aliases_by_unit()
        self._shown = {unit: _own_first(directory, unit, them) for unit, them in self._aliases.items()}
        self._alias_codes, self._alias_numbers = self._numbered_aliases()
        self._keys = array("Q")
        self._postings: dict[str, array[int]] = {}
        self._syllables_seen: set[str] = set()
        for number in range(len(self._codes)):
            self._add(number, self._unit(number))
        self._words = sorted(self._postings)
        self._syllables = sorted(self._syllables_seen)
        del self._syllables_seen

    def find(self, query: str, limit: int) -> list[FoundUnit]:
        """Return up to `limit` units, the best first: by code if the query looks like one and finds something, else by name."""
        numbers = self._by_code(query.strip().upper(), limit) or self._by_name(fold(query), limit)
        return [self._found(number) for number in numbers]

    def _numbered_aliases(self) -> tuple[list[str], list[int]]:
        """Return all alias codes in order, and for each the number of its unit; those that lead to no unit are left out."""
        pairs = []
        for unit, aliases in self._aliases.items():
            number = bisect_left(self._codes, unit)
            if number < len(self._codes) and self._codes[number] == unit:
                pairs += [(alias.code, number) for alias in aliases]
        pairs.sort()
        return [code for code, _ in pairs], [number for _, number in pairs]

    def _add(self, number: int, unit: Unit) -> None:
        name = fold(unit.name)
        self._syllables_seen.update(word for word in name if word.isalpha())
        words = {*name, initials(name)}
        for short_name in unit.short_names:
            words.update(fold(short_name))
        words.update(full for word in ABBREVIATIONS.keys() & words for full in ABBREVIATIONS[word])
        for word in words:
            self._postings.setdefault(word, array("I")).append(number)
        # Orders matches that fit equally well: open before closed, then the shorter name, then the code.
        self._keys.append((unit.valid_to_ms != 0) << _CLOSED_BIT | min(len(name), 0xFFFF) << _NUMBER_BITS | number)

    def _unit(self, number: int) -> Unit:
        return self._zones[number].units[self._codes[number]]

    def _found(self, number: int) -> FoundUnit:
        unit = self._unit(number)
        aliases = self._shown.get(unit.code, ())
        return FoundUnit(
            unit.code, parse_code(unit.code).old_form or "", unit.name, self._zones[number].node_id, aliases
        )

    def _by_code(self, text: str, limit: int) -> list[int]:
        """Return the units whose code or alias is, or begins with, what was typed: first what is it, then in order of code."""
        if _NEW_BEGINNING.fullmatch(text) or _LEAF_BEGINNING.fullmatch(text):
            return self._beginning(text.replace("-", ""), "", limit)
        if not _OLD_BEGINNING.fullmatch(text):
            return []
        try:
            code = parse_code(text).text
        except Rejected:
            return self._by_old_beginning(text, limit)
        return self._beginning(code, ".", limit)  # an old code is whole, so a longer one goes on with a new label

    def _beginning(self, beginning: str, then: str, limit: int) -> list[int]:
        """Return units by the beginning of their codes and aliases; `then` is what must follow it in a longer code."""
        exact = self._range(self._codes, beginning, "\0") + self._aliased(beginning, "\0")
        # A closed unit whose code is the alias of its heir: the heir is who is meant.
        exact.sort(key=lambda number: self._keys[number] >> _CLOSED_BIT)
        longer = self._range(self._codes, beginning + then, "\x7f", limit) + self._aliased(
            beginning + then, "\x7f", limit
        )
        return list(dict.fromkeys(exact + longer))[:limit]

    def _aliased(self, beginning: str, end: str, limit: int = 1) -> list[int]:
        return [self._alias_numbers[place] for place in self._range(self._alias_codes, beginning, end, limit)]

    @staticmethod
    def _range(codes: list[str], beginning: str, end: str, limit: int = 1) -> list[int]:
        """Return the places, at most `limit`, of codes that begin with something (`end` "\x7f") or are just that ("\0")."""
        start = bisect_left(codes, beginning)
        return list(range(start, min(bisect_left(codes, beginning + end), start + limit)))

    def _by_old_beginning(self, text: str, limit: int) -> list[int]:
        """Find `000.05.2`, the beginning of 000.05.22.H49: canonical codes that end in `.2….05`."""
        *whole, last = text.split(".")
        ending = "".join(rf"\.{group}" for group in reversed(whole) if group.strip("0"))
        if not ending and not last.strip("0"):
            return []
        middle = rf"(?:^|\.){last}[0-9A-Z]*" if last else ""
        pattern = re.compile(f"{middle}{ending}$")
        own = (number for number, code in enumerate(self._codes) if pattern.search(code))
        aliased = (self._alias_numbers[place] for place, code in enumerate(self._alias_codes) if pattern.search(code))
        return list(dict.fromkeys([*islice(own, limit), *islice(aliased, limit)]))[:limit]

    def _by_name(self, words: list[str], limit: int) -> list[int]:
        if not words:
            return []
        numbers = self._matching(words, self._lists) or self._matching(words, self._lists_of_like)
        keys = nsmallest(CANDIDATES_MAX, map(self._keys.__getitem__, numbers))
        typed = {" ".join(words), " ".join(expanded(words))}
        ranked = sorted((key >> _CLOSED_BIT, self._fit(key & _NUMBER_MASK, words, typed), key) for key in keys)
        return [key & _NUMBER_MASK for _, _, key in ranked[:limit]]

    def _matching(self, words: list[str], lists_of: "Callable[[str], list[array[int] | set[int]]]") -> set[int]:
        """Return the units that match every word, beginning with the rarest word."""
        lists = sorted((lists_of(word) for word in set(words)), key=lambda one: sum(map(len, one)))
        numbers = set().union(*lists[0])
        for others in lists[1:]:
            numbers = set().union(*(numbers.intersection(one) for one in others))
        return numbers

    def _lists(self, word: str) -> "list[array[int] | set[int]]":
        """Return the number lists whose union matches one typed word."""
        start = bisect_left(self._words, word)
        end = bisect_left(self._words, word + "\U0010ffff")
        lists: list[array[int] | set[int]] = [self._postings[one] for one in self._words[start:end]]
        parts = [self._postings.get(part, array("I")) for part in ABBREVIATIONS.get(word, ())]
        if parts:
            parts.sort(key=len)
            lists.append(set(parts[0]).intersection(*parts[1:]))
        return lists

    def _lists_of_like(self, word: str) -> "list[array[int] | set[int]]":
        """Return the number lists of a typed word, and of the words it may have been meant for."""
        like: set[str] = set()
        if word.isalpha():
            letters = sorted(word)
            like.update(get_close_matches(word, self._syllables, LIKE_WORDS_MAX, LIKENESS_MIN))
            like.update(one for one in self._syllables if len(one) == len(word) and sorted(one) == letters)
        return [*self._lists(word), *(self._postings[one] for one in sorted(like))]

    def _fit(self, number: int, words: list[str], typed: set[str]) -> int:
        unit = self._unit(number)
        name = fold(unit.name)
        names = [" ".join(name), " ".join(expanded(name)), *(" ".join(fold(short)) for short in unit.short_names)]
        return _fit(names, words, typed)


def _own_first(directory: Directory, unit: str, aliases: list[Alias]) -> tuple[Alias, ...]:
    """Return the aliases of a unit that are shown, in order of code: if there are too many, first those that its own node lists."""
    if len(aliases) <= ALIASES_SHOWN_MAX:
        return tuple(aliases)
    zone = directory.zone_of(parse_code(unit))
    own = [one for one in aliases if zone is not None and directory.holder_of_alias(one) == zone.node_id]
    others = [one for one in aliases if one not in own[:ALIASES_SHOWN_MAX]]
    return tuple(sorted((own + others)[:ALIASES_SHOWN_MAX], key=lambda one: one.code))


def _fit(names: list[str], words: list[str], typed: set[str]) -> int:
    """Return how well names fit: 0 is one of them, 1 begins one, 2 stands in one, 3 all words whole, 4 beginnings of words.

    Above 4: so many words are only like one of theirs.
    """
    if any(name in typed for name in names):
        return 0
    if any(name.startswith(text) for name in names for text in typed):
        return 1
    if any(f" {text}" in name for name in names for text in typed):
        return 2
    whole = {word for name in names for word in name.split()}
    if whole.issuperset(words):
        return 3
    return 4 + sum(not any(one.startswith(word) for one in whole) for word in words)
