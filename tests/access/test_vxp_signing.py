"""Calls signed by hand are believed by the bridge, and what is printed can be pasted; the secret is not in it."""

import itertools
import json
import shlex
from datetime import datetime
from pathlib import Path

import pytest

from node.access.vxp_signing import file_digest, signed_fields
from node.cli.main import run
from node.errors import Denied
from node.model.calendar import VIETNAM
from node.model.office import System
from node.web.vxp.signature import verify

AT = datetime(2026, 12, 1, 8, 5, 9, 95_000, VIETNAM)
SYSTEM = System("qlvb", frozenset({"H49.22"}))


class Secrets:
    def secret_of(self, name: str, *, now: bool = False) -> bytes | None:
        return b"bi mat"


def on_the_wire(fields: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in fields.items()]


def test_the_bridge_believes_it_and_nothing_that_was_changed() -> None:
    fields = signed_fields("qlvb", "bi mat", {"docId": "ab-1", "filePath": "/tmp/thư mục"}, AT)
    signed = verify(on_the_wire(fields), lambda name: SYSTEM if name == "qlvb" else None, Secrets())
    assert (signed.argument("docId"), signed.argument("filePath")) == ("ab-1", "/tmp/thư mục")
    assert fields["XroadVnpt-timestamp"] == "01122026T080509+0095"
    wrong = fields | {"XroadVnpt-sign-header": fields["XroadVnpt-sign-header"].replace("ab-1", "ab-2")}
    with pytest.raises(Denied):
        verify(on_the_wire(wrong), lambda name: SYSTEM, Secrets())


def test_the_command_prints_a_call_to_paste(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    packet = tmp_path / "gói tin.edxml"
    packet.write_bytes(b"<x/>")
    monkeypatch.setenv("TRUC_VXP_SECRET", "bi mat")
    words = ["vxp", "sign", "sendEdoc", "--systemid", "qlvb", "--file", str(packet), "--endpoint", "https://nut/vxp/"]
    assert run(words) == 0
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert "bi mat" not in said
    command = shlex.split(said)
    assert command[0] == "curl"
    assert command[-3:] == ["--data-binary", f"@{packet}", "https://nut/vxp/sendEdoc"]
    fields = dict(word.split(": ", 1) for flag, word in itertools.pairwise(command) if flag == "-H")
    signed = verify(on_the_wire(fields), lambda name: SYSTEM, Secrets())
    assert signed.argument("hash-file") == file_digest(b"<x/>")
    assert run([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["url"] == "https://nut/vxp/sendEdoc"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["getEdoc", "--systemid", "q"], "chưa có secret"),
        (["getEdoc"], "cần --systemid"),
        (["sendEdoc", "--systemid", "q"], "--file đi cùng sendEdoc"),
        (["getEdoc", "docId", "--systemid", "q"], "không có dạng tên=giá trị"),
    ],
)
def test_what_is_missing_is_named(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRUC_VXP_SECRET", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["vxp", "sign", *words]) != 0
    assert said.lower() in capsys.readouterr().err.lower()
