"""The way of a directory: authority, node, admission, units, publication, bootstrap, update, and its life from then on."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from node.directory.authority.authority import Authority
from node.directory.root import root_fingerprint
from node.directory.trust.trust import TrustedFolder
from node.directory.zone.zone import ZoneEditor, create_join_request
from node.errors import Broken, Deferred, Denied, Rejected
from node.model.code import parse_code
from node.model.directory import Role
from node.model.reason import Reason
from tests.directory.people import DAY_MS, NOW_MS, Country, codes, country, entry, files_of, unit


def test_a_unit_added_at_a_node_is_found_by_another_node_after_publication(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path / "authority", "Cục Chuyển đổi số", NOW_MS)
    request = create_join_request(tmp_path / "zone", entry("lao-cai"), codes("H38"), NOW_MS)
    authority.admit(request, None, {Role.RELAY}, NOW_MS)
    editor = ZoneEditor.open(tmp_path / "zone")
    editor.add_unit(unit("000.05.22.H38", "Ủy ban nhân dân xã Cốc Lếu", short_names=("UBND Cốc Lếu",), parent="H38.22"))
    assert authority.take(editor.update(NOW_MS), NOW_MS) == "lao-cai"
    assert authority.publish(NOW_MS + 5) == 2

    reader = TrustedFolder(tmp_path / "reader")
    assert reader.bootstrap(authority.root_json()) == authority.fingerprint()
    directory = reader.update_from(authority.public, NOW_MS + 10)

    assert (directory.version, directory.signed_time_ms) == (2, NOW_MS + 5)
    assert directory.nodes["lao-cai"] == replace(entry("lao-cai"), roles=frozenset({Role.RELAY}))
    assert directory.certificates == {entry("lao-cai").tls_certificates[0]: "lao-cai"}
    found = directory.unit(parse_code("H38.22.05"))
    assert found is not None
    assert (found.name, found.parent, found.short_names) == ("Ủy ban nhân dân xã Cốc Lếu", "H38.22", ("UBND Cốc Lếu",))
    assert directory.unit(parse_code("000.05.22.H38")) == found
    assert directory.unit_count() == 1
    assert reader.findings == []


def test_a_node_starts_from_disk_long_after_everything_has_run_out(tmp_path: Path) -> None:
    land = country(tmp_path)
    land.join("lao-cai", "H38").add_unit(unit("H38.01"))
    land.authority.publish(NOW_MS)
    updated = land.trusted("reader").update_from(land.authority.public, NOW_MS)
    loaded = TrustedFolder(tmp_path / "reader" / "directory").load()
    assert loaded.version == updated.version == 2
    assert loaded.nodes == updated.nodes


def test_starting_a_node_does_not_need_tuf(tmp_path: Path) -> None:
    """It costs 0.3 s and 18 MiB, and a start only trusts what was verified before."""
    land = country(tmp_path)
    land.trusted("reader").update_from(land.authority.public, NOW_MS)
    script = (
        "import sys, pathlib, node.directory.trust.source\nfrom node.directory.trust.trust import TrustedFolder\n"
        "print(TrustedFolder(pathlib.Path(sys.argv[1])).load().version, 'tuf' in sys.modules)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "reader" / "directory")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == ["1", "False"]


def test_before_the_first_update_there_is_an_empty_directory_and_without_a_root_no_update(tmp_path: Path) -> None:
    land = country(tmp_path)
    folder = TrustedFolder(tmp_path / "new")
    assert folder.load().version == 0
    assert not folder.bootstrapped
    with pytest.raises(Deferred) as caught:
        folder.update_from(land.authority.public, NOW_MS)
    assert caught.value.reason == Reason.DIRECTORY_EMPTY


def test_any_node_serves_the_files_to_any_other_and_only_those_that_changed(tmp_path: Path) -> None:
    land = country(tmp_path)
    editor = land.join("lao-cai", "H38")
    land.join("ha-giang", "H22")
    land.authority.publish(NOW_MS)
    first, second = land.trusted("first"), land.trusted("second")
    first.update_from(land.authority.public, NOW_MS)
    second.update_from(dict(first.missing_for(second.files())), NOW_MS)
    assert second.files() == first.files()
    assert list(first.missing_for(second.files())) == []

    editor.add_unit(unit("H38.07"))
    land.authority.take(editor.update(NOW_MS), NOW_MS)
    land.authority.publish(NOW_MS)
    first.update_from(land.authority.public, NOW_MS)
    changed = dict(first.missing_for(second.files()))
    assert sorted(changed) == [
        "metadata/lao-cai.json",
        "metadata/snapshot.json",
        "metadata/timestamp.json",
        "targets/zones/H38",
    ]
    assert second.update_from(changed, NOW_MS).unit(parse_code("H38.07")) is not None
    assert second.update_from({}, NOW_MS).version == 3


def test_what_a_node_serves_is_a_folder_that_can_be_carried_on_a_stick(tmp_path: Path) -> None:
    land = country(tmp_path)
    land.join("lao-cai", "H38")
    land.authority.publish(NOW_MS)
    land.trusted("first").update_from(land.authority.public, NOW_MS)
    shutil.copytree(tmp_path / "first" / "directory" / "current", tmp_path / "stick")
    assert land.trusted("second").update_from(tmp_path / "stick", NOW_MS).version == 2


def test_publishing_without_changes_gives_a_fresh_timestamp(tmp_path: Path) -> None:
    land = country(tmp_path)
    reader = land.trusted("reader")
    reader.update_from(land.authority.public, NOW_MS)
    land.authority.publish(NOW_MS + DAY_MS)
    directory = reader.update_from(land.authority.public, NOW_MS + DAY_MS)
    assert (directory.version, directory.signed_time_ms) == (2, NOW_MS + DAY_MS)


def test_a_refresh_gives_what_is_published_a_fresh_timestamp_and_keeps_what_is_only_decided_back(
    tmp_path: Path,
) -> None:
    land = country(tmp_path)
    land.join("lao-cai", "H38").add_unit(unit("H38.01"))
    land.authority.publish(NOW_MS)
    reader = land.trusted("reader")
    reader.update_from(land.authority.public, NOW_MS)
    land.join("ha-giang", "H22")
    land.authority.revoke("lao-cai", NOW_MS)
    waiting = land.authority.summary().unpublished

    assert land.authority.refresh(NOW_MS + 40 * DAY_MS) == 3
    directory = reader.update_from(land.authority.public, NOW_MS + 40 * DAY_MS)
    assert (directory.version, directory.signed_time_ms) == (3, NOW_MS + 40 * DAY_MS)
    assert set(directory.nodes) == {"lao-cai"}
    assert land.authority.summary().unpublished == waiting

    land.authority.publish(NOW_MS + 41 * DAY_MS)
    assert set(reader.update_from(land.authority.public, NOW_MS + 41 * DAY_MS).nodes) == {"ha-giang"}


def test_a_refresh_is_signed_with_the_online_key_that_others_know(tmp_path: Path) -> None:
    land = country(tmp_path)
    reader = land.trusted("reader")
    reader.update_from(land.authority.public, NOW_MS)
    land.authority.replace_online_key(NOW_MS)
    land.authority.refresh(NOW_MS + DAY_MS)
    assert reader.update_from(land.authority.public, NOW_MS + DAY_MS).version == 2
    land.authority.publish(NOW_MS + 2 * DAY_MS)
    assert reader.update_from(land.authority.public, NOW_MS + 2 * DAY_MS).version == 3
    land.authority.refresh(NOW_MS + 3 * DAY_MS)
    assert reader.update_from(land.authority.public, NOW_MS + 3 * DAY_MS).version == 4


def test_a_refresh_without_a_publication_is_told(tmp_path: Path) -> None:
    land = country(tmp_path)
    shutil.rmtree(land.authority.public / "editions")
    (land.authority.public / "metadata" / "snapshot.json").unlink()
    with pytest.raises(Broken) as caught:
        land.authority.refresh(NOW_MS)
    assert (caught.value.reason, "snapshot.json is missing" in caught.value.detail) == (Reason.DIRECTORY_INVALID, True)


def test_nothing_is_public_before_publish_and_the_summary_says_what_waits(tmp_path: Path) -> None:
    land = country(tmp_path)
    before = files_of(land.authority.public)
    land.join("lao-cai", "H38", roles={Role.RELAY})
    assert files_of(land.authority.public) == before
    waiting = land.authority.summary()
    assert "metadata/lao-cai.json" in waiting.unpublished
    (node,) = waiting.nodes
    assert (node.node_id, node.prefixes, node.roles, node.zone_version) == (
        "lao-cai",
        tuple(codes("H38")),
        frozenset({Role.RELAY}),
        1,
    )
    land.authority.publish(NOW_MS)
    after = Authority.open(tmp_path / "authority").summary()
    assert (after.unpublished, after.version, after.name) == ((), 2, "Cục Chuyển đổi số")
    assert after.fingerprint == root_fingerprint(land.authority.root_json())


def test_a_revoked_node_disappears_and_may_come_back_with_a_higher_version(tmp_path: Path) -> None:
    land = country(tmp_path)
    land.join("lao-cai", "H38").add_unit(unit("H38.01"))
    land.authority.publish(NOW_MS)
    reader = land.trusted("reader")
    assert "lao-cai" in reader.update_from(land.authority.public, NOW_MS).nodes
    land.authority.revoke("lao-cai", NOW_MS)
    land.authority.publish(NOW_MS)
    gone = reader.update_from(land.authority.public, NOW_MS)
    assert (gone.nodes, gone.zones, gone.certificates) == ({}, {}, {})
    assert "targets/nodes/lao-cai" not in files_of(land.authority.public)

    shutil.rmtree(land.zone_folder("lao-cai"))
    with pytest.raises(Broken) as caught:
        land.join("lao-cai", "H38")
    assert caught.value.reason == Reason.DIRECTORY_ROLLED_BACK
    shutil.rmtree(land.zone_folder("lao-cai"))
    request = create_join_request(land.zone_folder("lao-cai"), entry("lao-cai"), codes("H38"), NOW_MS, first_version=2)
    land.authority.admit(request, None, set(), NOW_MS)
    land.authority.publish(NOW_MS)
    assert "lao-cai" in reader.update_from(land.authority.public, NOW_MS).nodes


def test_a_grant_can_be_changed_and_units_move_to_the_longest_prefix(tmp_path: Path) -> None:
    land = country(tmp_path)
    editor = land.join("lao-cai", "H38")
    editor.add_units([unit("H38.22.01"), unit("H38.23.01")])
    land.authority.grant("lao-cai", codes("H38", "H38.22"), {Role.RELAY}, NOW_MS)
    editor.set_prefixes(codes("H38", "H38.22"))
    land.authority.take(editor.update(NOW_MS), NOW_MS)
    land.authority.publish(NOW_MS)
    directory = land.trusted("reader").update_from(land.authority.public, NOW_MS)
    assert {str(prefix): list(zone.units) for prefix, zone in directory.zones.items()} == {
        "H38": ["H38.23.01"],
        "H38.22": ["H38.22.01"],
    }
    assert directory.relays() == [directory.nodes["lao-cai"]]
    assert directory.unit_count() == 2


def test_a_closed_unit_names_its_successor(tmp_path: Path) -> None:
    land = country(tmp_path)
    editor = land.join("lao-cai", "H38")
    editor.add_units([unit("H38.01"), unit("H38.02")])
    editor.close_unit(parse_code("H38.01"), NOW_MS, parse_code("H38.02"))
    editor.remove_unit(parse_code("H38.02"))
    again = ZoneEditor.open(land.zone_folder("lao-cai"))
    assert [(one.code, one.valid_to_ms, one.successor) for one in again.units()] == [("H38.01", NOW_MS, "H38.02")]
    with pytest.raises(Rejected):
        again.remove_unit(parse_code("H38.02"))


def test_units_of_a_prefix_taken_away_stay_with_the_node_and_come_back_with_it(tmp_path: Path) -> None:
    editor = country(tmp_path).join("lao-cai", "H38", "H39")
    editor.add_units([unit("H38.01"), unit("H39.01")])
    editor.set_prefixes(codes("H38"))
    assert [one.code for one in editor.units()] == ["H38.01"]
    editor.set_prefixes(codes("H38", "H39"))
    assert [one.code for one in editor.units()] == ["H38.01", "H39.01"]


def test_creating_over_something_is_refused(tmp_path: Path) -> None:
    land = country(tmp_path)
    land.join("lao-cai", "H38")
    other = Authority.create(tmp_path / "other", "Kẻ khác", NOW_MS)
    reader = land.trusted("reader")
    for attempt in (
        lambda: Authority.create(tmp_path / "authority", "lần nữa", NOW_MS),
        lambda: create_join_request(land.zone_folder("lao-cai"), entry("lao-cai"), codes("H38"), NOW_MS),
        lambda: reader.bootstrap(other.root_json()),
    ):
        with pytest.raises(Broken) as caught:
            attempt()
        assert caught.value.reason == Reason.ALREADY_EXISTS
    assert reader.bootstrap(land.authority.root_json()) != other.fingerprint()


def test_private_keys_are_readable_by_their_owner_only_and_refused_otherwise(tmp_path: Path) -> None:
    land = country(tmp_path)
    editor = land.join("lao-cai", "H38")
    keys = [*(tmp_path / "authority" / "keys").iterdir(), land.zone_folder("lao-cai") / "key.pem"]
    assert {key.stat().st_mode & 0o777 for key in keys} == {0o600}
    online = next(key for key in keys if key.name.startswith("online"))
    online.chmod(0o644)
    with pytest.raises(Broken) as caught:
        land.authority.publish(NOW_MS)
    assert caught.value.reason == Reason.KEY_FILE_EXPOSED
    online.unlink()
    with pytest.raises(Broken) as caught:
        land.authority.publish(NOW_MS)
    assert caught.value.reason == Reason.KEY_FILE_MISSING
    keys[-1].write_bytes(b"not a key")
    with pytest.raises(Broken) as caught:
        editor.update(NOW_MS)
    assert caught.value.reason == Reason.KEY_UNUSABLE


def test_root_keys_can_be_carried_away(tmp_path: Path) -> None:
    land = country(tmp_path)
    for key in (tmp_path / "authority" / "keys").glob("root-*"):
        key.unlink()
    land.join("lao-cai", "H38")
    assert land.authority.publish(NOW_MS) == 2
    with pytest.raises(Broken) as caught:
        land.authority.replace_online_key(NOW_MS)
    assert caught.value.reason == Reason.KEY_FILE_MISSING


def test_a_stolen_prefix_is_refused_naming_its_holder_and_a_sub_prefix_is_allowed(tmp_path: Path) -> None:
    land: Country = country(tmp_path)
    land.join("lao-cai", "H38")
    with pytest.raises(Denied) as caught:
        land.join("thief", "H38")
    assert "H38 is granted to lao-cai" in caught.value.detail
    land.join("sa-pa", "H38.61")
    land.authority.publish(NOW_MS)
    directory = land.trusted("reader").update_from(land.authority.public, NOW_MS)
    assert {str(prefix): zone.node_id for prefix, zone in directory.zones.items()} == {
        "H38": "lao-cai",
        "H38.61": "sa-pa",
    }
