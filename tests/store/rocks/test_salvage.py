"""Salvage: a damaged log is opened at its last good point, loudly; nothing is lost that was there, and the store stays fenced."""

import asyncio
from pathlib import Path

import pytest

from node.errors import Broken
from node.model.reason import Reason
from node.store.rocks.salvage import salvage
from node.store.rocks.witness import Witness
from tests.store.conftest import NODE
from tests.store.rocks.crash import crash_image, log_of, open_at, put, refusal, rows_of
from tests.store.rocks.test_damage import filled, flip

COMMITS = 400


def octets(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in ("LOG", "LOCK")}


@pytest.mark.parametrize("share", [0.5, 0.999])
def test_a_damaged_log_opens_at_the_last_good_point_and_fenced(tmp_path: Path, share: float) -> None:
    home = crash_image(tmp_path, COMMITS)
    log = log_of(home)
    flip(log, int(log.stat().st_size * share))
    assert refusal(home).reason is Reason.STORE_CORRUPT
    before = octets(home / "db")

    looked = salvage(home / "db", home / "WITNESS", NODE, None)
    assert octets(home / "db") == before
    assert (looked.aside, looked.witness_commit_no) == (None, COMMITS)
    assert "Corruption" in looked.damage
    done = salvage(home / "db", home / "WITNESS", NODE, home / "aside")
    assert (done.commit_no, done.witness_commit_no) == (looked.commit_no, COMMITS)
    assert 0 < done.commit_no < COMMITS

    kept = octets(home / "aside")
    assert {name: kept[name] for name in before} == before
    store = open_at(home)
    assert store.fence is not None
    assert store.fence.reason is Reason.STORE_ROLLED_BACK
    assert rows_of(store) == done.commit_no
    asyncio.run(store.accept_rollback())
    asyncio.run(store.transact(put(b"kx")))
    asyncio.run(store.close())


def test_a_witness_that_lags_does_not_hide_what_was_cut(tmp_path: Path) -> None:
    home = crash_image(tmp_path, COMMITS)
    flip(log_of(home), int(log_of(home).stat().st_size * 0.999))
    found = salvage(home / "db", home / "WITNESS", NODE, None)
    store = open_at(tmp_path / "live")
    incarnation = store.incarnation
    asyncio.run(store.close())

    witness = Witness(home / "WITNESS")
    witness.create(incarnation, found.commit_no - 10)
    witness.close()
    salvage(home / "db", home / "WITNESS", NODE, home / "aside")
    store = open_at(home)
    assert store.fence is not None
    asyncio.run(store.close())


def test_a_whole_store_is_left_alone(tmp_path: Path) -> None:
    home = crash_image(tmp_path, COMMITS)
    done = salvage(home / "db", home / "WITNESS", NODE, home / "aside")
    assert (done.damage, done.commit_no, done.aside) == ("", COMMITS, None)
    assert not (home / "aside").exists()
    store = open_at(home)
    assert store.fence is None
    asyncio.run(store.close())


def test_what_it_cannot_go_round_is_told_and_left_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(Broken) as none:
        salvage(tmp_path / "db", tmp_path / "WITNESS", NODE, None)
    assert none.value.reason is Reason.HOME_MISSING
    asyncio.run(filled(tmp_path))
    flip(next((tmp_path / "db").glob("MANIFEST-*")), 100)
    before = octets(tmp_path / "db")
    with pytest.raises(Broken) as beyond:
        salvage(tmp_path / "db", tmp_path / "WITNESS", NODE, tmp_path / "aside")
    assert beyond.value.reason is Reason.STORE_CORRUPT
    assert octets(tmp_path / "db") == before
    assert not (tmp_path / "aside").exists()
