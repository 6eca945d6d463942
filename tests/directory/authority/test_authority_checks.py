"""Authority's checks: it refuses nonsense before anybody else has to."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from node.directory.authority.authority import Authority
from node.directory.layout import role_path
from node.directory.signing import key_of
from node.directory.zone.zone import ZoneEditor, create_join_request
from node.errors import Broken, Denied, Rejected
from node.model.code import parse_code
from node.model.directory import PublicKey, Unit
from node.model.reason import Reason
from node.wire.truc.v1 import directory_pb2 as pb
from tests.directory.people import DAY_MS, NOW_MS, Country, codes, country, entry, files_of, octets, unit


@pytest.fixture
def land(tmp_path: Path) -> Country:
    return country(tmp_path)


def refused(authority: Authority, update: bytes, named: str, reason: Reason = Reason.DIRECTORY_INVALID) -> None:
    """Expect a refusal that names what is wrong, and nothing decided."""
    before = authority.summary()
    with pytest.raises(Broken) as caught:
        authority.take(update, NOW_MS)
    assert (caught.value.reason, named in caught.value.detail) == (reason, True), caught.value.detail
    assert authority.summary() == before


def changed(update: bytes, path: str, data: bytes | None) -> bytes:
    """The same zone update with one file put in, exchanged or taken out."""
    message = pb.ZoneUpdate.FromString(update)
    if data is None:
        del message.files[path]
    else:
        message.files[path] = data
    return message.SerializeToString()


def test_the_same_update_again_is_harmless_and_an_older_one_is_refused(land: Country) -> None:
    editor = land.join("lao-cai", "H38")
    editor.add_unit(unit("H38.01"))
    second, third = editor.update(NOW_MS), editor.update(NOW_MS + 1)
    land.authority.take(third, NOW_MS)
    before = land.authority.summary()
    land.authority.take(third, NOW_MS)
    assert land.authority.summary() == before
    refused(land.authority, second, "version 2 is not above 3", Reason.DIRECTORY_ROLLED_BACK)


def test_a_zone_outside_the_granted_prefixes_is_refused(land: Country) -> None:
    editor = land.join("lao-cai", "H38")
    land.authority.grant("lao-cai", codes("H38.22"), set(), NOW_MS)
    editor.add_unit(unit("H38.22.01"))
    refused(land.authority, editor.update(NOW_MS), "signs zones/H38, which is not granted to lao-cai")


def test_an_update_with_altered_missing_or_unsigned_files_is_refused(land: Country) -> None:
    editor = land.join("lao-cai", "H38")
    editor.add_unit(unit("H38.01"))
    update = editor.update(NOW_MS)
    zone, role = "targets/zones/H38", role_path("lao-cai")
    files = pb.ZoneUpdate.FromString(update).files
    refused(land.authority, changed(update, zone, files[zone].replace(b"H38.01", b"H38.02")), "zones/H38")
    refused(land.authority, changed(update, zone, None), "zones/H38")
    refused(land.authority, changed(update, role, None), role)
    refused(land.authority, changed(update, role, files[role].replace(b'"version":2', b'"version":7')), role)
    refused(land.authority, changed(update, "targets/nodes/ha-giang", b"x"), "targets/nodes/ha-giang")
    refused(land.authority, changed(update, "metadata/targets.json", b"x"), "metadata/targets.json")
    refused(land.authority, b"\xff\xff", "zone update")
    refused(land.authority, update[: len(update) // 2], "zone update")
    land.authority.take(update, NOW_MS)


def test_an_update_signed_by_another_key_or_for_an_unknown_node_is_refused(land: Country, tmp_path: Path) -> None:
    land.join("lao-cai", "H38")
    create_join_request(tmp_path / "thief", entry("lao-cai"), codes("H38"), NOW_MS)
    thief = ZoneEditor.open(tmp_path / "thief")
    refused(land.authority, thief.update(NOW_MS), "not signed with the key granted to lao-cai")
    create_join_request(tmp_path / "stranger", entry("stranger"), codes("H39"), NOW_MS)
    refused(land.authority, ZoneEditor.open(tmp_path / "stranger").update(NOW_MS), "stranger: is not an admitted node")


def test_an_update_that_has_run_out_is_refused(land: Country) -> None:
    update = land.join("lao-cai", "H38").update(NOW_MS)
    with pytest.raises(Broken) as caught:
        land.authority.take(update, NOW_MS + 731 * DAY_MS)
    assert "has run out" in caught.value.detail


def test_a_node_is_admitted_again_only_with_its_own_key(land: Country, tmp_path: Path) -> None:
    editor = land.join("lao-cai", "H38")
    land.authority.admit(editor.join_request(NOW_MS), codes("H38", "H39"), set(), NOW_MS)
    assert land.authority.summary().nodes[0].prefixes == tuple(codes("H38", "H39"))
    request = create_join_request(tmp_path / "thief", entry("lao-cai"), codes("H38"), NOW_MS)
    with pytest.raises(Broken) as caught:
        land.authority.admit(request, None, set(), NOW_MS)
    assert "admitted with another zone key" in caught.value.detail


def test_a_key_cannot_be_filed_under_another_keys_id(land: Country, tmp_path: Path) -> None:
    """All nodes' keys stand in one table by id: a false id would put the newcomer's key in the place of the victim's."""
    land.join("lao-cai", "H38")
    victim = json.loads((land.zone_folder("lao-cai") / "key.json").read_bytes())
    request = pb.JoinRequest.FromString(create_join_request(tmp_path / "z", entry("thief"), codes("H39"), NOW_MS))
    own = json.loads(request.zone_key)
    for key, named in (({**own, "keyid": victim["keyid"]}, "id is not the digest"), (victim, "key of another node")):
        request.zone_key = json.dumps(key).encode()
        with pytest.raises(Broken) as caught:
            land.authority.admit(request.SerializeToString(), None, set(), NOW_MS)
        assert named in caught.value.detail
    for bad in (b"", b"[]", b"{}", json.dumps({**own, "keytype": "rsa"}).encode()):
        request.zone_key = bad
        with pytest.raises(Broken):
            land.authority.admit(request.SerializeToString(), None, set(), NOW_MS)
    with pytest.raises(Broken):
        key_of("zz")


