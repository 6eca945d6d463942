"""Attacks on trust: a node refuses to believe, says why, and keeps the old directory in force each time."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from node.directory.authority.authority import Authority
from node.directory.authority.publish import _timestamp
from node.directory.layout import SNAPSHOT, TARGETS, TIMESTAMP
from node.directory.root import read_root, with_online_key
from node.directory.signing import create_key, open_signer, signed
from node.directory.trust.edition import digest
from node.directory.trust.trust import TrustedFolder
from node.errors import Broken, Deferred
from node.model.code import parse_code
from node.model.reason import Reason
from tests.directory.people import DAY_MS, NOW_MS, Country, country, files_of, unit


@pytest.fixture
def land(tmp_path: Path) -> Country:
    """A country whose version 2 lists one node with one unit."""
    land = country(tmp_path)
    editor = land.join("lao-cai", "H38")
    editor.add_unit(unit("H38.01", "Sở Nội vụ"))
    land.authority.take(editor.update(NOW_MS), NOW_MS)
    land.authority.publish(NOW_MS)
    return land


@pytest.fixture
def reader(land: Country) -> TrustedFolder:
    """A node that believes version 2."""
    reader = land.trusted("reader")
    reader.update_from(land.authority.public, NOW_MS)
    return reader


def refused(
    reader: TrustedFolder, offered: Path | dict[str, bytes], reason: Reason, named: str, now_ms: int = NOW_MS
) -> Broken:
    """Offer something, expect a refusal that names the file, and see that version 2 is still in force and on disk."""
    files = reader.files()
    with pytest.raises(Broken) as caught:
        reader.update_from(offered, now_ms)
    assert caught.value.reason == reason
    assert named in caught.value.detail
    assert reader.load().version == 2
    assert reader.load().unit(parse_code("H38.01")) is not None
    assert reader.files() == files
    return caught.value


def publish_more(land: Country) -> dict[str, bytes]:
    """Publish version 3 with one more node; return all files."""
    land.join("ha-giang", "H22")
    land.authority.publish(NOW_MS)
    return files_of(land.authority.public)


def twin(land: Country) -> Authority:
    """The same authority, keys and all, in other hands."""
    shutil.copytree(land.root / "authority", land.root / "twin")
    return Authority.open(land.root / "twin")


def online_signer(land: Country):  # type: ignore[no-untyped-def]
    root = read_root(land.authority.root_json())
    (path,) = (land.root / "authority" / "keys").glob("online-*")
    return open_signer(path, root.get_key(root.roles["timestamp"].keyids[0]))


def test_an_older_directory_is_refused_as_rolled_back(land: Country, tmp_path: Path) -> None:
    old = files_of(land.authority.public)
    reader = land.trusted("late")
    publish_more(land)
    assert reader.update_from(land.authority.public, NOW_MS).version == 3
    with pytest.raises(Broken) as caught:
        reader.update_from(old, NOW_MS)
    assert caught.value.reason == Reason.DIRECTORY_ROLLED_BACK
    assert TIMESTAMP in caught.value.detail
    assert reader.load().version == 3


def test_two_contents_under_one_version_are_a_fork_and_the_proof_is_kept(land: Country, reader: TrustedFolder) -> None:
    other = twin(land)
    other.publish(NOW_MS + 1)
    land.authority.publish(NOW_MS + 2)
    reader.update_from(land.authority.public, NOW_MS)
    with pytest.raises(Broken) as caught:
        reader.update_from(other.public, NOW_MS)
    assert "fork: timestamp version 3" in caught.value.detail
    assert reader.load().signed_time_ms == NOW_MS + 2
    proof = {path.read_bytes() for path in (land.root / "reader" / "directory" / "evidence").iterdir()}
    assert proof == {(other.public / TIMESTAMP).read_bytes(), (land.authority.public / TIMESTAMP).read_bytes()}


def test_a_newer_timestamp_over_another_snapshot_of_the_same_version_is_a_fork(
    land: Country, reader: TrustedFolder
) -> None:
    other = twin(land).public / SNAPSHOT
    forged = other.read_bytes() + b"\n"
    timestamp = _timestamp(forged, 3, NOW_MS)
    timestamp.snapshot_meta.version = 2
    offered = {TIMESTAMP: signed(timestamp, [online_signer(land)]), SNAPSHOT: forged}
    refused(reader, offered, Reason.DIRECTORY_INVALID, "fork: the timestamp names another snapshot of version 2")


def test_the_same_role_version_with_two_contents_is_a_fork(land: Country) -> None:
    other = Country(land.root / "other", twin(land))
    late = land.trusted("late")
    publish_more(land)
    late.update_from(land.authority.public, NOW_MS)
    other.join("ha-giang", "H99")
    other.authority.publish(NOW_MS)
    other.authority.publish(NOW_MS)
    with pytest.raises(Broken) as caught:
        late.update_from(other.authority.public, NOW_MS)
    assert "fork: ha-giang.json version 1 exists with two contents" in caught.value.detail
    assert [str(prefix) for prefix in late.load().prefixes_of("ha-giang")] == ["H22"]


def test_an_unsigned_change_of_layout_in_a_known_timestamp_is_no_fork(land: Country, reader: TrustedFolder) -> None:
    offered = files_of(land.authority.public)
    offered[TIMESTAMP] = offered[TIMESTAMP] + b"\n"
    assert reader.update_from(offered, NOW_MS).version == 2


def test_a_directory_whose_timestamp_has_run_out_is_refused_until_it_is_signed_again(
    land: Country, reader: TrustedFolder
) -> None:
    later = NOW_MS + 32 * DAY_MS
    newcomer = land.trusted("newcomer")
    with pytest.raises(Broken) as caught:
        newcomer.update_from(land.authority.public, later)
    assert "timestamp.json is expired" in caught.value.detail
    assert newcomer.load().version == 0
    publish_more(land)
    refused(reader, land.authority.public, Reason.DIRECTORY_INVALID, "timestamp.json is expired", later)
    land.authority.publish(later)
    assert reader.update_from(land.authority.public, later).version == 4


def test_the_known_directory_is_not_complained_about_for_being_old(land: Country, reader: TrustedFolder) -> None:
    assert reader.update_from(land.authority.public, NOW_MS + 400 * DAY_MS).version == 2


def tamper(path: str, change: Callable[[bytes], bytes]) -> Callable[[dict[str, bytes]], None]:
    def apply(files: dict[str, bytes]) -> None:
        files[path] = change(files[path])

    return apply


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("targets/nodes/ha-giang", lambda data: data.replace(b"7701", b"6666")),
        ("targets/nodes/ha-giang", lambda data: data[:-1]),
        ("targets/nodes/ha-giang", lambda data: data + b"\0"),
        ("metadata/ha-giang.json", lambda data: data.replace(b"2028", b"2038")),
        (TARGETS, lambda data: data.replace(b"ha-giang", b"ha-nam00")),
        (TARGETS, lambda data: data[: len(data) // 2]),
        (SNAPSHOT, lambda data: data.replace(b'"version":3}', b'"version":9}')),
        (SNAPSHOT, lambda data: b""),
        (TIMESTAMP, lambda data: data.replace(b'"version":3}', b'"version":9}')),
        (TIMESTAMP, lambda data: data[:-20]),
        (TIMESTAMP, lambda data: b"{}"),
    ],
)
def test_an_altered_or_truncated_file_is_refused_and_named(
    land: Country, reader: TrustedFolder, path: str, change: Callable[[bytes], bytes]
) -> None:
    offered = publish_more(land)
    altered = change(offered[path])
    assert altered != offered[path]
    refused(reader, offered | {path: altered}, Reason.DIRECTORY_INVALID, path)
    assert reader.update_from(offered, NOW_MS).version == 3


@pytest.mark.parametrize("path", [TIMESTAMP, SNAPSHOT, TARGETS, "metadata/ha-giang.json", "targets/nodes/ha-giang"])
def test_a_folder_that_was_only_half_copied_is_refused(land: Country, reader: TrustedFolder, path: str) -> None:
    publish_more(land)
    shutil.copytree(land.authority.public, land.root / "stick", ignore=shutil.ignore_patterns("editions"))
    (land.root / "stick" / path).unlink()
    refused(reader, land.root / "stick", Reason.DIRECTORY_INVALID, path)


def test_new_files_without_the_new_timestamp_change_nothing(land: Country, reader: TrustedFolder) -> None:
    old = files_of(land.authority.public)
    offered = publish_more(land) | {TIMESTAMP: old[TIMESTAMP]}
    assert reader.update_from(offered, NOW_MS).version == 2
    newcomer = land.trusted("newcomer")
    with pytest.raises(Broken):
        newcomer.update_from(offered, NOW_MS)
    assert newcomer.load().version == 0


def test_another_authoritys_directory_is_refused(land: Country, reader: TrustedFolder, tmp_path: Path) -> None:
    other = Authority.create(tmp_path / "other", "Kẻ khác", NOW_MS)
    for _ in range(3):
        other.publish(NOW_MS)
    refused(reader, other.public, Reason.DIRECTORY_INVALID, "timestamp")


def test_a_root_needs_two_of_three_keys(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path / "authority", "Ba chìa", NOW_MS, root_keys=3, root_threshold=2)
    land = Country(tmp_path, authority)
    reader = land.trusted("reader")
    reader.update_from(authority.public, NOW_MS)
    keys = sorted((tmp_path / "authority" / "keys").glob("root-*"))
    assert len(keys) == 3
    root = read_root(authority.root_json())
    signers = [open_signer(path, next(k for k in root.keys.values() if k.keyid[:12] in path.name)) for path in keys]
    following = with_online_key(root, create_key(tmp_path / "thief.pem"), NOW_MS)
    offered = files_of(authority.public)
    with pytest.raises(Broken) as caught:
        reader.update_from(
            offered | {"metadata/2.root.json": signed(following, signers[:1]), TIMESTAMP: b"new"}, NOW_MS
        )
    assert "2.root.json: root was signed by 1/2 keys" in caught.value.detail

    keys[0].unlink()
    fingerprint = authority.fingerprint()
    authority.replace_online_key(NOW_MS)
    authority.publish(NOW_MS)
    assert authority.fingerprint() == fingerprint
    assert reader.update_from(authority.public, NOW_MS).version == 2
    keys[1].unlink()
    with pytest.raises(Broken) as missing:
        authority.replace_online_key(NOW_MS)
    assert missing.value.reason == Reason.KEY_FILE_MISSING


def test_after_the_online_key_was_exchanged_the_old_one_is_worth_nothing(land: Country, reader: TrustedFolder) -> None:
    stolen = twin(land)
    land.authority.replace_online_key(NOW_MS)
    land.authority.publish(NOW_MS)
    stolen.publish(NOW_MS)
    stolen.publish(NOW_MS)
    assert reader.update_from(land.authority.public, NOW_MS).version == 3
    with pytest.raises(Broken) as caught:
        reader.update_from(stolen.public, NOW_MS)
    assert caught.value.reason == Reason.DIRECTORY_INVALID
    assert land.trusted("newcomer").update_from(land.authority.public, NOW_MS).version == 3
    passed_on = land.trusted("third")
    assert passed_on.update_from(dict(reader.missing_for({})), NOW_MS).version == 3


def test_a_root_that_its_own_keys_did_not_sign_cannot_be_trusted(land: Country, tmp_path: Path) -> None:
    forged = land.authority.root_json().replace(b"2036", b"2099")
    assert forged != land.authority.root_json()
    for data in (forged, b"", b"{}", (land.authority.public / TIMESTAMP).read_bytes()):
        with pytest.raises(Broken) as caught:
            TrustedFolder(tmp_path / "new").bootstrap(data)
        assert caught.value.reason == Reason.DIRECTORY_INVALID
    assert not (tmp_path / "new").exists()


def test_a_full_disk_leaves_the_old_directory_and_the_next_attempt_succeeds(
    land: Country, reader: TrustedFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_more(land)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("node.directory.trust.edition._point", full)
        with pytest.raises(Deferred) as caught:
            reader.update_from(land.authority.public, NOW_MS)
    assert caught.value.reason == Reason.DISK_FULL
    assert TrustedFolder(land.root / "reader" / "directory").load().version == 2
    assert reader.update_from(land.authority.public, NOW_MS).version == 3


def test_a_damaged_disk_is_noticed_at_start_and_a_new_update_heals_it(land: Country, reader: TrustedFolder) -> None:
    home = land.root / "reader" / "directory"
    zone = home / "current" / "targets" / "zones" / "H38"
    zone.write_bytes(zone.read_bytes()[:-1] + b"?")
    with pytest.raises(Broken) as caught:
        TrustedFolder(home).load()
    assert str(zone.resolve()) in caught.value.detail
    (home / "current").unlink()
    assert TrustedFolder(home).update_from(land.authority.public, NOW_MS).version == 2
    assert TrustedFolder(home).load().version == 2


def test_old_editions_are_cleared_away_and_unchanged_files_are_stored_once(
    land: Country, reader: TrustedFolder
) -> None:
    for _ in range(5):
        land.authority.publish(NOW_MS)
        reader.update_from(land.authority.public, NOW_MS)
    home = land.root / "reader" / "directory"
    assert len(list((home / "editions").iterdir())) == 3
    zone = home / "current" / "targets" / "zones" / "H38"
    assert zone.stat().st_nlink == 3
    assert reader.files()["targets/zones/H38"].hex() == digest(zone.read_bytes())
    assert [path.name for path in home.iterdir() if path.name.startswith(".")] == []
