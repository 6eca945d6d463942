"""What the tests of the command share: calling it in this process, and small worlds of files."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from node.cli.main import run


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
