"""Facts of the machine and of the store's files, for a bundle. Nothing of them is opened that holds rows of the store."""

import importlib.metadata
import os
import platform
import resource
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from node import __version__
from node.ops.doctor.clock import kernel_clock, running_keepers
from node.ops.home import Home
from node.store.rocks.witness import SLOT_BYTES, unpack_slot

LIBRARIES = (
    *(
        "grpcio",
        "protobuf",
        "lxml",
        "cryptography",
        "rocksdict",
        "tuf",
        "securesystemslib",
        "pydantic",
        "pydantic-settings",
    ),
    *("typer", "rich", "structlog", "uvloop", "starlette", "uvicorn", "httptools", "prometheus-client"),
)
_MEMORY = ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree")
_CGROUP = ("memory.max", "memory.current", "cpu.max", "pids.max")


def versions() -> dict[str, Any]:
    """Return the program, Python, and the libraries that the program asks for."""
    return {"truc": __version__, "python": platform.python_version(), "libraries": _libraries()}


def _libraries() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def system(place: Home) -> dict[str, Any]:
    """Return what the machine is and how much of it is left."""
    kernel, disk = kernel_clock(), shutil.disk_usage(place.path)
    inodes = os.statvfs(place.path)
    return {
        "os": platform.freedesktop_os_release().get("PRETTY_NAME", "") if Path("/etc/os-release").exists() else "",
        "kernel": platform.release(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "load": os.getloadavg(),
        "uptime_s": float((_read("/proc/uptime").split() or ["0"])[0]),
        "memory_kib": {
            name: int(value.split()[0])
            for name, _, value in (line.partition(":") for line in _read("/proc/meminfo").splitlines())
            if name in _MEMORY
        },
        "cgroup": {
            name: _read(f"/sys/fs/cgroup/{name}").strip() for name in _CGROUP if Path(f"/sys/fs/cgroup/{name}").exists()
        },
        "open_files_max": resource.getrlimit(resource.RLIMIT_NOFILE),
        "account": os.geteuid(),
        "home_owner": place.path.stat().st_uid,
        "home_mode": f"{place.path.stat().st_mode & 0o7777:04o}",
        "disk": {
            "size_bytes": disk.total,
            "free_bytes": disk.free,
            "inodes": inodes.f_files,
            "free_inodes": inodes.f_favail,
        },
        "file_system": _file_system(place.path),
        "clock": {
            "kernel_synchronised": None if kernel is None else kernel.synchronised,
            "error_us": None if kernel is None else kernel.error_us,
            "keepers": sorted(running_keepers()),
        },
    }


def _file_system(path: Path) -> str:
    """Return type and options of the file system that a path lies on: the longest mount point that leads to it."""
    best, told = "", ""
    real = str(path.resolve())
    for line in _read("/proc/self/mounts").splitlines():
        _, point, kind, options, *_ = line.split()
        if (real == point or real.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
            best, told = point, f"{kind} at {point} ({options})"
    return told


def store(place: Home) -> dict[str, Any]:
    """Return numbers and sizes of files by kind, and how far the witness has seen the store come."""
    kinds: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for folder, pattern in ((place.store, "*"), (place.path / "bodies", "*/*"), (place.path / "spool", "*")):
        for path in folder.glob(pattern):
            kind = path.suffix.lstrip(".") if folder == place.store and path.suffix else folder.name
            try:
                size_bytes = path.stat().st_size
            except FileNotFoundError:
                continue
            kinds[kind] += 1
            sizes[kind] += size_bytes
    slots = place.witness.read_bytes() if place.witness.exists() else b""
    seen = [unpack_slot(slots[at : at + SLOT_BYTES]) for at in range(0, len(slots), SLOT_BYTES)]
    numbers = [slot[1] for slot in seen if slot is not None]
    return {
        "files": dict(sorted(kinds.items())),
        "bytes": dict(sorted(sizes.items())),
        "witness_commit_no": max(numbers) if numbers else None,
    }


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError:
        return ""