def test_a_certificate_pinned_for_one_node_cannot_be_pinned_for_another(land: Country, tmp_path: Path) -> None:
    land.join("lao-cai", "H38")
    copied = replace(entry("thief"), tls_certificates=entry("lao-cai").tls_certificates)
    request = create_join_request(tmp_path / "thief", copied, codes("H39"), NOW_MS)
    with pytest.raises(Broken) as caught:
        land.authority.admit(request, None, set(), NOW_MS)
    assert "uses the TLS certificate of lao-cai" in caught.value.detail
    assert [node.node_id for node in land.authority.summary().nodes] == ["lao-cai"]


def test_a_zone_file_for_a_prefix_that_was_asked_for_but_not_granted_is_refused(land: Country, tmp_path: Path) -> None:
    create_join_request(tmp_path / "zone", entry("lao-cai"), codes("H38", "H39"), NOW_MS)
    editor = ZoneEditor.open(tmp_path / "zone")
    editor.add_unit(unit("H39.01"))
    request = editor.join_request(NOW_MS)
    with pytest.raises(Broken) as caught:
        land.authority.admit(request, codes("H38"), set(), NOW_MS)
    assert "zones/H39" in caught.value.detail
    land.authority.admit(request, None, set(), NOW_MS)


def test_units_under_a_sub_prefix_of_another_node_are_refused_by_name(land: Country) -> None:
    editor = land.join("lao-cai", "H38")
    land.join("sa-pa", "H38.61")
    editor.add_units([unit("H38.6"), unit("H38.61.02"), unit("H38.611")])
    refused(land.authority, editor.update(NOW_MS), "unit H38.61.02 belongs to zones/H38.61")
    assert editor.remove_units(codes("H38.61.02", "H38.99")) == 1
    land.authority.take(editor.update(NOW_MS), NOW_MS)


def test_a_taken_zone_whose_files_were_lost_on_the_way_to_the_draft_is_not_published(land: Country) -> None:
    editor = land.join("lao-cai", "H38")
    editor.add_unit(unit("H38.01"))
    update = editor.update(NOW_MS)
    land.authority.take(update, NOW_MS)
    zone = land.root / "authority" / "draft" / "targets" / "zones" / "H38"
    zone.write_bytes(zone.read_bytes()[:-1])
    public = files_of(land.authority.public)
    with pytest.raises(Broken) as caught:
        land.authority.publish(NOW_MS)
    assert "take the zone of lao-cai again" in caught.value.detail
    assert files_of(land.authority.public) == public


