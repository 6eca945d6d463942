"""Check-up of who owns what lies in a node's folder, and who may read or change it.

A node runs under one account, the owner of its folder. Files that root has written there (by running a command with sudo) that account
cannot read; a volume of a container that another account owns it cannot write; and what others may write, they may replace.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from node.ops.doctor.check import Check, fine, warning, wrong
from node.ops.doctor.home import account_name
from node.ops.doctor.patient import Patient
from node.ops.home import Home
from node.wording import vietnamese

NAMED_MAX = 5
LOOKED_AT_MAX = 2_000
"""Entries of the folder; large bodies are not looked into."""
_PRIVATE = ("zone/key.pem",)


def check_files(patient: Patient) -> Iterator[Check]:
    """Look at owners and modes, and at the ages of keys."""
    place = patient.place
    try:
        if not place.settings_file.is_file():
            return
        owner = place.path.stat().st_uid
        yield from _account(place, owner)
        if os.geteuid() not in (0, owner):
            return
        strangers = [path for path in _entries(place.path) if path.lstat().st_uid != owner]
        open_doors = list(_writable_by_others(place))
        exposed = list(_readable_by_others(place))
    except OSError as error:
        yield warning("files", f"không xem được hết: {error}", "Hãy chạy bằng tài khoản của nút.")
        return
    if strangers:
        said = f"{_named(strangers, place)} không thuộc {account_name(owner)}, là chủ thư mục: nút sẽ không đọc hoặc không ghi được"
        yield wrong("files", said, f"Hãy chạy: chown -R {account_name(owner)}: {place.path}")
    if open_doors:
        said = f"người khác ghi được vào {_named(open_doors, place)}, tức là thay được khóa và cấu hình"
        yield wrong("files", said, f"Hãy chạy: chmod -R go-w {place.path}")
    if exposed:
        said = f"người khác đọc được {_named(exposed, place)}"
        advice = (
            "Hãy chạy: chmod 600 "
            + " ".join(map(str, exposed[:NAMED_MAX]))
            + "; nếu máy có người khác dùng, hãy tạo lại."
        )
        yield wrong("files", said, advice)
    if not (strangers or open_doors or exposed):
        yield fine("files", f"mọi tệp thuộc {account_name(owner)}, người khác không ghi được")
    yield from _key_ages(patient)


def _account(place: Home, owner: int) -> Iterator[Check]:
    """A command that is run by another account than the node's sees other things than the node does."""
    me = os.geteuid()
    if me == owner:
        return
    if me == 0:
        said = f"đang chạy bằng root; nút chạy bằng {account_name(owner)}, là chủ {place.path}"
        yield warning("files", said, f"Hãy chạy: sudo -u {account_name(owner)} truc doctor {place.path}")
    else:
        said = f"{place.path} thuộc {account_name(owner)}, lệnh này chạy bằng {account_name(me)}"
        yield wrong(
            "files",
            said,
            f"Hãy chạy bằng {account_name(owner)}, hoặc giao thư mục: chown -R {account_name(me)}: {place.path}",
        )


def _entries(home: Path) -> Iterator[Path]:
    """The folder itself and what lies in it, without looking into the shelves of large bodies; bounded."""
    left = LOOKED_AT_MAX
    waiting = [home]
    while waiting and left > 0:
        path = waiting.pop()
        yield path
        left -= 1
        if path.is_dir() and not path.is_symlink() and path.parent.name != "bodies":
            waiting += sorted(path.iterdir(), reverse=True)[:LOOKED_AT_MAX]


def _writable_by_others(place: Home) -> Iterator[Path]:
    for path in (
        place.path,
        place.settings_file,
        *(place.path / name for name in ("keys", "zone", "systems", "directory", "store")),
    ):
        if path.exists() and path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            yield path


def _readable_by_others(place: Home) -> Iterator[Path]:
    """Secrets that others could read; the node's own keys and the operator's token are told in rows of their own."""
    secret = [place.path / name for name in _PRIVATE]
    if place.systems_folder.is_dir():
        secret += sorted(place.systems_folder.iterdir())
    for path in secret:
        if path.is_file() and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield path


def _key_ages(patient: Patient) -> Iterator[Check]:
    """How old the keys are, by their files: nothing expires by that, but an operator should know."""
    folder = patient.place.keys
    ages = []
    for title, pattern in (("khóa ký", "sign*.pem"), ("khóa mở", "seal-*.pem"), ("khóa TLS", "tls.key")):
        for path in sorted(folder.glob(pattern)):
            ages.append(f"{title} {vietnamese.span(patient.now_ms - path.stat().st_mtime_ns // 1_000_000)}")
    if ages:
        yield fine("key_ages", "tuổi theo ngày của tệp: " + ", ".join(ages))


def _named(paths: list[Path], place: Home) -> str:
    names = [str(path.relative_to(place.path)) if path != place.path else str(path) for path in paths]
    return ", ".join(names[:NAMED_MAX]) + (f" và {len(names) - NAMED_MAX} tệp nữa" if len(names) > NAMED_MAX else "")
