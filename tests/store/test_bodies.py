"""Bodies: promises of every keeper of large ones (ports.Bodies and Part), the same tests for memory and files."""

import asyncio
import errno
import hashlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from node.errors import Broken, Deferred, Denied
from node.model.reason import Reason
from node.store.bodies import KNOWN_MAX, FileBodies
from node.store.damage import Damage, Place
from node.store.files import NoSpace
from node.store.part import FilePart

TOKEN = b"t" * 16
DATA = os.urandom(300_000)
DIGEST = hashlib.sha256(DATA).digest()
MIB = 1024 * 1024


def play(shelf: Any, story: Callable[[Any], Awaitable[None]]) -> None:
    async def whole() -> None:
        bodies = shelf.open()
        try:
            await story(bodies)
        finally:
            await bodies.close()

    asyncio.run(whole())


def test_a_body_grows_in_a_part_and_is_there_once_it_is_sealed(shelf: Any) -> None:
    async def story(bodies: Any) -> None:
        part = await bodies.open_part(TOKEN)
        await part.write(DATA[:100_000])
        await part.write(DATA[100_000:])
        assert part.size_bytes == len(DATA)
        assert not await bodies.has(DIGEST)
        await part.seal(DIGEST)
        assert await bodies.has(DIGEST)
        assert await bodies.read(DIGEST, 0, len(DATA)) == DATA
        assert await bodies.read(DIGEST, 299_990, 4_096) == DATA[299_990:]
        assert await bodies.read(DIGEST, 400_000, 10) == b""

    play(shelf, story)


def test_an_upload_resumes_where_it_was_durable(shelf: Any) -> None:
    async def whole() -> None:
        bodies = shelf.open()
        part = await bodies.open_part(TOKEN)
        await part.write(DATA[:200_000])
        assert part.durable_bytes == 0
        await part.sync()
        assert part.durable_bytes == 200_000
        await part.write(DATA[200_000:250_000])
        await part.close()
        bodies = shelf.open()
        part = await bodies.open_part(TOKEN)
        assert 200_000 <= part.durable_bytes == part.size_bytes <= 250_000
        await part.write(DATA[part.size_bytes :])
        await part.seal(DIGEST)
        assert await bodies.read(DIGEST, 0, len(DATA)) == DATA

    asyncio.run(whole())


def test_every_eight_mebibytes_become_durable_by_themselves(shelf: Any) -> None:
    async def story(bodies: Any) -> None:
        part = await bodies.open_part(TOKEN)
        for _ in range(17):
            await part.write(bytes(MIB))
        assert part.durable_bytes == 16 * MIB
        await part.discard()

    play(shelf, story)


def test_a_part_with_another_digest_is_refused_and_gone(shelf: Any) -> None:
    async def story(bodies: Any) -> None:
        part = await bodies.open_part(TOKEN)
        await part.write(DATA + b"!")
        with pytest.raises(Denied) as refused:
            await part.seal(DIGEST)
        assert refused.value.reason == Reason.BODY_DIGEST_DIFFERS
        assert not await bodies.has(DIGEST)
        part = await bodies.open_part(TOKEN)
        assert part.size_bytes == 0
        await part.close()

    play(shelf, story)


def test_sealing_and_storing_what_exists_is_harmless(shelf: Any) -> None:
    async def story(bodies: Any) -> None:
        for _ in range(2):
            part = await bodies.open_part(TOKEN)
            await part.write(DATA)
            await part.seal(DIGEST)
            await bodies.put(DIGEST, DATA)
        assert await bodies.read(DIGEST, 0, len(DATA)) == DATA
        assert await bodies.sweep(-1) == 0

    play(shelf, story)


def test_a_body_stored_whole_is_checked(shelf: Any) -> None:
    async def story(bodies: Any) -> None:
        with pytest.raises(Denied) as refused:
            await bodies.put(DIGEST, DATA[1:])
        assert refused.value.reason == Reason.BODY_DIGEST_DIFFERS
        await asyncio.gather(*(bodies.put(DIGEST, DATA) for _ in range(8)))
        assert await bodies.read(DIGEST, 0, 10) == DATA[:10]

    play(shelf, story)


def test_one_part_has_one_writer(shelf: Any) -> None:
    async def story(bodies: Any) -> None:
        part = await bodies.open_part(TOKEN)
        with pytest.raises(Deferred) as refused:
            await bodies.open_part(TOKEN)
        assert refused.value.reason == Reason.PEER_BUSY
        await part.close()
        await part.close()
        part = await bodies.open_part(TOKEN)
        await part.discard()

    play(shelf, story)


