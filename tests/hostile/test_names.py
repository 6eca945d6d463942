"""Names and aliases that a member lists: they cost nobody a unit, a search or a wrong address."""

import time

import pytest

from node.directory import translate
from node.directory.lookup.search import ALIASES_SHOWN_MAX, SearchIndex
from node.directory.rules import check_unit, check_zone_file
from node.errors import Broken
from node.model.code import parse_code
from node.model.directory import Alias, Directory, Unit, Zone, directory_of
from node.web.vxp.agencies import _older_codes
from node.wire.truc.v1 import directory_pb2 as pb
from tests.directory.people import NOW_MS

H49 = parse_code("H49")
ODD_NAMES = {
    "turned round": "Sở \u202eụv iộN",
    "of no width": "Sở Nội\u200b vụ",
    "joined by nothing": "Sở\u2060 Nội vụ\ufeff",
    "a soft hyphen": "Sở Nội\u00ad vụ",
}


@pytest.mark.parametrize("what", ODD_NAMES)
def test_what_nobody_sees_in_a_name_is_refused_where_it_is_written_and_passed_over_where_it_is_read(what: str) -> None:
    odd = pb.Unit(code="H49.22", name=ODD_NAMES[what])
    with pytest.raises(Broken):
        check_unit(H49, odd)
    with pytest.raises(Broken):
        check_unit(H49, pb.Unit(code="H49.22", name="Sở Nội vụ", short_names=[ODD_NAMES[what]]))
    zone = pb.ZoneFile(prefix="H49", node_id="h49", units=[odd])
    check_zone_file(zone.SerializeToString(), H49, "h49")  # older nodes have let it through, and its units are served
    assert translate.unit(odd).name in ("Sở Nội vụ", "Sở ụv iộN")


def test_a_name_of_nothing_that_is_seen_is_shown_as_the_code() -> None:
    assert translate.unit(pb.Unit(code="H49.22", name="\u200b\u200b")).name == "H49.22"


def test_a_hundred_thousand_short_names_are_sixteen() -> None:
    many = pb.Unit(code="H49.22", name="Sở", short_names=[f"S{number}" for number in range(100_000)])
    with pytest.raises(Broken):
        check_unit(H49, many)
    assert len(translate.unit(many).short_names) == 16
    check_unit(H49, pb.Unit(code="H49.22", name="Sở", short_names=[f"S{number}" for number in range(16)]))


def land() -> Directory:
    """A province whose unit 60,000 aliases of another member lead to, and one of its own."""
    strange = {f"E00.{number:05}": Alias(f"E00.{number:05}", "H49.22") for number in range(60_000)}
    own = {"H49.99": Alias("H49.99", "H49.22")}
    zones = [
        Zone(parse_code("E00"), "evil", {"E00": Unit("E00", "Đơn vị")}, strange),
        Zone(H49, "h49", {"H49.22": Unit("H49.22", "Sở Nội vụ")}, own),
    ]
    return directory_of(1, NOW_MS, [], zones)


def test_aliases_onto_somebody_else_s_unit_do_not_drown_its_own() -> None:
    directory = land()
    index = SearchIndex(directory)
    began_s = time.process_time()
    [found] = index.find("Nội vụ", 20)
    assert time.process_time() - began_s < 1
    assert len(found.aliases) == ALIASES_SHOWN_MAX
    assert Alias("H49.99", "H49.22") in found.aliases
    assert [one.code for one in index.find("E00.59999", 5)] == ["H49.22"], "and all of them find it"


def test_the_older_code_that_programs_are_told_is_one_of_the_unit_s_own_node() -> None:
    assert _older_codes(land(), NOW_MS) == {"H49.22": "000.00.99.H49"}
