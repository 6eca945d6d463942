"""A sandbox as a vendor starts it, shared by the tests of a file: `truc sandbox --json` in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from node.client import Office
from node.sandbox.remote import Remote
from node.sandbox.site import CONFORMANCE_CREDENTIAL
from tests.web.sdk import Sdk

T = TypeVar("T")

READY_S, END_S = 60.0, 30.0
TRUC = (sys.executable, "-m", "node.cli.main")


def environment(folder: Path) -> dict[str, str]:
    """Ours without settings, with the note of where the sandbox is in the test's own folder."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("TRUC_")}
    return kept | {"XDG_RUNTIME_DIR": str(folder), "TMPDIR": str(folder), "COLUMNS": "160"}


@dataclass
class Running:
    """A sandbox that runs; `said` is the document that it has printed."""

    process: "subprocess.Popen[str]"
    said: dict[str, Any]
    folder: Path

    @property
    def door(self) -> Remote:
        return Remote(self.said["endpoint"])

    def office(self) -> Office:
        """The vendor's software, by OfficeService."""
        return Office(self.said["credential"])

    def ministry(self) -> Office:
        """An office at another node."""
        return Office(Path(self.said["folder"]) / CONFORMANCE_CREDENTIAL)

    def sdk(self) -> Sdk:
        """The vendor's software, by VXP."""
        (bridge,) = self.said["vxp"]
        port = int(bridge["endpoint"].removesuffix("/vxp").rpartition(":")[2])
        return Sdk(port, bridge["systemid"], bridge["secret"])

    def truc(self, *words: object) -> "subprocess.CompletedProcess[str]":
        """Run a command beside it."""
        command = [*TRUC, *map(str, words)]
        return subprocess.run(command, check=False, capture_output=True, text=True, env=environment(self.folder))

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it; return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(END_S)


def start(folder: Path, *options: str) -> Running:
    """Start one and wait until it has said where it is."""
    command = [*TRUC, "sandbox", "--json", *options]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True, env=environment(folder)
        )
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or lines[-1] not in ("}\n", ""):
        lines.append(process.stdout.readline())
    assert lines[-1], (folder / "log").read_text("utf-8")
    return Running(process, json.loads("".join(lines)), folder)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One that sends nothing of its own accord."""
    running = start(tmp_path_factory.mktemp("hop-cat"), "--port", "0", "--every", "0", "--largest-mb", "2")
    try:
        yield running
        assert running.end() == 0, "SIGTERM ends it in order"
    finally:
        running.process.kill()
        running.process.wait()


def eventually(look: Callable[[], T], limit_s: float = 30.0) -> T:
    """Wait until something is so; fail after the limit."""
    end_s = time.monotonic() + limit_s
    while not (found := look()):
        assert time.monotonic() < end_s, "it did not happen in time"
        time.sleep(0.05)
    return found