def test_a_missing_body_is_named_and_removing_it_is_harmless(shelf: Any) -> None:
    async def story(bodies: Any) -> None:
        await bodies.put(DIGEST, DATA)
        await bodies.remove(DIGEST)
        await bodies.remove(DIGEST)
        assert not await bodies.has(DIGEST)
        with pytest.raises(Broken) as missing:
            await bodies.read(DIGEST, 0, 1)
        assert missing.value.reason == Reason.STORE_CORRUPT
        assert DIGEST.hex() in missing.value.detail

    play(shelf, story)


def test_a_body_that_is_missing_or_that_the_disk_cannot_read_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    async def story() -> None:
        damage = Damage()
        bodies = FileBodies(tmp_path, damage=damage)
        await bodies.put(DIGEST, DATA)
        monkeypatch.setattr(os, "pread", failing)
        with pytest.raises(Broken) as unreadable:
            await bodies.read(DIGEST, 0, 1)
        assert unreadable.value.reason is Reason.IO_FAILED
        monkeypatch.undo()
        await bodies.remove(DIGEST)
        with pytest.raises(Broken):
            await bodies.read(DIGEST, 0, 1)
        assert damage.counts[Place.BODY_FILE] == 2
        assert "missing" in damage.latest[Place.BODY_FILE]
        await bodies.close()

    asyncio.run(story())


def test_a_quota_that_is_used_up_is_a_full_disk_and_a_read_only_disk_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        bodies = FileBodies(tmp_path)
        for number, kind, reason in (
            (errno.EDQUOT, Deferred, Reason.DISK_FULL),
            (errno.EROFS, Broken, Reason.DISK_READ_ONLY),
        ):

            def failing(*_: object, number: int = number) -> int:
                raise OSError(number, os.strerror(number))

            monkeypatch.setattr(os, "pwrite", failing)
            with pytest.raises(kind) as told:
                await bodies.put(DIGEST, DATA)
            assert told.value.reason is reason
        await bodies.close()

    asyncio.run(story())


def test_the_sweep_takes_only_parts_that_nobody_writes(shelf: Any) -> None:
    async def story(bodies: Any) -> None:
        left, written = await bodies.open_part(b"a" * 16), await bodies.open_part(b"b" * 16)
        await left.write(b"left")
        await written.write(b"written")
        await left.close()
        assert await bodies.sweep(3_600) == 0
        assert await bodies.sweep(-1) == 1
        assert written.size_bytes == 7
        await written.seal(hashlib.sha256(b"written").digest())
        again = await bodies.open_part(b"a" * 16)
        assert again.size_bytes == 0
        await again.close()

    play(shelf, story)


def test_old_bodies_are_told_shelf_by_shelf(shelf: Any) -> None:
    async def story(bodies: Any) -> None:
        await bodies.put(DIGEST, DATA)
        part = await bodies.open_part(TOKEN)
        await part.write(b"written")
        other = hashlib.sha256(b"written").digest()
        await part.seal(other)
        assert DIGEST[0] != other[0]
        assert await bodies.old(DIGEST[0], 0) == [DIGEST]
        assert await bodies.old(other[0], 0) == [other]
        assert await bodies.old(DIGEST[0], 3_600) == []
        await bodies.remove(DIGEST)
        assert await bodies.old(DIGEST[0], 0) == []

    play(shelf, story)


def test_a_cancelled_write_leaves_a_part_that_can_be_closed_and_opened_again(tmp_path: Path) -> None:
    async def story() -> None:
        bodies = FileBodies(tmp_path)
        part = await bodies.open_part(TOKEN)
        writing = asyncio.create_task(part.write(bytes(4 * MIB)))
        await asyncio.sleep(0)
        writing.cancel()
        await asyncio.wait([writing])
        await part.close()
        part = await bodies.open_part(TOKEN)
        assert part.size_bytes in (0, 4 * MIB)
        await part.discard()
        opening = asyncio.create_task(bodies.open_part(TOKEN))
        await asyncio.sleep(0)
        opening.cancel()
        await asyncio.wait([opening])
        async with asyncio.timeout(10):
            while True:
                try:
                    part = await bodies.open_part(TOKEN)
                    break
                except Deferred:
                    await asyncio.sleep(0.005)
        await part.discard()
        await bodies.close()

    asyncio.run(story())


