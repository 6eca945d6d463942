"""What a node's own list keeps of closed units, and who may take over."""

from pathlib import Path

import pytest

from node.directory.zone.listing import Listing, SuccessorUnfit, UnitIsClosed
from node.model.code import parse_code
from node.model.directory import Unit
from tests.directory.people import NOW_MS

OLD, HEIR, GRANTED = (parse_code(code) for code in ("H38.01", "H38.02", "H38.25.01"))


@pytest.fixture
def listing(tmp_path: Path) -> Listing:
    made = Listing(tmp_path, "lao-cai", [parse_code("H38")])
    made.add_units([Unit("H38.01", "Sở cũ"), Unit("H38.02", "Sở mới")])
    return made


def test_a_unit_of_another_node_under_our_prefix_takes_over_while_it_is_open(listing: Listing) -> None:
    others = {GRANTED.text: Unit(GRANTED.text, "Xã", valid_to_ms=NOW_MS + 5)}
    with pytest.raises(SuccessorUnfit, match="not in this zone"):
        listing.close_unit(OLD, NOW_MS, GRANTED)
    with pytest.raises(SuccessorUnfit, match="closed since"):
        listing.close_unit(OLD, NOW_MS, GRANTED, from_ms=NOW_MS + 5, elsewhere=lambda code: others.get(code.text))
    assert listing.close_unit(OLD, NOW_MS, GRANTED, elsewhere=lambda code: others.get(code.text))


def test_what_will_close_keeps_its_day_and_a_closed_one_its_heir(listing: Listing) -> None:
    assert listing.close_unit(OLD, NOW_MS, HEIR, from_ms=NOW_MS + 9)
    assert not listing.close_unit(OLD, NOW_MS, from_ms=NOW_MS + 9)
    with pytest.raises(UnitIsClosed):
        listing.close_unit(OLD, NOW_MS)
    assert not listing.close_unit(OLD, NOW_MS + 20)
    assert listing.unit(OLD) == Unit("H38.01", "Sở cũ", valid_to_ms=NOW_MS + 9, successor="H38.02")


def test_a_closed_unit_opens_only_on_demand_and_with_it_all_or_none(listing: Listing) -> None:
    listing.close_unit(OLD, NOW_MS, HEIR)
    with pytest.raises(UnitIsClosed):
        listing.add_units([Unit("H38.03", "Mới"), Unit("000.00.01.H38", "Tên khác")])
    assert [one.code for one in listing.units()] == ["H38.01", "H38.02"]
    listing.add_unit(Unit("H38.01", "Sở cũ, tên mới"), reopen=True)
    assert listing.unit(OLD) == Unit("H38.01", "Sở cũ, tên mới")
