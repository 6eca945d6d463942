"""Check-up of the machine's clock: does anything keep it right?

The kernel knows: whoever disciplines its clock (chrony, systemd-timesyncd, ntpd) clears the mark "unsynchronised", and it is the same
kernel inside a container. Where it says no, systemd is asked, and which programs run tells the operator what to do. A clock that nobody
keeps is a warning and not a mistake: some machines are set right from outside in ways that leave no mark.
"""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from node.ops.doctor.check import Check, fine, warning

KEEPERS = {"chronyd": "chrony", "systemd-timesyn": "systemd-timesyncd", "ntpd": "ntpd", "ntpsec": "ntpsec"}
"""Programs that keep a clock, by the name that the kernel shows (15 letters)."""
ASK_S = 3.0
_UNSYNCHRONISED = 0x40


class _Timex(ctypes.Structure):
    """struct timex, see adjtimex(2)."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror_us", ctypes.c_long),
        ("esterror_us", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


@dataclass(frozen=True, slots=True)
class KernelClock:
    """The kernel's word on its clock; the error is the greatest that it may have, microseconds."""

    synchronised: bool
    error_us: int


def check_clock() -> Iterator[Check]:
    """Look whether the clock is kept."""
    kernel = kernel_clock()
    if kernel is not None and kernel.synchronised:
        yield fine("time_sync", f"đồng hồ được giữ đúng, sai số nhiều nhất {kernel.error_us / 1000:.0f} ms")
        return
    if systemd_says_synchronised():
        yield fine("time_sync", "đồng hồ được giữ đúng (systemd xác nhận)")
        return
    keepers = sorted(running_keepers())
    if keepers:
        said = f"{', '.join(keepers)} đang chạy nhưng chưa khớp được giờ"
        yield warning("time_sync", said, "Hãy kiểm tra máy chủ giờ đã khai báo và cổng UDP 123 ra ngoài.")
        return
    advice = (
        "Hãy cài chrony (apt-get install chrony) và trỏ tới máy chủ giờ của cơ quan, hoặc timedatectl set-ntp true. "
        "Trong container thì làm trên máy chủ."
    )
    yield warning("time_sync", "không đồng bộ giờ: không có chương trình nào giữ đồng hồ của máy", advice)


def kernel_clock() -> KernelClock | None:
    """Ask the kernel, changing nothing; None where it cannot be asked."""
    try:
        library = ctypes.CDLL(None, use_errno=True)
        told = _Timex()
        if library.adjtimex(ctypes.byref(told)) < 0:
            return None
    except (OSError, AttributeError):
        return None
    return KernelClock(not told.status & _UNSYNCHRONISED, int(told.maxerror_us))


def systemd_says_synchronised() -> bool:
    """Ask systemd, where there is one."""
    if Path("/run/systemd/timesync/synchronized").exists():
        return True
    try:
        asked = subprocess.run(
            ["timedatectl", "show", "--property=NTPSynchronized", "--value"],  # noqa: S607  wherever the system keeps it
            check=False,
            capture_output=True,
            text=True,
            timeout=ASK_S,
            env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0 and asked.stdout.strip() == "yes"


def running_keepers() -> set[str]:
    """Return the programs that keep a clock and run on this machine (or in this container)."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            name = path.read_text("ascii", "replace").strip()
        except OSError:
            continue  # it has ended
        if name in KEEPERS:
            found.add(KEEPERS[name])
    return found
