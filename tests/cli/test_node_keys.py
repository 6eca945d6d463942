"""truc node certificate, passphrase and accept-rollback: the later days of a node's keys and store."""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from node.directory.trust.trust import TrustedFolder
from node.model.policy import DAY_MS
from node.seal.keyring import load_keys
from node.seal.next_tls import adopt
from node.seal.public import sealing_key_of
from node.seal.tls import load_tls
from node.store.rocks.store import RocksStore
from tests.cli.conftest import Admitted, Truc
from tests.store.rocks.crash import put
from tests.store.rocks.test_damage import flip

PASSPHRASE = "m" * 40


def publish(truc: Truc, admitted: Admitted) -> None:
    for words in (
        ("unit", "publish", admitted.home, "--authority", admitted.authority),
        ("node", "update", admitted.home, admitted.authority / "public"),
    ):
        done = truc(*words)
        assert done.code == 0, done.err


def listed(home: Path) -> tuple[bytes, ...]:
    return TrustedFolder(home / "directory").load().nodes["h37"].tls_certificates


def in_use(home: Path) -> bytes:
    return load_tls(home / "keys", None).certificate_der


def start(home: Path) -> None:
    """Do with the certificates what a node does when it starts."""
    adopt(home / "keys", listed(home), None)


def state_of(truc: Truc, home: Path, *options: str) -> str:
    done = truc("node", "certificate", home, *options, "--json")
    assert done.code == 0, done.out
    return str(done.document["state"])


def test_a_certificate_is_replaced_only_when_the_directory_lists_both(truc: Truc, admitted: Admitted) -> None:
    home = admitted.home
    old = in_use(home)

    assert [state_of(truc, home), state_of(truc, home, "--new"), state_of(truc, home)] == [
        "current",
        "prepared",
        "waiting",
    ]
    start(home)
    assert in_use(home) == old

    publish(truc, admitted)
    assert (len(listed(home)), old in listed(home), state_of(truc, home)) == (2, True, "ready")

    start(home)
    new = in_use(home)
    assert (new != old, new in listed(home), state_of(truc, home)) == (True, True, "current")
    assert not (home / "keys" / "next").exists()

    publish(truc, admitted)
    assert listed(home) == (new,)