def test_after_an_fsync_that_met_a_full_disk_only_what_was_durable_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise NoSpace("full")

    async def story() -> None:
        bodies = FileBodies(tmp_path)
        part = await bodies.open_part(TOKEN)
        await part.write(DATA[:100_000])
        await part.sync()
        await part.write(DATA[100_000:200_000])
        with monkeypatch.context() as patch:
            patch.setattr("node.store.part.sync_file", full)
            with pytest.raises(Deferred) as told:
                await part.sync()
        assert told.value.reason == Reason.DISK_FULL
        assert part.size_bytes == part.durable_bytes == 100_000
        await part.write(DATA[100_000:])
        await part.seal(DIGEST)
        assert await bodies.read(DIGEST, 0, len(DATA)) == DATA
        await bodies.close()

    asyncio.run(story())


def test_files_lie_where_the_map_says(tmp_path: Path) -> None:
    async def story() -> None:
        bodies = FileBodies(tmp_path)
        await bodies.put(DIGEST, DATA)
        part = await bodies.open_part(TOKEN)
        await part.write(b"x")
        await part.close()
        await bodies.close()

    asyncio.run(story())
    assert (tmp_path / "bodies" / DIGEST.hex()[:2] / DIGEST.hex()).read_bytes() == DATA
    assert (tmp_path / "spool" / f"{TOKEN.hex()}.part").read_bytes() == b"x"


def test_what_is_none_of_ours_is_passed_over_and_the_rest_is_swept(tmp_path: Path) -> None:
    async def story() -> None:
        bodies = FileBodies(tmp_path)
        for token in (b"a" * 16, b"b" * 16):
            await (await bodies.open_part(token)).close()
        (tmp_path / "spool" / "not-hex.part").touch()
        (tmp_path / "spool" / f"{'0c' * 16}.part").mkdir()
        (tmp_path / "spool" / "ghi chú").touch()
        shelf = tmp_path / "bodies" / f"{DIGEST[0]:02x}"
        (shelf / ("z" * 64)).touch()
        (shelf / f"{DIGEST[0]:02x}{'00' * 31}").mkdir()
        await bodies.put(DIGEST, DATA)
        assert await bodies.parts() == [b"a" * 16, b"b" * 16]
        assert await bodies.old(DIGEST[0], -1) == [DIGEST]
        assert await bodies.sweep(-1) == 2
        assert await bodies.parts() == []
        await bodies.close()

    asyncio.run(story())


def test_a_part_that_cannot_be_removed_keeps_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        bodies = FileBodies(tmp_path)
        for token in (b"a" * 16, b"b" * 16):
            await (await bodies.open_part(token)).close()
        real = Path.unlink

        def unlink(path: Path, missing_ok: bool = False) -> None:
            if path.stem == (b"a" * 16).hex():
                raise PermissionError(1, "Operation not permitted")
            real(path, missing_ok)

        monkeypatch.setattr(Path, "unlink", unlink)
        assert await bodies.sweep(-1) == 1
        assert await bodies.parts() == [b"a" * 16]
        await bodies.close()

    asyncio.run(story())


def test_a_part_goes_by_its_token_unless_somebody_has_it_open(shelf: Any) -> None:
    async def story(bodies: Any) -> None:
        part = await bodies.open_part(TOKEN)
        assert (await bodies.parts(), await bodies.remove_part(TOKEN)) == ([], False)
        await part.close()
        assert (await bodies.parts(), await bodies.remove_part(TOKEN)) == ([TOKEN], True)
        assert await bodies.parts() == []

    play(shelf, story)


def test_a_part_that_is_opened_again_is_not_read_again_unless_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    real = FilePart._digest_of
    monkeypatch.setattr(FilePart, "_digest_of", lambda part, size: read.append(size) or real(part, size))

    async def story() -> None:
        bodies = FileBodies(tmp_path)
        for at in range(0, len(DATA), 100_000):
            part = await bodies.open_part(TOKEN)
            assert (part.size_bytes, part.durable_bytes) == (at, at)
            await part.write(DATA[at : at + 100_000])
            await part.close()
        assert sum(read) == 0
        path = tmp_path / "spool" / f"{TOKEN.hex()}.part"
        path.write_bytes(DATA[:-1] + b"x")
        part = await bodies.open_part(TOKEN)
        assert sum(read) == len(DATA), "somebody else has written to it"
        with pytest.raises(Denied):
            await part.seal(DIGEST)
        part = await bodies.open_part(TOKEN)
        await part.write(DATA)
        await part.close()
        part = await bodies.open_part(TOKEN)
        await part.seal(DIGEST)
        assert bodies._known == {}
        for number in range(2 * KNOWN_MAX):
            await (await bodies.open_part(number.to_bytes(16, "big"))).close()
        assert len(bodies._known) <= KNOWN_MAX
        await bodies.close()

    asyncio.run(story())
