"""Aliases in the directory: who may list which, what is refused and where, and how a unit is found by its other codes."""

from pathlib import Path
from typing import Any

import pytest

from node.directory.authority.authority import Authority
from node.directory.lookup.search import SearchIndex
from node.directory.lookup.units import UnitTable
from node.directory.translate import zone_bytes
from node.directory.trust.trust import TrustedFolder
from node.directory.zone.listing import UnitIsClosed
from node.directory.zone.zone import ZoneEditor
from node.errors import Broken, Denied, Fault, Rejected
from node.model.code import parse_code
from node.model.directory import Alias, Unit, Zone, directory_of
from node.model.reason import Reason
from tests.directory.people import NOW_MS, Country, codes, country, entry, node_bytes, smuggle, unit

H38 = parse_code("H38")
OLD = Alias("H38.99", "H38.01")
NODE = {"nodes/lao-cai": node_bytes(entry("lao-cai"))}


@pytest.fixture
def land(tmp_path: Path) -> Country:
    land = country(tmp_path)
    editor = land.join("lao-cai", "H38", "H63")
    editor.add_units([unit("H38.01", "Sở Nội vụ"), unit("H38.02", "Sở Tài chính")])
    land.authority.take(editor.update(NOW_MS), NOW_MS)
    land.authority.publish(NOW_MS)
    return land


def editor(land: Country) -> ZoneEditor:
    return ZoneEditor.open(land.zone_folder("lao-cai"))


def publish(land: Country) -> TrustedFolder:
    """Publish the zone; return another node's directory after it."""
    land.authority.take(editor(land).update(NOW_MS), NOW_MS)
    land.authority.publish(NOW_MS)
    reader = land.trusted("reader")
    reader.update_from(land.authority.public, NOW_MS)
    return reader


# --- from the operator to everybody -----------------------------------------------------------------------------------


def test_the_closed_code_of_a_merged_province_reaches_the_unit_that_took_over(land: Country) -> None:
    """H63 (Yên Bái) was merged into H38 (Lào Cai), whose node holds both prefixes (domain.md 6.4)."""
    zone = editor(land)
    assert zone.add_aliases([Alias("000.00.01.H63", "h38.01"), Alias("H63", "H38.02", NOW_MS, NOW_MS + 5)]) == 2
    reader = publish(land)
    for directory in (reader.load(), TrustedFolder(land.root / "reader" / "directory").load()):
        assert directory.resolve(parse_code("H63.01"), NOW_MS) == parse_code("H38.01")
        assert directory.alias(parse_code("H63")) == Alias("H63", "H38.02", NOW_MS, NOW_MS + 5)
        assert directory.aliases_by_unit()["H38.01"] == [Alias("H63.01", "H38.01")]
    [node] = land.authority.summary().nodes
    assert (node.units, node.aliases) == (2, 2)
    assert [one.code for one in editor(land).aliases()] == ["H63", "H63.01"]


def test_an_alias_may_lead_to_another_nodes_unit_but_nobody_lists_anothers_code(land: Country) -> None:
    zone = editor(land)
    zone.add_aliases([Alias("H38.98", "H22.05")])
    with pytest.raises(Denied, match=r"alias H22\.05 is under none of this node's prefixes \(H38, H63\)"):
        zone.add_aliases([Alias("H38.97", "H38.01"), Alias("H22.05", "H38.01")])
    assert [one.code for one in editor(land).aliases()] == ["H38.98"], "all or none"


def test_an_alias_replaced_ended_and_removed(land: Country) -> None:
    zone = editor(land)
    zone.add_aliases([OLD])
    zone.add_aliases([Alias("H38.99", "H38.02", 0, NOW_MS)])
    assert editor(land).aliases() == [Alias("H38.99", "H38.02", 0, NOW_MS)]
    zone.remove_alias(parse_code("000.00.99.H38"))
    assert (editor(land).aliases(), editor(land).unit(parse_code("H38.01"))) == ([], unit("H38.01", "Sở Nội vụ"))
    with pytest.raises(Rejected, match=r"there is no alias H38\.99"):
        zone.remove_alias(parse_code("H38.99"))


def test_a_closed_units_code_becomes_an_alias_from_the_closing_on_and_the_unit_cannot_open_again(land: Country) -> None:
    zone = editor(land)
    zone.close_unit(parse_code("H38.01"), NOW_MS, parse_code("H38.02"))
    zone.add_aliases([Alias("H38.01", "H38.02")])
    assert zone.alias(parse_code("H38.01")) == Alias("H38.01", "H38.02", NOW_MS)
    with pytest.raises(Broken, match=r"H38\.01 is a unit and an alias of H38\.02 at the same time"):
        zone.add_unit(unit("H38.01"), reopen=True)
    with pytest.raises(UnitIsClosed, match=r"H38\.01 is closed since"):
        zone.add_unit(unit("H38.01"))
    assert publish(land).load().resolve(parse_code("H38.01"), NOW_MS) == parse_code("H38.02")


