"""Common ground of the command's tests: calling it in this process, and small worlds of files."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from node.cli.main import run
from node.ops.doctor.clock import KernelClock
from tests.ports import free_ports

READY_S = 30.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document that `--json` prints."""
        return json.loads(self.out)

    @property
    def reason(self) -> str:
        """The reason of the fault that `--json` tells."""
        return self.document["error"]["reason"]


Truc = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def kept_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the machine's clock be kept right, whatever machine tests run on; tests of that say otherwise themselves."""
    monkeypatch.setattr("node.ops.doctor.clock.kernel_clock", lambda: KernelClock(True, 2_000))


@pytest.fixture
def truc(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Truc:
    """Run a command as a shell would, on a wide terminal, without settings of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("TRUC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*words: object) -> Outcome:
        code = run([str(word) for word in words])
        said = capsys.readouterr()
        return Outcome(code, said.out, said.err)

    return call


@dataclass(frozen=True, slots=True)
class Admitted:
    """An authority's folder and a node that it has admitted, with two units."""

    authority: Path
    home: Path


@pytest.fixture
def home(truc: Truc, tmp_path: Path) -> Path:
    """A node that was just made."""
    path = tmp_path / "nut"
    made = truc("node", "create", path, "--id", "h37", "--name", "UBND tỉnh Mẫu", "--prefix", "H37")
    assert made.code == 0, made.err
    return path


@pytest.fixture
def admitted(truc: Truc, tmp_path: Path, home: Path) -> Admitted:
    """A node that knows a directory in which it and its two units stand."""
    authority = tmp_path / "danh-ba"
    for words in (
        ("authority", "create", authority, "--name", "Cơ quan mẫu"),
        ("authority", "admit", authority, home / "join-request.truc"),
        ("unit", "add", home, "000.00.01.H37", "Sở Mẫu", "--short", "SM"),
        ("unit", "add", home, "H37.25.03", "UBND xã Hoa Hồi"),
        ("unit", "publish", home, "--authority", authority),
        ("node", "join", home, authority / "public"),
    ):
        done = truc(*words)
        assert done.code == 0, done.err
    return Admitted(authority, home)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a running node with units H37.01 and H37.25.03, and two systems, one for each: so.json and xa.json."""
    folder = tmp_path_factory.mktemp("running")
    home, authority = folder / "nut", folder / "danh-ba"
    mesh, office = free_ports(2)
    ports = {"--mesh": f"127.0.0.1:{mesh}", "--office": f"127.0.0.1:{office}"}
    for words in (
        ("authority", "create", authority, "--name", "Cơ quan mẫu"),
        ("node", "create", home, "--id", "h37", "--name", "Tỉnh Mẫu", "--prefix", "H37", *sum(ports.items(), ())),
        ("authority", "admit", authority, home / "join-request.truc"),
        ("unit", "add", home, "H37.01", "Sở Mẫu"),
        ("unit", "add", home, "H37.25.03", "UBND xã Hoa Hồi"),
        ("unit", "publish", home, "--authority", authority),
        ("node", "join", home, authority / "public"),
        ("system", "add", home, "so", "--unit", "H37.01", "-o", folder / "so.json"),
        ("system", "add", home, "xa", "--unit", "H37.25.03", "-o", folder / "xa.json"),
    ):
        assert run([str(word) for word in words]) == 0
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRUC_")}
    command = [sys.executable, "-m", "node.cli.main", "serve", str(home), "--json"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=environment)
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline() or b"{}")
        assert ready.get("node_id") == "h37", (folder / "log").read_text()
        yield home
        process.send_signal(signal.SIGTERM)
        assert process.wait(READY_S) == 0, "SIGTERM ends it in order"
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def so(node: Path) -> Path:
    """Credential of the department."""
    return node.parent / "so.json"


@pytest.fixture
def xa(node: Path) -> Path:
    """Credential of the commune."""
    return node.parent / "xa.json"
