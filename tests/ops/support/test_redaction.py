"""What must not leave in a bundle: secrets in texts, and more of a log than is looked at."""

import json
from pathlib import Path

import pytest

from node.ops.support.logs import read_log
from node.ops.support.redact import CUT, Redactor


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("token abcdef-secret here", f"token {CUT} here"),
        ("-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\nrest", f"{CUT}\nrest"),
        ("-----BEGIN EC PRIVATE KEY-----\nMC4C cut off", CUT),
        ("log.level: phải là một trong (đang là 'x (y)')\nmore", f"log.level: phải là một trong (đang là {CUT})\nmore"),
        ("nothing", "nothing"),
    ],
)
def test_redaction(text: str, cut: str) -> None:
    assert Redactor(["abcdef-secret", "abc"]).text(text) == cut


def test_a_log_is_read_from_its_end_and_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f'{{"event": "packet.accepted", "count": {n}}}\n' for n in range(1_000)), "utf-8")
    monkeypatch.setattr("node.ops.support.logs.BYTES_MAX", 2_000)
    monkeypatch.setattr("node.ops.support.logs.LINES_MAX", 10)
    lines, left_out = read_log(log)

    assert [json.loads(line)["count"] for line in lines] == list(range(990, 1_000))
    assert left_out["too many lines"] > 0