@pytest.mark.parametrize(
    ("aliases", "said"),
    [
        ([Alias("H38.01", "H38.02")], "H38.01 is a unit and an alias of H38.02 at the same time"),
        ([Alias("H38.02", "H22.01", NOW_MS)], "H38.02 is a unit and an alias of H22.01 at the same time"),
        ([Alias("H38.99", "000.00.99.H38")], "alias H38.99 leads to itself"),
        ([OLD, Alias("H38.98", "H38.99")], "alias H38.98 leads to H38.99, an alias itself; let it lead to H38.01"),
        ([OLD, Alias("H63.98", "H38.99")], "alias H63.98 leads to H38.99, an alias itself"),
        ([Alias("H38.99", "H38.01", 20, 10)], "ends before it begins"),
        ([Alias("H38.99", "H38.01", 20, 20)], "ends when it begins"),
        ([Alias("H38.99", "H38.01", -1)], "ends before it begins"),
        ([Alias("H38.#", "H38.01")], "not an identifier code"),
        ([Alias("H38.99", "")], "not an identifier code"),
    ],
)
def test_a_wrong_alias_is_refused_where_it_is_made_and_none_of_its_company_added(
    land: Country, aliases: list[Alias], said: str
) -> None:
    zone = editor(land)
    with pytest.raises(Fault) as refused:
        zone.add_aliases([Alias("H38.50", "H38.02"), *aliases])
    assert said in refused.value.detail
    assert zone.aliases() == editor(land).aliases() == []


def test_times_that_follow_each_other_are_no_contradiction(land: Country) -> None:
    zone = editor(land)
    zone.add_units([Unit("H38.03", "Sở cũ", valid_to_ms=NOW_MS), Unit("H38.04", "Sở mới", valid_from_ms=NOW_MS)])
    zone.add_aliases([Alias("H38.04", "H38.03", 0, NOW_MS), Alias("H38.03", "H38.01", NOW_MS)])
    directory = publish(land).load()
    met = {at: [str(directory.resolve(c, at)) for c in codes("H38.03", "H38.04")] for at in (NOW_MS - 1, NOW_MS)}
    assert met == {NOW_MS - 1: ["H38.03", "H38.03"], NOW_MS: ["H38.01", "H38.04"]}


# --- what a signature does not make right -----------------------------------------------------------------------------


def listed(aliases: list[Any], units: tuple[Unit, ...] = (unit("H38.01"),)) -> bytes:
    return zone_bytes(H38, "lao-cai", units, aliases)


WRONG = {
    "alias H39.01 is not under H38": listed([Alias("H39.01", "H38.01")]),
    "alias H38.99 is listed twice": listed([OLD, OLD]),
    "canonical form H38.99": listed([Alias("000.00.99.H38", "H38.01")]),
    "canonical form H38.01": listed([Alias("H38.99", "000.00.01.H38")]),
    "leads to itself": listed([Alias("H38.99", "H38.99")]),
    "a unit and an alias of H38.02 at the same time": listed([Alias("H38.01", "H38.02")]),
    "an alias itself": listed([OLD, Alias("H38.98", "H38.99")]),
    "ends before it begins": listed([Alias("H38.99", "H38.01", 2, 1)]),
}


@pytest.mark.parametrize("said", WRONG)
def test_a_signed_zone_with_a_wrong_alias_is_not_believed_and_the_former_stays(land: Country, said: str) -> None:
    zone = editor(land)
    zone.add_aliases([OLD])
    reader = publish(land)
    smuggle(land, "lao-cai", NODE | {"zones/H38": WRONG[said]}, 9)
    land.authority.publish(NOW_MS)
    directory = reader.update_from(land.authority.public, NOW_MS)
    assert directory.resolve(parse_code("H38.99"), NOW_MS) == parse_code("H38.01")
    assert [said in one.advice for one in reader.findings] == [True], reader.findings


def test_the_authority_refuses_an_alias_under_a_prefix_that_another_node_holds(land: Country) -> None:
    land.join("sa-pa", "H38.61")
    zone = editor(land)
    zone.add_aliases([Alias("H38.61.02", "H38.01")])
    with pytest.raises(Broken, match=r"alias H38\.61\.02 belongs to zones/H38\.61"):
        land.authority.take(zone.update(NOW_MS), NOW_MS)


def test_a_prefix_granted_later_hides_the_aliases_listed_above_it(land: Country) -> None:
    zone = editor(land)
    zone.add_aliases([Alias("H38.61.02", "H38.01"), OLD])
    reader = publish(land)
    land.join("sa-pa", "H38.61")
    land.authority.publish(NOW_MS)
    directory = reader.update_from(land.authority.public, NOW_MS)
    assert list(directory.zones[H38].aliases) == ["H38.99"]
    assert directory.resolve(parse_code("H38.61.02"), NOW_MS) == parse_code("H38.61.02")
    assert ["hides 1 aliases" in one.advice for one in reader.findings] == [True]


