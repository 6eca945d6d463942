"""The process is stopped at every step that changes the disk or speaks to the node, and killed: nothing is lost, nothing is twice."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from node.client import AsyncOffice
from node.net.client import OfficeClient
from tests.drop.conftest import Worked, document_in, worked
from tests.drop.test_story import FORM, PDF, names
from tests.mesh.support import eventually, run
from tests.papers import document
from tests.real_mesh import ROOT, RealMesh, wait_for

KILLS = int(os.environ.get("TRUC_KILLS", "8"))


class Stop(BaseException):
    """The process ends here."""


class Steps:
    """Counts what changes the disk or the node, and stops before or after the n-th."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 0
        self.after = False
        for name in ("rename", "replace", "fsync", "rmdir"):
            monkeypatch.setattr(os, name, self._counted(getattr(os, name)))
        for name in ("submit", "submit_once", "acknowledge", "fetch_to"):
            monkeypatch.setattr(OfficeClient, name, self._counted_call(getattr(OfficeClient, name)))

    def _count(self, after: bool) -> None:
        if after is not self.after:
            return
        self.left -= 1
        if self.left == 0:
            raise Stop

    def _counted(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **options: Any) -> Any:
            self._count(after=False)
            done = step(*args, **options)
            self._count(after=True)
            return done

        return counted

    def _counted_call(self, call: Callable[..., Any]) -> Callable[..., Any]:
        async def counted(*args: Any, **options: Any) -> Any:
            self._count(after=False)
            done = await call(*args, **options)
            self._count(after=True)
            return done

        return counted


async def something_waits(here: Worked) -> bool:
    return bool([one async for one in here.office.inbox("G14.01")])


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_whatever_step_it_is_stopped_at_each_packet_is_sent_once_and_comes_home_once(
    pair: RealMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    steps = Steps(monkeypatch)
    steps.after = after

    async def attempt(root: Path, step: int) -> bool:
        """Send both, bring both home, stopped at a step; tell whether that was reached."""
        async with worked(pair, "g14", root) as here:
            try:
                steps.left = step
                for _ in range(2):
                    await here.look()
                    await eventually(lambda: something_waits(here))
                await here.look()
                return False
            except Stop:
                return True
            finally:
                steps.left = 0

    async def story(root: Path, step: int) -> bool:
        (root / "gui").mkdir(parents=True)
        (root / "gui" / "gói.edxml").write_bytes(document("G14.01", number=f"{after:d}a{step}"))
        (root / "gui" / "mẫu.toml").write_text(
            FORM.format(number=f"{after:d}b{step}", more="").replace("H49.22", "G14.01"), "utf-8"
        )
        (root / "gui" / "mẫu.pdf").write_bytes(PDF)
        stopped = await attempt(root, step)
        async with worked(pair, "g14", root) as again:
            for number in (f"{after:d}a{step}", f"{after:d}b{step}"):
                await again.until(f"den/{number}-*/thong-tin.txt")
            await again.look()
            assert [one async for one in again.office.inbox("G14.01")] == []
        return stopped

    step = 1
    while run(story(tmp_path / f"{step}", step), 60):
        root = tmp_path / f"{step}"
        assert names(root / "gui") == names(root / "dang-gui") == names(root / "loi") == set(), step
        assert len(names(root / "da-gui")) == 2, step
        assert len(names(root / "den") - {"trang-thai"}) == 2, step
        assert len({document_in(one, "bien-nhan.json")["packet_id"] for one in (root / "da-gui").iterdir()}) == 2
        assert not list((root / ".dang-nhan").iterdir())
        step += 1
    assert step > 20, "there are that many steps"


@pytest.mark.slow
def test_a_process_that_is_killed_again_and_again_sends_and_brings_home_everything_once(
    pair: RealMesh, tmp_path: Path
) -> None:
    async def left() -> list[Any]:
        async with AsyncOffice(pair["g14"].credential) as office:
            return [one async for one in office.inbox("G14.01")]

    chance, root = random.Random(4), tmp_path / "bộ"
    pair["g14"].credential.save(tmp_path / "bộ.json")
    command = [sys.executable, "-m", "node.cli.main", "drop", "--as", str(tmp_path / "bộ.json"), str(root)]
    (root / "gui").mkdir(parents=True)
    expected: dict[str, bytes] = {}
    process = None
    for number in range(KILLS):
        process = subprocess.Popen(
            [*command, "--every", "0.1"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for each in range(6):
            name = f"k{number}x{each}"
            attached = [("lớn.pdf", chance.randbytes(chance.choice((10, 40_000, 1_500_000))))]
            expected[name] = document("G14.01", number=name, attachments=attached)
            (root / "gui" / f"{name}.part").write_bytes(expected[name])
            (root / "gui" / f"{name}.part").rename(root / "gui" / f"{name}.edxml")
        before = len(list((root / "da-gui").glob("*"))) if (root / "da-gui").exists() else 0
        wait_for(lambda seen=before: len(list((root / "da-gui").glob("*"))) > seen, 30, "a packet is sent")  # type: ignore[misc]
        end = time.monotonic() + chance.random()
        wait_for(lambda end=end: time.monotonic() > end, 5, "a moment")  # type: ignore[misc]
        process.send_signal(signal.SIGKILL)
        process.wait()
    # All may be home already: with one more to send it is at work when it is told to end, and not still starting.
    expected["klast"] = document("G14.01", number="klast")
    (root / "gui" / "klast.edxml").write_bytes(expected["klast"])
    process = subprocess.Popen([*command, "--every", "0.1"], cwd=ROOT)
    try:
        wait_for(lambda: {one.name.split("-")[0] for one in (root / "den").glob("k*")} == set(expected), 60, "all home")
        wait_for(lambda: run(left()) == [], 30, "all is acknowledged")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()

    home = {path.name.split("-")[0]: path.read_bytes() for path in (root / "den").glob("k*/*.edxml")}
    assert home == expected
    assert len(list((root / "den").glob("k*"))) == len(list((root / "da-gui").iterdir())) == len(expected)
    assert names(root / "gui") == names(root / "dang-gui") == names(root / "loi") == set()
