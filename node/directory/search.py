"""Finding units: by code in either written form or its beginning, or by words of the name in any order, without accents.

An inverted index from folded words to unit numbers. A typed word matches every word it begins; a unit must match all typed words.
Units are numbered in order of code, so a code's beginning is a range of numbers. About 10 MiB for 125,000 units.

Typing errors are forgiven when nothing is found otherwise: each typed word then also stands for the few words of the directory most
like it. Vietnamese names are made of a few thousand syllables, so comparing with all of them takes some milliseconds.
"""

import re
from array import array
from bisect import bisect_left
from collections.abc import Callable
from difflib import get_close_matches
from heapq import nsmallest

from node.directory.fold import ABBREVIATIONS, expanded, fold, initials
from node.errors import Rejected
from node.model.code import parse_code
from node.model.directory import Directory, Unit
from node.model.office import FoundUnit

CANDIDATES_MAX = 1_000
"""Of more matches than this only those with the shortest names are looked at closely; such a query says too little anyway."""

LIKENESS_MIN = 0.6
"""difflib's ratio from which a word may have been meant: one wrong letter in three."""
LIKE_WORDS_MAX = 8
"""The words most like a typed one, and those of the same letters, for exchanging two is the commonest slip."""

_NUMBER_BITS, _CLOSED_BIT = 32, 48
_NUMBER_MASK = (1 << _NUMBER_BITS) - 1

_NEW_BEGINNING = re.compile(r"[A-Z][0-9]{2}(\.[0-9A-Z]{0,8}){0,7}")
_OLD_BEGINNING = re.compile(r"[0-9A-Z]{1,8}(\.[0-9A-Z]{1,8}){1,7}\.?|[0-9A-Z]{1,8}\.")


class SearchIndex:
    """An index over one snapshot. Building takes about a second for 125,000 units: do it in a worker."""

    def __init__(self, directory: Directory) -> None:
        """Build the index."""
        zones = list(directory.zones.values())
        numbered = sorted((code, number) for number, zone in enumerate(zones) for code in zone.units)
        self._codes = [code for code, _ in numbered]
        self._zones = [zones[number] for _, number in numbered]
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
        return FoundUnit(unit.code, parse_code(unit.code).old_form or "", unit.name, self._zones[number].node_id)

    def _by_code(self, text: str, limit: int) -> list[int]:
        """Return the units whose code is, or begins with, what was typed, in order of code."""
        if _NEW_BEGINNING.fullmatch(text):
            return self._range(text, limit)
        if not _OLD_BEGINNING.fullmatch(text):
            return []
        try:
            code = parse_code(text).text
        except Rejected:
            return self._by_old_beginning(text, limit)
        return [number for number in self._range(code, limit) if self._codes[number][len(code) :][:1] in ("", ".")]

    def _range(self, beginning: str, limit: int) -> list[int]:
        start = bisect_left(self._codes, beginning)
        end = bisect_left(self._codes, beginning + "\x7f")
        return list(range(start, min(end, start + limit)))

    def _by_old_beginning(self, text: str, limit: int) -> list[int]:
        """Find `000.05.2`, the beginning of 000.05.22.H49: canonical codes that end in `.2….05`."""
        *whole, last = text.split(".")
        ending = "".join(rf"\.{group}" for group in reversed(whole) if group.strip("0"))
        if not ending and not last.strip("0"):
            return []
        middle = rf"(?:^|\.){last}[0-9A-Z]*" if last else ""
        pattern = re.compile(f"{middle}{ending}$")
        found = (number for number, code in enumerate(self._codes) if pattern.search(code))
        return [number for number, _ in zip(found, range(limit), strict=False)]

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