def test_aliases_move_with_a_change_of_prefixes_and_come_back_with_theirs(land: Country) -> None:
    zone = editor(land)
    zone.add_aliases([OLD, Alias("H63.01", "H38.01")])
    zone.set_prefixes(codes("H38"))
    assert [one.code for one in editor(land).aliases()] == ["H38.99"]
    zone.set_prefixes(codes("H38", "H63"))
    assert [one.code for one in editor(land).aliases()] == ["H38.99", "H63.01"]


def test_prefixes_that_bring_an_alias_to_an_alias_are_refused_before_anything_is_written(land: Country) -> None:
    zone = editor(land)
    zone.add_aliases([Alias("H38.99", "H38.61.01")])
    zone.set_prefixes(codes("H38.61"))
    zone.add_aliases([Alias("H38.61.01", "H38.61.02")])
    with pytest.raises(Broken, match="an alias itself"):
        zone.set_prefixes(codes("H38"))
    assert editor(land).prefixes == zone.prefixes == codes("H38.61")


def test_aliases_of_a_zone_are_a_dict_and_a_zone_may_have_nothing_else(land: Country) -> None:
    table = UnitTable(zone_bytes(H38, "n", [], [OLD, Alias("H38.98", "H10.01")]), 0)
    assert (len(table), len(table.aliases), list(table.aliases)) == (0, 2, ["H38.98", "H38.99"])
    assert (table.aliases["H38.99"], table.aliases.get("H38.01"), "H38.98" in table.aliases) == (OLD, None, True)
    zone = land.join("yen-bai", "H15")
    zone.add_aliases([Alias("H15", "H38.01")])
    land.authority.take(zone.update(NOW_MS), NOW_MS)
    land.authority.publish(NOW_MS)
    reader = land.trusted("reader")
    assert reader.update_from(land.authority.public, NOW_MS).resolve(parse_code("H15"), 1) == parse_code("H38.01")
    assert Authority.open(land.root / "authority").summary().nodes[-1].aliases == 1


# --- searching ---------------------------------------------------------------------------------------------------------


def found(query: str, limit: int = 20) -> list[str]:
    closed = {"valid_to_ms": NOW_MS, "successor": "H38.22.07"}
    units = {
        "H38": unit("H38", "Ủy ban nhân dân tỉnh Lào Cai"),
        "H38.22.05": Unit("H38.22.05", "Phường cũ", **closed),  # type: ignore[arg-type]
        "H38.22.07": unit("H38.22.07", "Ủy ban nhân dân phường Cốc Lếu"),
    }
    aliases = [
        Alias("H38.22.05", "H38.22.07", NOW_MS),
        Alias("H38.23.05", "H38.22.07", 0, 1),
        Alias("H38.24", "H38.77"),
    ]
    yen_bai = Zone(parse_code("H63"), "yen-bai", {}, {"H63": Alias("H63", "H38")})
    zone = Zone(H38, "lao-cai", units, {one.code: one for one in aliases})
    return [one.code for one in SearchIndex(directory_of(1, NOW_MS, [], [zone, yen_bai])).find(query, limit)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("H63", ["H38"]),
        ("000.00.00.H63", ["H38"]),
        ("H38.22.05", ["H38.22.07", "H38.22.05"]),
        ("000.05.22.H38", ["H38.22.07", "H38.22.05"]),
        ("H38.23", ["H38.22.07"]),
        ("000.05.23", ["H38.22.07"]),
        ("05.23.H38", ["H38.22.07"]),
        ("H38.24", []),
        ("H38", ["H38", "H38.22.05", "H38.22.07"]),
        ("coc leu", ["H38.22.07"]),
    ],
)
def test_an_alias_finds_its_unit_in_either_form_and_by_its_beginning(query: str, expected: list[str]) -> None:
    assert found(query) == expected


def test_the_limit_holds_and_what_is_found_names_all_its_aliases() -> None:
    assert found("H38", 1) == ["H38"]
    zone = Zone(H38, "lao-cai", {"H38.01": unit("H38.01")}, {"H38.99": OLD, "H38.98": Alias("H38.98", "H38.01", 0, 1)})
    [one] = SearchIndex(directory_of(1, NOW_MS, [], [zone])).find("H38.99", 5)
    assert one.aliases == (Alias("H38.98", "H38.01", 0, 1), OLD)


def test_reasons_name_who_must_act(land: Country) -> None:
    with pytest.raises(Broken) as refused:
        editor(land).add_aliases([Alias("H38.01", "H38.02")])
    assert refused.value.reason is Reason.DIRECTORY_INVALID
