"""One node's nonsense, properly signed and carelessly published, does not take the directory down: its former files stay."""

from dataclasses import replace
from pathlib import Path

import pytest

from node.directory.translate import zone_bytes
from node.directory.trust.trust import TrustedFolder
from node.directory.zone.zone import ZoneEditor
from node.model.code import parse_code
from node.model.directory import Unit
from tests.directory.people import DAY_MS, NOW_MS, Country, codes, country, entry, files_of, node_bytes, smuggle, unit

H38 = parse_code("H38")


@pytest.fixture
def land(tmp_path: Path) -> Country:
    land = country(tmp_path)
    editor = land.join("lao-cai", "H38")
    editor.add_unit(unit("H38.01", "Sở Nội vụ"))
    land.authority.take(editor.update(NOW_MS), NOW_MS)
    land.authority.publish(NOW_MS)
    return land


@pytest.fixture
def reader(land: Country) -> TrustedFolder:
    reader = land.trusted("reader")
    reader.update_from(land.authority.public, NOW_MS)
    land.join("ha-giang", "H22")
    return reader


NODE = {"nodes/lao-cai": node_bytes(entry("lao-cai"))}


def test_a_malformed_zone_keeps_the_former_one_and_others_get_their_update(
    land: Country, reader: TrustedFolder
) -> None:
    listed = zone_bytes(H38, "lao-cai", [unit("H38.01"), unit("H38.02")])
    wrong = {
        "unit H39.01 is not under H38": zone_bytes(H38, "lao-cai", [unit("H39.01")]),
        "unit H38.01 is listed twice": zone_bytes(H38, "lao-cai", [unit("H38.01"), unit("H38.01")]),
        "not an identifier code": zone_bytes(H38, "lao-cai", [Unit("H38.#", "x")]),
        "canonical form H38.01": zone_bytes(H38, "lao-cai", [Unit("000.00.01.H38", "x")]),
        "names another node": zone_bytes(H38, "ha-giang", [unit("H38.01")]),
        "about another prefix": zone_bytes(parse_code("H39"), "lao-cai", []),
        "not a zone file": listed[:-1],
    }
    for version, (finding, data) in enumerate(wrong.items(), 3):
        smuggle(land, "lao-cai", NODE | {"zones/H38": data}, version)
        land.authority.publish(NOW_MS)
        directory = reader.update_from(land.authority.public, NOW_MS)
        assert directory.version == version
        assert "ha-giang" in directory.nodes
        found = directory.unit(parse_code("H38.01"))
        assert found is not None
        assert found.name == "Sở Nội vụ"
        assert [finding in one.advice for one in reader.findings] == [True], reader.findings
        assert TrustedFolder(land.root / "reader" / "directory").load().unit(parse_code("H38.01")) == found
    newcomer = land.trusted("newcomer")
    assert newcomer.update_from(dict(reader.missing_for({})), NOW_MS).unit(parse_code("H38.01")) is None
    smuggle(land, "lao-cai", NODE | {"zones/H38": listed}, 99)
    land.authority.publish(NOW_MS)
    assert reader.update_from(land.authority.public, NOW_MS).unit_count() == 2
    assert reader.findings == []


def test_a_zone_outside_the_grant_is_ignored_and_reported(land: Country, reader: TrustedFolder) -> None:
    stolen = {"zones/H22": zone_bytes(parse_code("H22"), "lao-cai", [unit("H22.01")])}
    smuggle(land, "lao-cai", NODE | stolen, 3)
    land.authority.publish(NOW_MS)
    directory = reader.update_from(land.authority.public, NOW_MS)
    assert directory.zones[parse_code("H22")].node_id == "ha-giang"
    assert directory.unit(parse_code("H22.01")) is None
    assert directory.nodes["ha-giang"] == entry("ha-giang")
    said = " ".join(one.advice for one in reader.findings)
    assert "zones/H22: signed by lao-cai, to whom it is not granted" in said