def test_two_commands_at_once_on_one_authority_are_refused(land: Country) -> None:
    with land.authority._draft.locked(), pytest.raises(Broken) as caught:
        land.authority.publish(NOW_MS)
    assert caught.value.reason == Reason.HOME_IN_USE


@pytest.mark.parametrize("node_id", ["", "Lao-Cai", "lao.cai", "../x", "targets", "root", "a" * 65, "lao cai"])
def test_a_node_id_that_cannot_name_a_file_is_refused(tmp_path: Path, node_id: str) -> None:
    with pytest.raises(Broken):
        create_join_request(tmp_path / "zone", entry(node_id), codes("H38"), NOW_MS)
    assert not (tmp_path / "zone").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "},
        {"name": "a\nb"},
        {"name": "x" * 501},
        {"mesh_address": "nowhere"},
        {"mesh_address": "host:0"},
        {"mesh_address": "host:65536"},
        {"via_relays": ("Not An Id",)},
        {"tls_certificates": ()},
        {"tls_certificates": (b"-----BEGIN CERTIFICATE-----",)},
        {"signing_keys": ()},
        {"signing_keys": (PublicKey(octets("x", 31), 1),)},
        {"sealing_keys": (PublicKey(octets("x"), 2),)},
        {"sealing_keys": (PublicKey(octets("x"), 1, 200, 100),)},
    ],
)
def test_a_node_that_describes_itself_wrongly_is_refused_at_home(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(Broken) as caught:
        create_join_request(tmp_path / "zone", replace(entry("lao-cai"), **wrong), codes("H38"), NOW_MS)  # type: ignore[arg-type]
    assert caught.value.reason == Reason.DIRECTORY_INVALID


@pytest.mark.parametrize("address", ["", "10.0.0.1:7701", "[2001:db8::1]:7701", "truc.laocai.gov.vn:443"])
def test_an_address_may_be_empty_a_name_or_a_number(tmp_path: Path, address: str) -> None:
    create_join_request(tmp_path / "zone", entry("lao-cai", address=address), codes("H38"), NOW_MS)


@pytest.mark.parametrize(
    ("wrong", "fault", "reason"),
    [
        (Unit("H39.01", "x"), Denied, Reason.PEER_SPEAKS_FOR_OTHERS),
        (Unit("H381.01", "x"), Rejected, Reason.CODE_MALFORMED),
        (Unit("nonsense", "x"), Rejected, Reason.CODE_MALFORMED),
        (Unit("H38.01", ""), Broken, Reason.DIRECTORY_INVALID),
        (Unit("H38.01", "a\x00b"), Broken, Reason.DIRECTORY_INVALID),
        (Unit("H38.01", "x", short_names=("",)), Broken, Reason.DIRECTORY_INVALID),
        (Unit("H38.01", "x", parent="?"), Rejected, Reason.CODE_MALFORMED),
        (Unit("H38.01", "x", valid_from_ms=5, valid_to_ms=4), Broken, Reason.DIRECTORY_INVALID),
    ],
)
def test_a_wrong_unit_is_refused_and_none_of_its_company_added(
    land: Country, wrong: Unit, fault: type[Exception], reason: Reason
) -> None:
    editor = land.join("lao-cai", "H38")
    with pytest.raises(fault) as caught:
        editor.add_units([unit("H38.07"), wrong])
    assert getattr(caught.value, "reason", None) == reason
    assert editor.units() == []


def test_names_are_kept_in_nfc_whichever_form_they_came_in(land: Country) -> None:
    editor = land.join("lao-cai", "H38")
    nfd = "U\u0309y ban nha\u0302n da\u0302n"
    editor.add_unit(Unit("H38.01", nfd, short_names=(nfd,)))
    (kept,) = ZoneEditor.open(land.zone_folder("lao-cai")).units()
    assert (kept.name, kept.short_names) == ("Ủy ban nhân dân", ("Ủy ban nhân dân",))
    assert editor.unit(parse_code("000.00.01.H38")) == kept
