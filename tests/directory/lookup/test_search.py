"""Units are found by either written form of the code, by its beginning, and by words of the name as people type them."""

import asyncio
import unicodedata
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from node.directory.lookup.search import SearchIndex
from node.directory.trust.source import LiveDirectory
from node.model.code import parse_code
from node.model.directory import EMPTY, Directory, Unit, Zone, directory_of
from tests.directory.people import NOW_MS

T = TypeVar("T")

NAMES = {
    "H38": "Ủy ban nhân dân tỉnh Lào Cai",
    "H38.01": "Văn phòng Ủy ban nhân dân tỉnh Lào Cai",
    "H38.02": "Sở Nội vụ tỉnh Lào Cai",
    "H38.03": "Sở Thông tin và Truyền thông tỉnh Lào Cai",
    "H38.22": "UBND thành phố Lào Cai",
    "H38.22.05": "Ủy ban nhân dân phường Cốc Lếu",
    "H38.22.07": "Đảng ủy phường Cốc Lếu",
    "H38.61": "Ủy ban nhân dân xã Đắk Rơ Wa",
    "G09": "Bộ Nội vụ",
    "G09.22.05": "Cục Văn thư và Lưu trữ nhà nước",
}


def land(names: dict[str, str], closed: frozenset[str] = frozenset()) -> Directory:
    zones: dict[str, dict[str, Unit]] = {}
    for code, name in names.items():
        short = ("UBND TP Lào Cai",) if code == "H38.22" else ()
        zones.setdefault(code.split(".")[0], {})[code] = Unit(
            code, name, short, valid_to_ms=NOW_MS if code in closed else 0
        )
    return directory_of(1, NOW_MS, [], [Zone(parse_code(p), f"node-{p.lower()}", units) for p, units in zones.items()])


INDEX = SearchIndex(land(NAMES))


def found(query: str, limit: int = 20) -> list[str]:
    return [one.code for one in INDEX.find(query, limit)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("H38.22.05", ["H38.22.05"]),
        ("h38.22", ["H38.22", "H38.22.05", "H38.22.07"]),
        ("H38.2", ["H38.22", "H38.22.05", "H38.22.07"]),
        ("H38.22.", ["H38.22.05", "H38.22.07"]),
        ("000.05.22.H38", ["H38.22.05"]),
        ("000.00.22.H38", ["H38.22", "H38.22.05", "H38.22.07"]),
        ("000.05.22", ["G09.22.05", "H38.22.05"]),
        ("000.05.22.h", ["H38.22.05"]),
        ("000.07.", ["H38.22.07"]),
        ("000.00.22.", ["H38.22"]),
        ("G09", ["G09", "G09.22.05"]),
        ("H99", []),
        ("000.05.99.H38", []),
    ],
)
def test_by_code_in_either_form_or_its_beginning(query: str, expected: list[str]) -> None:
    assert found(query) == expected


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("phuong cco leu", "H38.22.05"),
        ("phường Cốc Lế", "H38.22.05"),
        ("so noi uv lao cai", "H38.02"),
        ("thong tni truyen thog", "H38.03"),
        ("cục văn thuư", "G09.22.05"),
        ("xa dawk ro wa", "H38.61"),
    ],
)
def test_typing_errors_are_forgiven_when_nothing_is_found_otherwise(query: str, first: str) -> None:
    assert first in found(query)[:2]


def test_what_is_like_no_word_of_the_directory_finds_nothing() -> None:
    assert found("qwxz") == []
    assert found("phuong qwxz") == []


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("phường Cốc Lếu", "H38.22.07"),
        ("uy ban phuong coc leu", "H38.22.05"),
        ("coc leu phuong dang", "H38.22.07"),
        ("ĐẢNG ỦY", "H38.22.07"),
        ("dang uy", "H38.22.07"),
        ("đak ro wa", "H38.61"),
        ("dak", "H38.61"),
        ("  so   noi vu ", "H38.02"),
        ("noi vu", "G09"),
        ("bo noi vu", "G09"),
        ("ubnd tinh lao cai", "H38"),
        ("uy ban nhan dan thanh pho lao cai", "H38.22"),
        ("ubnd tp lao cai", "H38.22"),
        ("vp ubnd tinh", "H38.01"),
        ("STTTT", "H38.03"),
        ("so tttt lao cai", "H38.03"),
        ("snv", "H38.02"),
        ("luu tru", "G09.22.05"),
        ("coc leu ub", "H38.22.05"),
    ],
)
def test_by_words_in_any_order_without_accents_and_by_abbreviation(query: str, first: str) -> None:
    assert found(query)[0] == first


def test_every_typed_word_counts_and_nothing_typed_finds_nothing() -> None:
    assert found("so noi vu ha giang") == []
    assert found("") == found("  ") == found("...") == found("-") == []


def test_either_unicode_form_finds_either_unicode_form() -> None:
    name = "Ủy ban nhân dân xã Đắk Rơ Wa"
    for stored in ("NFC", "NFD"):
        index = SearchIndex(land({"H38.61": unicodedata.normalize(stored, name)}))
        for typed in ("NFC", "NFD"):
            assert [one.code for one in index.find(unicodedata.normalize(typed, name), 5)] == ["H38.61"]


def test_closed_units_come_last_and_the_limit_holds() -> None:
    index = SearchIndex(land({f"H38.{n:02}": "Sở Nội vụ" for n in range(30)}, frozenset({"H38.00"})))
    everything = [one.code for one in index.find("so noi vu", 100)]
    assert everything[0] == "H38.01"
    assert everything[-1] == "H38.00"
    assert [one.code for one in index.find("so noi vu", 7)] == everything[:7]
    assert len(index.find("H38", 7)) == 7


def test_what_is_found_says_all_that_is_needed_to_address_it() -> None:
    (one,) = INDEX.find("000.05.22.H38", 5)
    assert (one.code, one.old_code, one.name, one.node_id) == (
        "H38.22.05",
        "000.05.22.H38",
        "Ủy ban nhân dân phường Cốc Lếu",
        "node-h38",
    )


class CountingWorkers:
    """Workers that run at once and count."""

    def __init__(self) -> None:
        self.runs = 0

    def run(self, weight_bytes: int, fn: Callable[[], T]) -> Awaitable[T]:
        async def now() -> T:
            self.runs += 1
            await asyncio.sleep(0)
            return fn()

        return now()


def test_the_live_directory_searches_the_snapshot_in_force_and_builds_one_index_for_it() -> None:
    async def story() -> None:
        workers = CountingWorkers()
        live = LiveDirectory(workers)
        assert live.current() is EMPTY
        assert await live.search("lao cai", 5) == []
        live.replace(land(NAMES))
        workers.runs = 0
        both = await asyncio.gather(live.search("coc leu", 1), live.search("noi vu", 1))
        assert [one[0].code for one in both] == ["H38.22.07", "G09"]
        assert workers.runs == 3

    asyncio.run(story())


def test_subscribers_hear_of_every_change_once_until_they_leave() -> None:
    heard: list[int] = []
    live = LiveDirectory(CountingWorkers())
    leave = live.subscribe(lambda directory: heard.append(directory.version))
    first, second = land(NAMES), directory_of(2, NOW_MS, [], [])
    live.replace(first)
    live.replace(first)
    live.replace(second)
    leave()
    live.replace(first)
    assert heard == [1, 2]
    assert live.current() is first
