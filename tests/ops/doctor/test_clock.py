"""Is the machine's clock kept right? The kernel is asked, systemd, and who keeps clocks here."""

from pathlib import Path

import pytest

from node.ops.doctor import clock
from node.ops.doctor.check import State
from node.ops.doctor.clock import KernelClock, check_clock, kernel_clock


@pytest.fixture
def no_keeper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "kernel_clock", lambda: KernelClock(False, 16_000_000))
    monkeypatch.setattr(clock, "systemd_says_synchronised", lambda: False)
    monkeypatch.setattr(clock, "running_keepers", set)


def test_the_kernel_of_this_machine_can_be_asked() -> None:
    told = kernel_clock()  # the one imported here, which the fixture does not replace
    assert told is None or told.error_us >= 0


def test_a_clock_that_nobody_keeps_is_told_with_what_to_install(no_keeper: None) -> None:
    [check] = check_clock()
    assert check.state is State.WARNING
    assert check.said.startswith("không đồng bộ giờ")
    assert "chrony" in check.advice


def test_a_keeper_that_has_not_found_the_time_yet(no_keeper: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "running_keepers", lambda: {"chrony"})
    [check] = check_clock()
    assert check.state is State.WARNING
    assert "chrony đang chạy nhưng chưa khớp" in check.said
    assert "123" in check.advice


def test_systemd_may_know_better_than_the_kernel(no_keeper: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "systemd_says_synchronised", lambda: True)
    [check] = check_clock()
    assert check.state is State.FINE


def test_a_timedatectl_that_hangs_or_is_missing_is_no_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    slow = tmp_path / "timedatectl"
    slow.write_text("#!/bin/sh\nexec sleep 30\n")
    slow.chmod(0o755)
    monkeypatch.setattr(clock, "ASK_S", 0.2)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert clock.systemd_says_synchronised() is False
    slow.write_text("#!/bin/sh\necho yes\n")
    monkeypatch.setattr(clock, "ASK_S", 10.0)
    assert clock.systemd_says_synchronised() is True
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert clock.systemd_says_synchronised() is False
