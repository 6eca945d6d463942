"""The directory in time: who held a prefix when, opaque codes, several addresses, a holder's consent; and editions without any of it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from node.directory.authority.authority import Authority
from node.directory.delegation import grants_of
from node.directory.layout import FORMER_DAYS, TARGETS
from node.directory.lookup.search import SearchIndex
from node.directory.tufapi import Metadata, Targets
from node.directory.zone.zone import ZoneEditor, create_join_request
from node.errors import Broken, Denied, Rejected
from node.model.code import parse_code, parse_leaf
from node.model.directory import Alias, Directory, Holding
from node.model.reason import Reason
from node.wire.truc.v1 import directory_pb2 as pb
from tests.directory.people import DAY_MS, NOW_MS, Country, codes, country, entry, unit

LATER = NOW_MS + 10 * DAY_MS


def read(land: Country, now_ms: int = LATER) -> Directory:
    land.authority.publish(now_ms)
    return land.trusted("reader").update_from(land.authority.public, now_ms)


def moved(tmp_path: Path) -> Country:
    """H49.22 goes from h49, which keeps H49, to h22; G14 goes from g14 to h22 whole."""
    land = country(tmp_path)
    land.join("h49", "H49")
    land.join("g14", "G14")
    land.join("h22")
    land.authority.grant("g14", [], set(), LATER)
    land.authority.grant("h22", codes("H49.22", "G14"), set(), LATER)
    return land


def test_the_directory_says_who_held_a_prefix_when(tmp_path: Path) -> None:
    directory = read(moved(tmp_path))
    under, whole = parse_code("H49.22.05"), parse_code("G14.01")
    assert [directory.holder_at(under, at) for at in (NOW_MS, LATER - 1, LATER)] == ["h49", "h49", "h22"]
    assert [directory.holder_at(whole, at) for at in (NOW_MS, LATER - 1, LATER)] == ["g14", "g14", "h22"]
    assert directory.holder_at(parse_code("K01"), NOW_MS) is None
    assert directory.former == {parse_code("G14"): (Holding(parse_code("G14"), "g14", NOW_MS, LATER),)}


def test_a_node_speaks_for_what_it_holds_now_or_held_when_it_signed(tmp_path: Path) -> None:
    directory, code = read(moved(tmp_path)), parse_code("H49.22.05")
    assert directory.speaks_for("h49", code, (LATER - 1, LATER + 5))
    assert not directory.speaks_for("h49", code, (LATER, LATER + 5))
    assert directory.speaks_for("h22", code, (LATER - 1,)), "whoever holds it now, whatever the time"
    assert not directory.speaks_for("g14", code, (LATER - 1,))


def test_a_node_that_is_revoked_has_held_nothing(tmp_path: Path) -> None:
    land = moved(tmp_path)
    land.authority.revoke("g14", LATER)
    assert not read(land).speaks_for("g14", parse_code("G14.01"), (LATER - 1,))


def test_what_was_held_comes_back_and_is_forgotten_after_its_time(tmp_path: Path) -> None:
    land = moved(tmp_path)
    land.authority.grant("h22", codes("H49.22"), set(), LATER + DAY_MS)
    land.authority.grant("g14", codes("G14"), set(), LATER + DAY_MS)
    directory, code = read(land, LATER + DAY_MS), parse_code("G14")
    assert [directory.holder_at(code, LATER + day * DAY_MS - 1) for day in (0, 1, 2)] == ["g14", "h22", "g14"]
    much_later = LATER + (FORMER_DAYS + 2) * DAY_MS
    for node_id, prefix in (("g14", "G14"), ("h22", "H49.22")):
        land.authority.grant(node_id, codes(prefix), set(), much_later)
    assert read(land, much_later).former == {}


def test_the_same_edition_says_the_same_after_a_restart(tmp_path: Path) -> None:
    land = moved(tmp_path)
    directory = read(land)
    again = land.trusted("reader").load()
    assert (again.former, {p: z.held_from_ms for p, z in again.zones.items()}) == (
        directory.former,
        {p: z.held_from_ms for p, z in directory.zones.items()},
    )


def test_a_delegation_that_remembers_nonsense_is_refused_whole(tmp_path: Path) -> None:
    land = moved(tmp_path)
    land.authority.publish(LATER)
    path = land.authority.public / TARGETS
    said = json.loads(path.read_bytes())
    assert [role["name"] for role in said["signed"]["delegations"]["roles"] if "truc_former" in role] == ["g14"]
    for field, value in (
        ("truc_since", {"H49": "x"}),
        ("truc_former", [1]),
        ("truc_leaves", ["H49"]),
        ("truc_since", 1),
    ):
        targets = Metadata[Targets].from_bytes(path.read_bytes()).signed
        assert targets.delegations is not None
        assert targets.delegations.roles is not None
        targets.delegations.roles["g14"].unrecognized_fields[field] = value
        with pytest.raises(Broken, match="remembers what cannot be read"):
            grants_of(targets)


# --- opaque codes -----------------------------------------------------------------------------------------------------


def with_leaves(land: Country, node_id: str, *listed: str) -> None:
    zone = ZoneEditor.open(land.zone_folder(node_id))
    zone.set_leaves(parse_leaf(code) for code in listed)
    zone.add_units(unit(code) for code in listed)
    land.authority.take(zone.update(LATER), LATER)


def test_an_opaque_code_is_an_entry_of_its_own_and_nobodys_prefix(tmp_path: Path) -> None:
    land = country(tmp_path)
    land.join("g14", "G14")
    land.authority.change_leaves("g14", LATER, add=codes("Z01ABC", "031234567890"))
    with_leaves(land, "g14", "031234567890", "Z01ABC")
    directory = read(land)
    for code in ("Z01ABC", "031234567890"):
        leaf = parse_leaf(code)
        zone = directory.zone_of(leaf)
        assert zone is not None
        assert (zone.node_id, directory.unit(leaf)) == ("g14", unit(code))
    assert directory.zone_of(parse_leaf("Z01ABCD")) is None
    assert directory.prefixes_of("g14") == codes("G14"), "it is no prefix"


def test_an_opaque_code_counts_only_where_the_authority_has_granted_it(tmp_path: Path) -> None:
    land = country(tmp_path)
    land.join("g14", "G14")
    land.join("h49", "H49")
    land.authority.change_leaves("g14", LATER, add=codes("Z01ABC"))
    with pytest.raises(Broken, match="Z01XYZ, which is not granted"):
        with_leaves(land, "g14", "Z01XYZ")
    with pytest.raises(Denied) as refused:
        land.authority.change_leaves("h49", LATER, add=codes("Z01ABC"))
    assert refused.value.reason is Reason.PEER_SPEAKS_FOR_OTHERS
    land.authority.grant("g14", codes("G14", "G15"), set(), LATER)
    assert directory_has_leaf(read(land)), "other prefixes change nothing about it"


def test_opaque_codes_are_asked_for_granted_taken_away_and_come_back(tmp_path: Path) -> None:
    land = country(tmp_path)
    zone = land.join("g14", "G14", "0101234567-001", "Z01ABC")
    assert (zone.prefixes, zone.leaves) == (codes("G14"), codes("0101234567001", "Z01ABC"))
    zone.add_units([unit("Z01ABC"), unit("0101234567-001"), unit("G14.01")])
    again = ZoneEditor.open(land.zone_folder("g14"))
    assert [one.code for one in again.units()] == ["0101234567001", "G14.01", "Z01ABC"]
    land.authority.take(again.update(LATER), LATER)
    directory = read(land)
    assert directory.leaves_of("g14") == codes("0101234567001", "Z01ABC")
    assert directory.unit(parse_code("0101234567-001")) == unit("0101234567001", "Đơn vị 0101234567-001")

    land.authority.change_leaves("g14", LATER, remove=codes("Z01ABC"))
    again.set_leaves(codes("0101234567001"))
    assert [one.code for one in again.leaf_units()] == ["0101234567001"]
    land.authority.take(again.update(LATER), LATER)
    assert read(land).unit(parse_code("Z01ABC")) is None
    again.set_leaves(codes("0101234567001", "Z01ABC"))
    again.set_prefixes(codes("G14", "G15"))
    assert [one.code for one in again.leaf_units()] == ["0101234567001", "Z01ABC"], "it was kept"
    assert again.zone_files().keys() == set(codes("G14"))


def test_what_an_opaque_code_is_not(tmp_path: Path) -> None:
    land = country(tmp_path)
    zone = land.join("g14", "G14", "Z01ABC")
    zone.add_unit(unit("G14.05"))
    for listed, said in ((unit("Z01XYZ"), "was not granted"), (unit("031234567890"), "was not granted")):
        with pytest.raises(Denied, match=said):
            zone.add_unit(listed)
    with pytest.raises(Rejected, match="cannot be an alias"):
        zone.add_aliases([Alias("Z01ABC", "G14.05")])
    for code in ("Z01", "Z01.05"):
        with pytest.raises(Rejected, match="granted to nobody"):
            land.authority.grant("g14", codes("G14", code), set(), LATER)
    with pytest.raises(Rejected, match="is not granted to g14"):
        land.authority.change_leaves("g14", LATER, remove=codes("Z01XYZ"))


def test_an_edition_that_makes_an_opaque_code_a_prefix_is_refused(tmp_path: Path) -> None:
    land = country(tmp_path)
    land.join("g14", "G14")
    land.authority.publish(LATER)
    targets = Metadata[Targets].from_bytes((land.authority.public / TARGETS).read_bytes()).signed
    assert targets.delegations is not None
    assert targets.delegations.roles is not None
    targets.delegations.roles["g14"].paths = ["nodes/g14", "zones/G14", "zones/Z01ABC"]
    with pytest.raises(Broken, match="nobody's prefix"):
        grants_of(targets)


def test_more_units_than_fit_into_a_nodes_file_are_told_at_once(tmp_path: Path) -> None:
    land = country(tmp_path)
    numbers = [f"{number:012}" for number in range(3_000)]
    zone = land.join("g14", "G14", *numbers)
    zone.add_units(unit(code, f"Công ty cổ phần {code}") for code in numbers)
    assert len(zone.update(LATER)) > 100_000
    zone.add_units(unit(code, "Công ty " + "x" * 400) for code in numbers)
    with pytest.raises(Broken, match="octets, at most"):
        zone.update(LATER)


def test_an_opaque_code_is_found_by_its_beginning(tmp_path: Path) -> None:
    land = country(tmp_path)
    zone = land.join("g14", "G14", "0101234567-001", "0101234567", "Z01ABC")
    zone.add_units([unit("0101234567-001"), unit("0101234567"), unit("Z01ABC")])
    land.authority.take(zone.update(LATER), LATER)
    index = SearchIndex(read(land))

    def found(query: str) -> list[str]:
        return [one.code for one in index.find(query, 5)]

    assert found("0101234567") == ["0101234567", "0101234567001"]
    assert found("0101234567-001") == ["0101234567001"]
    assert found("0101") == ["0101234567", "0101234567001"]
    assert found("z01ab") == ["Z01ABC"]


def directory_has_leaf(directory: Directory) -> bool:
    zone = directory.zone_of(parse_leaf("Z01ABC"))
    return zone is not None and zone.node_id == "g14" and not zone.units


@pytest.mark.parametrize("text", ["Z01", "Z01.05", "H49ABC", "123456789", "1" * 11, "1" * 14, "Z01" + "A" * 33, "Z01Ä"])
def test_what_is_no_opaque_code(text: str) -> None:
    with pytest.raises(Exception, match="opaque"):
        parse_leaf(text)


# --- addresses and consent ----------------------------------------------------------------------------------------------


def test_a_node_has_several_addresses_in_the_order_of_their_use(tmp_path: Path) -> None:
    land = country(tmp_path)
    zone = land.join("g14", "G14")
    zone.set_node(replace(entry("g14"), further_addresses=("10.0.0.2:7700", "nut.example:7700")))
    land.authority.take(zone.update(LATER), LATER)
    assert read(land).nodes["g14"].addresses == (entry("g14").mesh_address, "10.0.0.2:7700", "nut.example:7700")
    for wrong in (("",), ("nowhere",), ("a:1",) * 8):
        with pytest.raises(Broken, match="address"):
            zone.set_node(replace(entry("g14"), further_addresses=wrong))
    with pytest.raises(Broken, match="address"):
        zone.set_node(replace(entry("g14", address=""), further_addresses=("a:1",)))


def asked(land: Country, *consents: pb.SignedConsent) -> bytes:
    request = pb.JoinRequest.FromString(
        create_join_request(land.zone_folder("h22"), entry("h22"), codes("H49.22"), LATER)
    )
    request.consents.extend(consents)
    return request.SerializeToString()


def admit(authority: Authority, request: bytes) -> None:
    authority.admit(request, None, set(), LATER)


def test_a_holder_agrees_to_a_prefix_inside_its_own(tmp_path: Path) -> None:
    land = country(tmp_path)
    holder = land.join("h49", "H49")
    consent = holder.consent(parse_code("H49.22"), "h22", LATER)
    admit(land.authority, asked(land, consent))
    assert read(land).prefixes_of("h22") == codes("H49.22")


def test_a_consent_that_is_not_what_it_claims_admits_nobody(tmp_path: Path) -> None:
    land = country(tmp_path)
    holder, other = land.join("h49", "H49"), land.join("g14", "G14")
    good = holder.consent(parse_code("H49.22"), "h22", LATER)
    forged = pb.SignedConsent(
        consent=good.consent, signature=other.consent(parse_code("H49.22"), "h22", LATER).signature
    )
    wrong = [
        (forged, "not signed by h49"),
        (pb.SignedConsent(consent=b"\xff", signature=b""), "cannot be read"),
        (holder.consent(parse_code("H49.22"), "h23", LATER), "is for 'h23'"),
        (holder.consent(parse_code("H49.23"), "h22", LATER), "not granted"),
        (other.consent(parse_code("H49.22"), "h22", LATER), "no prefix around"),
        (holder.consent(parse_code("H49.22"), "h22", LATER - 400 * DAY_MS), "more than a year ago"),
    ]
    request = pb.JoinRequest.FromString(asked(land))
    for consent, why in wrong:
        del request.consents[:]
        request.consents.append(consent)
        with pytest.raises(Broken, match=why):
            admit(land.authority, request.SerializeToString())
