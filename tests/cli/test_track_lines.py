"""Compact lines of a tracked packet: whoever must be looked at stands first, in 80 columns, and thousands stay readable."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from node.cli import track_lines
from node.cli.output import console, show
from node.model.deadline import Deadline, DeadlineKind
from node.model.delivery import State
from node.model.life import LifeState
from node.model.office import DeliveryView
from node.model.reason import Reason
from node.model.receipt import SignedReceipt
from node.model.status import StatusEvent
from node.seal.signature import Signature

HOUR_MS = 3_600_000
NOW = 1_790_000_000_000
RECEIPT = SignedReceipt(b"r", Signature("k", b"s", 0, 1, ()))


def view(unit: str, **more: object) -> DeliveryView:
    plain = DeliveryView(
        unit, "h49", State.DELIVERED, Reason.NONE, 0, NOW - HOUR_MS, "", "", (), RECEIPT, 0, f"Đơn vị {unit}", ""
    )
    return replace(plain, **more)  # type: ignore[arg-type]


WAITING = view(
    "H1.01",
    state=State.WAITING,
    reason=Reason.PEER_UNREACHABLE,
    attempts=3,
    next_attempt_ms=NOW + HOUR_MS,
    signed_receipt=None,
)
FAILED = view("H1.02", state=State.FAILED, reason=Reason.EXPIRED)
LATE = view("H1.03", deadlines=(Deadline(DeadlineKind.RECEIPT, NOW - 50 * HOUR_MS),))
GOOD = view("H1.00", statuses=(StatusEvent("03", "H1.00", "Đã tiếp nhận", "", NOW, b""),), status_code="03")
REFUSED = view("H1.04", statuses=(StatusEvent("02", "H1.04", "sai thẩm quyền", "", NOW, b""),), status_code="02")
TAKEN_BACK = view("H1.05", life=LifeState.WITHDRAWN, life_packet_id=b"\xab" * 16)
FORGED = view("H1.06", node_id="gian")


def drawn(
    found: Sequence[DeliveryView], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    monkeypatch.setenv("COLUMNS", "80")
    screen = console()
    for part in track_lines.lines(found, NOW, lambda one: None if one is FORGED else "us"):
        show(screen, part)
    return capsys.readouterr().out.splitlines()


def test_who_must_be_looked_at_stands_first(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = drawn([GOOD, WAITING, TAKEN_BACK, FAILED, REFUSED, LATE, FORGED], capsys, monkeypatch)
    order = [line.split()[1] for line in lines if line[:1] in "✓✗…"]
    assert order == ["H1.06", "H1.02", "H1.03", "H1.01", "H1.04", "H1.05", "H1.00"]
    said = "\n".join(lines)
    for words in (
        "biên nhận của nút gian KHÔNG khớp",
        "QUÁ HẠN báo đã nhận 2 ngày",
        "thử lại sau 1 giờ (đã thử 3 lần)",
        "02 từ chối",
        "sai thẩm quyền",
        "văn bản đã thu hồi (gói ababababab)",
        "7 nơi nhận: 1 đang gửi, 5 đã đến, 1 không gửi được; 5/6 biên nhận khớp chữ ký",
    ):
        assert words in said
    assert all(len(line) <= 80 for line in lines)


def test_thousands_are_counted(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    found = [replace(GOOD, unit=f"H1.{number:04}") for number in range(3_000)]
    lines = drawn([*found, FAILED], capsys, monkeypatch)
    assert lines[0].startswith("✗ H1.02")
    assert len(lines) < 2 * track_lines.LINES_MAX + 5
    assert "… và 2.941 nơi nữa (--full xem hết)" in lines