def test_a_node_file_that_describes_another_node_is_not_believed(land: Country, reader: TrustedFolder) -> None:
    smuggle(land, "lao-cai", {"nodes/lao-cai": node_bytes(entry("ha-giang"))}, 3)
    land.authority.publish(NOW_MS)
    directory = reader.update_from(land.authority.public, NOW_MS)
    assert directory.nodes["lao-cai"] == entry("lao-cai")
    assert "describes another node" in reader.findings[0].advice
    newcomer = land.trusted("newcomer")
    assert "lao-cai" not in newcomer.update_from(land.authority.public, NOW_MS).nodes
    assert "the node is left out" in newcomer.findings[-1].advice


def test_whoever_held_a_certificate_keeps_it(land: Country, reader: TrustedFolder) -> None:
    land.authority.publish(NOW_MS)
    reader.update_from(land.authority.public, NOW_MS)
    thief = replace(entry("lao-cai"), tls_certificates=entry("ha-giang").tls_certificates)
    smuggle(land, "lao-cai", {"nodes/lao-cai": node_bytes(thief)}, 3)
    land.authority.publish(NOW_MS)
    directory = reader.update_from(land.authority.public, NOW_MS)
    assert directory.certificates[entry("ha-giang").tls_certificates[0]] == "ha-giang"
    assert directory.nodes["lao-cai"] == entry("lao-cai")
    assert "uses the TLS certificate of ha-giang" in reader.findings[0].advice


def test_a_node_that_let_its_signature_run_out_keeps_its_former_files_and_stops_nobody(
    land: Country, reader: TrustedFolder
) -> None:
    smuggle(land, "lao-cai", NODE | {"zones/H38": zone_bytes(H38, "lao-cai", [unit("H38.02")])}, 3, days=3)
    land.authority.publish(NOW_MS + 5 * DAY_MS)
    directory = reader.update_from(land.authority.public, NOW_MS + 5 * DAY_MS)
    assert directory.version == 3
    assert "ha-giang" in directory.nodes
    assert [list(zone.units) for zone in directory.zones.values() if zone.node_id == "lao-cai"] == [["H38.01"]]
    assert "run out" in reader.findings[0].advice
    passed_on = land.trusted("third")
    files = dict(reader.missing_for({}))
    assert sorted(passed_on.update_from(files, NOW_MS + 5 * DAY_MS).nodes) == ["ha-giang"]
    land.authority.publish(NOW_MS + 6 * DAY_MS)
    again = reader.update_from(dict(files_of(land.authority.public)), NOW_MS + 6 * DAY_MS)
    assert (again.version, "lao-cai" in again.nodes) == (4, True)


def test_a_sub_prefix_granted_later_hides_the_units_listed_above_it(land: Country, reader: TrustedFolder) -> None:
    everything = [unit("H38.6"), unit("H38.61"), unit("H38.61.02"), unit("H38.611")]
    smuggle(land, "lao-cai", NODE | {"zones/H38": zone_bytes(H38, "lao-cai", everything)}, 3)
    editor = land.join("sa-pa", "H38.61")
    editor.add_unit(unit("H38.61.09"))
    land.authority.take(editor.update(NOW_MS), NOW_MS)
    for _ in range(2):
        land.authority.publish(NOW_MS)
        directory = reader.update_from(land.authority.public, NOW_MS)
        assert list(directory.zones[H38].units) == ["H38.6", "H38.611"]
        assert directory.unit_count() == 3
        assert directory.unit(parse_code("H38.61.02")) is None
        assert directory.unit(parse_code("H38.61.09")) is not None
        assert ["hides 2 units" in one.advice for one in reader.findings] == [True]


def test_a_prefix_changes_hands_without_its_units(land: Country, reader: TrustedFolder) -> None:
    land.authority.grant("lao-cai", [], set(), NOW_MS)
    land.authority.grant("ha-giang", codes("H22", "H38"), set(), NOW_MS)
    land.authority.publish(NOW_MS)
    directory = reader.update_from(land.authority.public, NOW_MS)
    assert directory.zones[H38].node_id == "ha-giang"
    assert directory.unit(parse_code("H38.01")) is None
    heir = ZoneEditor.open(land.zone_folder("ha-giang"))
    heir.set_prefixes(codes("H22", "H38"))
    heir.add_unit(unit("H38.02"))
    land.authority.take(heir.update(NOW_MS), NOW_MS)
    land.authority.publish(NOW_MS)
    directory = reader.update_from(land.authority.public, NOW_MS)
    assert list(directory.zones[H38].units) == ["H38.02"]