def test_a_certificate_near_its_end_is_replaced_without_being_asked_twice(
    truc: Truc, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.ops.keys.EARLY_MS", 1_100 * DAY_MS)

    assert state_of(truc, home) == "prepared"


def test_a_replacement_that_was_cut_short_is_finished_by_the_next_start(truc: Truc, admitted: Admitted) -> None:
    home = admitted.home
    truc("node", "certificate", home, "--new")
    publish(truc, admitted)
    shutil.copy(home / "keys" / "next" / "tls.key", home / "keys" / "tls.key")  # the certificate did not follow

    assert truc("serve", home, "--check").code == 0
    start(home)
    assert in_use(home) in listed(home)


def test_people_are_told_each_step(truc: Truc, admitted: Admitted) -> None:
    none = truc("node", "certificate", admitted.home).out
    first = truc("node", "certificate", admitted.home, "--new").out
    publish(truc, admitted)
    second = truc("node", "certificate", admitted.home).out

    assert "chưa cần đổi" in none
    assert "vẫn dùng chứng thư cũ" in first
    assert f"truc unit publish {admitted.home} -o" in first
    assert "systemctl restart truc" in second


def secret_file(folder: Path, text: str) -> Path:
    path = folder / "mat-khau"
    path.write_text(text)
    path.chmod(0o600)
    return path


def name_the_file(home: Path, file: Path) -> None:
    settings = home / "node.toml"
    text = settings.read_text("utf-8").replace('# passphrase_file = "keys/passphrase"', f'passphrase_file = "{file}"')
    settings.write_text(text, "utf-8")


def test_a_passphrase_is_set_and_changed_for_every_private_key(truc: Truc, home: Path, tmp_path: Path) -> None:
    first = secret_file(tmp_path, PASSPHRASE)
    done = truc("node", "passphrase", home, first, "--json")

    assert [Path(one).name for one in done.document["files"]] == ["seal-0001.pem", "sign.pem", "tls.key"]
    assert truc("serve", home, "--check", "--json").reason == "KEY_UNUSABLE"
    name_the_file(home, first)
    assert truc("serve", home, "--check").code == 0
    assert truc("node", "passphrase", home, "--json").document["files"] == [], "given again it changes nothing"

    second = secret_file(home, "n" * 40)
    assert truc("node", "passphrase", home, second).code == 0
    load_keys(home / "keys", "h37", b"n" * 40)


def test_a_passphrase_named_in_the_settings_is_set(truc: Truc, home: Path, tmp_path: Path) -> None:
    assert truc("node", "passphrase", home).code == 2, "nothing says which"
    name_the_file(home, secret_file(tmp_path, PASSPHRASE))

    assert truc("serve", home, "--check", "--json").reason == "KEY_UNUSABLE"
    assert len(truc("node", "passphrase", home, "--json").document["files"]) == 3
    assert truc("serve", home, "--check").code == 0


@pytest.mark.parametrize("mode", [0o644, 0o640])
def test_a_passphrase_that_others_can_read_is_refused(truc: Truc, home: Path, tmp_path: Path, mode: int) -> None:
    file = secret_file(tmp_path, PASSPHRASE)
    file.chmod(mode)

    assert truc("node", "passphrase", home, file, "--json").reason == "KEY_FILE_EXPOSED"


def test_a_word_is_no_passphrase(truc: Truc, home: Path, tmp_path: Path) -> None:
    refused = truc("node", "passphrase", home, secret_file(tmp_path, "matkhau123"), "--json")

    assert (refused.code, refused.reason) == (78, "KEY_UNUSABLE")
    assert "openssl rand" in refused.out
    load_keys(home / "keys", "h37", None)


def test_home_may_come_from_the_variable_where_a_path_follows(
    truc: Truc, admitted: Admitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUC_HOME", str(admitted.home))

    assert truc("node", "update", admitted.authority / "public").code == 0
    assert truc("node", "update", admitted.home, admitted.authority / "public").code == 0


def run_to(home: Path, rows: int) -> None:
    async def story() -> None:
        store = RocksStore.open(home / "store", home / "WITNESS", node_id="h37")
        for number in range(rows):
            await store.transact(put(b"k%d" % number))
        await store.close()

    asyncio.run(story())


def test_a_node_that_never_ran_has_nothing_to_accept_and_gets_no_store(truc: Truc, home: Path) -> None:
    assert truc("node", "accept-rollback", home, "--json").document["fenced"] is False
    assert not (home / "store").exists()


def test_a_store_that_went_back_is_opened_again_only_by_decision(truc: Truc, home: Path, tmp_path: Path) -> None:
    run_to(home, 3)
    assert truc("node", "accept-rollback", home, "--yes", "--json").document["fenced"] is False
    shutil.copytree(home / "store", tmp_path / "old")
    run_to(home, 5)
    shutil.rmtree(home / "store")
    shutil.move(tmp_path / "old", home / "store")

    asked = truc("node", "accept-rollback", home, "--json")
    assert (asked.code, asked.document["fenced"]) == (78, True)
    assert asked.document["db_commit_no"] < asked.document["witness_commit_no"]
    told = truc("node", "accept-rollback", home)
    assert "--yes" in told.out
    assert "chấp nhận mất" in told.out

    done = truc("node", "accept-rollback", home, "--yes", "--json")
    assert (done.code, done.document["fenced"]) == (0, False)
    run_to(home, 1)


def test_a_damaged_log_is_salvaged_and_then_decided_about(truc: Truc, home: Path) -> None:
    assert truc("store", "salvage", home, "--json").reason == "HOME_MISSING"
    run_to(home, 1)
    assert truc("store", "salvage", home, "--json").document["damaged"] is False
    program = (
        "import asyncio, os, sys; from pathlib import Path; from node.store.rocks.store import RocksStore\n"
        "async def story():\n"
        " home = Path(sys.argv[1]); store = RocksStore.open(home / 'store', home / 'WITNESS', node_id='h37')\n"
        " for number in range(50): await store.transact(lambda tx: tx.put(b'k%d' % number, bytes(500)))\n"
        " os._exit(0)\n"
        "asyncio.run(story())"
    )
    subprocess.run([sys.executable, "-c", program, str(home)], check=True, timeout=60)
    log = max((home / "store").glob("*.log"), key=lambda path: path.stat().st_size)
    flip(log, log.stat().st_size - 100)

    refused = truc("doctor", home, "--json")
    assert refused.code == 78
    [said] = [one for one in refused.document["checks"] if one["name"] == "store"]
    assert (said["state"], "truc store salvage" in said["advice"]) == ("wrong", True)
    looked = truc("store", "salvage", home, "--dry-run")
    assert "tới chỗ còn tốt" in looked.out
    done = truc("store", "salvage", home, "--json")
    assert (done.code, done.document["damaged"]) == (0, True)
    assert Path(done.document["aside"]).is_dir()
    asked = truc("node", "accept-rollback", home, "--json")
    assert (asked.code, asked.document["fenced"]) == (78, True)
    assert truc("node", "accept-rollback", home, "--yes", "--json").document["fenced"] is False
    run_to(home, 1)


def test_a_store_in_use_is_not_opened_for_a_decision(truc: Truc, home: Path) -> None:
    store = RocksStore.open(home / "store", home / "WITNESS", node_id="h37")
    try:
        assert truc("node", "accept-rollback", home, "--yes", "--json").reason == "HOME_IN_USE"
    finally:
        asyncio.run(store.close())


def turns(truc: Truc, home: Path, *options: str) -> dict[str, str]:
    done = truc("node", "keys", "rotate", home, *options, "--json")
    assert done.code == 0, done.err
    return {one["kind"]: one["state"] for one in done.document["keys"]}


def test_signing_and_sealing_keys_turn_step_by_step_and_every_step_may_be_done_again(
    truc: Truc, admitted: Admitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = admitted.home
    [old] = TrustedFolder(home / "directory").load().nodes["h37"].signing_keys
    both = ("--signing", "--sealing")
    assert turns(truc, home, *both) == {"signing": "current", "sealing": "current"}
    assert turns(truc, home, *both, "--new") == {"signing": "prepared", "sealing": "prepared"}
    assert turns(truc, home, *both, "--new") == {"signing": "waiting", "sealing": "waiting"}, "no third key is made"
    assert "chờ công bố" in str(truc("doctor", home, "--json").document)

    publish(truc, admitted)
    assert turns(truc, home, *both, "--new") == {"signing": "scheduled", "sealing": "scheduled"}
    entry = TrustedFolder(home / "directory").load().nodes["h37"]
    new, ending = entry.signing_keys
    assert (ending.raw, ending.valid_to_ms) == (old.raw, new.valid_from_ms + DAY_MS)
    assert sealing_key_of(entry, new.valid_from_ms - 1) != sealing_key_of(entry, new.valid_from_ms)

    monkeypatch.setattr("node.cli.node_keys.now_ms", lambda: new.valid_from_ms + 1)
    assert turns(truc, home, *both) == {"signing": "current", "sealing": "current"}
    for command in ("node_keys", "unit"):
        monkeypatch.setattr(f"node.cli.{command}.now_ms", lambda: new.valid_from_ms + 100 * DAY_MS)
    assert turns(truc, home, *both) == {"signing": "current", "sealing": "current"}
    publish(truc, admitted)
    assert turns(truc, home, *both) == {"signing": "current", "sealing": "current"}
    assert sorted(path.name for path in (home / "keys").glob("*.pem")) == [
        "seal-0001.pem",
        "seal-0002.pem",
        "sign-0002.pem",
    ], "what has been locked for us stays to be opened; nobody signs with an old key"


def test_rotating_writes_what_goes_to_the_authority_and_tells_people(truc: Truc, admitted: Admitted) -> None:
    file = admitted.home.parent / "vung.truc"
    done = truc("node", "keys", "rotate", admitted.home, "--new", "-o", file)
    assert done.code == 0, done.err
    assert all(title in done.out for title in ("Khóa ký", "Khóa mở", "Chứng thư TLS"))
    assert truc("authority", "take", admitted.authority, file).code == 0
    assert truc("authority", "publish", admitted.authority).code == 0
    assert truc("node", "update", admitted.home, admitted.authority / "public").code == 0
    assert turns(truc, admitted.home) == {"signing": "scheduled", "sealing": "scheduled", "tls": "ready"}


def test_a_key_that_is_not_secret_any_more_is_gone_with_the_next_publication(truc: Truc, admitted: Admitted) -> None:
    home = admitted.home
    [old] = TrustedFolder(home / "directory").load().nodes["h37"].signing_keys
    assert turns(truc, home, "--signing", "--revoke") == {"signing": "prepared"}
    publish(truc, admitted)
    [new] = TrustedFolder(home / "directory").load().nodes["h37"].signing_keys
    assert new.raw != old.raw
    assert truc("doctor", home, "--json").document
    assert turns(truc, home, "--signing") == {"signing": "current"}
    assert [path.name for path in (home / "keys").glob("sign*.pem")] == ["sign-0002.pem"]


@pytest.mark.parametrize("hours", ["inf", "nan", "1e300", "9601", "-1"])
def test_an_overlap_that_no_key_can_wait_for_is_refused_before_anything_is_written(
    truc: Truc, admitted: Admitted, hours: str
) -> None:
    before = {path: path.read_bytes() for path in admitted.home.rglob("*") if path.is_file()}
    refused = truc("node", "keys", "rotate", admitted.home, "--new", "--overlap", hours)

    assert refused.code == 2
    assert "từ 0 đến 9600 giờ" in refused.err
    assert {path: path.read_bytes() for path in admitted.home.rglob("*") if path.is_file()} == before


def test_options_for_a_new_key_are_said_to_change_nothing_while_one_waits(truc: Truc, admitted: Admitted) -> None:
    rotate = ("node", "keys", "rotate", admitted.home, "--signing")
    assert "không đổi gì" not in truc(*rotate, "--new", "--overlap", "48").out
    began = truc(*rotate, "--json").document["keys"][0]["at_ms"]

    again = truc(*rotate, "--new", "--overlap", "72")
    assert "Khóa ký mới đã làm từ trước: --new, --overlap không đổi gì" in again.out
    assert "không đổi gì" not in truc(*rotate).out
    document = truc(*rotate, "--overlap", "72", "--json").document
    assert (document["ignored"], document["keys"][0]["at_ms"]) == (["--overlap"], began)
    publish(truc, admitted)
    assert "--overlap không đổi gì" in truc(*rotate, "--overlap", "1").out
