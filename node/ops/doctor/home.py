"""Check-up of what lies in a node's folder: nothing here needs a network or a running node."""

import os
import pwd
import shutil
from collections.abc import Iterator
from datetime import timedelta

from node.errors import ADVICE, Fault
from node.model.calendar import day_of
from node.model.policy import DAY_MS
from node.model.reason import Reason
from node.model.thresholds import (
    CERTIFICATE_WARNING_MS,
    CLOCK_SKEW_MS_MAX,
    DISK_FREE_BYTES_GRAVE,
    DISK_FREE_BYTES_MIN,
    INODES_FREE_SHARE_MIN,
    ZONE_WARNING_MS,
)
from node.ops.doctor.check import Check, fine, from_fault, warning, wrong
from node.ops.doctor.directory import check_directory
from node.ops.doctor.doors import check_doors
from node.ops.doctor.patient import Patient
from node.ops.doctor.units import check_units
from node.ops.home import Home, passphrase_of
from node.wording import vietnamese

CALENDAR_AHEAD_DAYS = 14
CLOCK_AHEAD_MS = 90 * DAY_MS
"""A clock so far ahead of a directory that is signed every day is wrong, or the directory is a season old: doctor cannot tell which."""
EARLIEST_MS = 1_767_225_600_000
"""2026-01-01: a clock that shows less was never set."""


def account_name(uid: int) -> str:
    """Return the name of an account, or its number if it has none (in a container)."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def check_home(patient: Patient) -> Iterator[Check]:
    """Look at the folder, from what everything else needs to what only matters in daily work."""
    place = patient.place
    try:
        if not place.path.is_dir():
            yield wrong("home", f"{place.path} không có", ADVICE[Reason.HOME_MISSING])
            return
    except PermissionError:
        said = f"{place.path}: tài khoản {account_name(os.geteuid())} không được vào tới đó"
        yield wrong("home", said, "Hãy chạy bằng tài khoản của nút.")
        return
    if not os.access(place.path, os.W_OK | os.X_OK):
        yield wrong(
            "home",
            f"{place.path} không ghi được, là của tài khoản {account_name(place.path.stat().st_uid)}",
            "Hãy chạy bằng tài khoản của nút, hoặc sửa quyền của thư mục.",
        )
        if not os.access(place.path, os.X_OK):
            return
    else:
        yield fine("home", str(place.path))
    yield _settings(patient)
    if not place.settings_file.is_file():
        return
    yield from _keys(patient)
    yield _admin_token(place)
    yield from _zone(patient)
    yield from check_directory(patient)
    yield from check_units(patient)
    if patient.settings is not None:
        yield from check_doors(place, patient.settings, patient.now_ms)
    yield from _disk(place)
    yield _clock(patient)
    yield from _calendar(patient)


def _settings(patient: Patient) -> Check:
    try:
        patient.settings = patient.place.settings()
    except Fault as fault:
        return from_fault("settings", fault)
    return fine("settings", f"nút {patient.settings.node_id} – {patient.settings.name}")


def _keys(patient: Patient) -> Iterator[Check]:
    from node.seal.keyring import load_keys
    from node.seal.tls import load_tls, not_after_ms

    place, settings = patient.place, patient.settings
    node_id = settings.node_id if settings else ""
    try:
        passphrase = passphrase_of(settings) if settings else None
        load_keys(place.keys, node_id, passphrase)
        yield fine("keys", "khóa ký và khóa mở đọc được, người khác không đọc được")
        left_ms = not_after_ms(load_tls(place.keys, passphrase).certificate_der) - patient.now_ms
    except Fault as fault:
        yield from_fault("keys", fault)
        return
    until = f"có giá trị đến {vietnamese.day(patient.now_ms + left_ms)}"
    if left_ms <= 0:
        yield wrong("tls", f"đã hết hạn {vietnamese.span(-left_ms)} trước", ADVICE[Reason.CERTIFICATE_EXPIRED])
    elif left_ms < CERTIFICATE_WARNING_MS:
        yield warning("tls", until, "Hãy chạy truc node certificate và công bố danh bạ trước hạn.")
    else:
        yield fine("tls", until)


def _admin_token(place: Home) -> Check:
    from node.seal.files import read_private

    try:
        token = read_private(place.admin_token)
    except Fault as fault:
        advice = f"Hãy chạy chmod 600 {place.admin_token}, hoặc xóa tệp rồi chạy lại nút để có khóa mới."
        return wrong("admin_token", fault.detail, advice)
    if not token.strip():
        return wrong("admin_token", f"{place.admin_token} trống", "Hãy xóa tệp rồi chạy lại nút để có khóa mới.")
    return fine("admin_token", "có, người khác không đọc được")


def _zone(patient: Patient) -> Iterator[Check]:
    try:
        patient.zone = zone = patient.place.zone_editor()
        expire_at_ms = zone.expire_at_ms
    except Fault as fault:
        yield from_fault("zone", fault)
        return
    said = f"phiên bản {zone.version}, ký đến {vietnamese.day(expire_at_ms)}"
    if expire_at_ms - patient.now_ms < ZONE_WARNING_MS:
        yield warning("zone", said, f"Hãy ký lại: truc unit publish {patient.place.path}")
    else:
        yield fine("zone", said)


def _disk(place: Home) -> Iterator[Check]:
    free_bytes = shutil.disk_usage(place.path).free
    if free_bytes < DISK_FREE_BYTES_GRAVE:
        yield wrong("disk", f"còn {vietnamese.size(free_bytes)}", ADVICE[Reason.DISK_FULL])
    elif free_bytes < DISK_FREE_BYTES_MIN:
        yield warning("disk", f"còn {vietnamese.size(free_bytes)}", "Hãy giải phóng dung lượng trước khi đầy.")
    else:
        yield fine("disk", f"còn {vietnamese.size(free_bytes)}")
    found = os.statvfs(place.path)
    if found.f_flag & os.ST_RDONLY:
        yield wrong("disk", f"hệ thống tệp của {place.path} đang gắn chỉ đọc", ADVICE[Reason.DISK_READ_ONLY])
    if found.f_files and found.f_favail / found.f_files < INODES_FREE_SHARE_MIN:
        yield warning("disk", f"còn {vietnamese.count(found.f_favail)} inode", "Hãy xóa bớt tệp nhỏ trên đĩa này.")


def _clock(patient: Patient) -> Check:
    now_ms, signed_ms = patient.now_ms, patient.directory.signed_time_ms
    advice = "Hãy bật đồng bộ giờ (chrony hoặc systemd-timesyncd)."
    if now_ms < EARLIEST_MS:
        return wrong("clock", f"máy đang ở {vietnamese.when(now_ms)}", advice)
    if now_ms + CLOCK_SKEW_MS_MAX < signed_ms:
        return wrong("clock", f"máy chậm hơn lúc ký danh bạ {vietnamese.span(signed_ms - now_ms)}", advice)
    if signed_ms and now_ms - signed_ms > CLOCK_AHEAD_MS:
        said = f"máy đang ở {vietnamese.when(now_ms)}, {vietnamese.span(now_ms - signed_ms)} sau lúc ký danh bạ"
        return warning("clock", said, f"Nếu ngày này sai thì vì nó mà chứng thư bị coi là hết hạn. {advice}")
    return fine("clock", f"{vietnamese.when(now_ms)} (giờ Việt Nam)")


def _calendar(patient: Patient) -> Iterator[Check]:
    """See that the holidays of this year, and at its end those of the next, are known."""
    from node.config.calendar import load_calendar

    if patient.settings is None:
        return
    try:
        calendar = load_calendar(patient.settings.calendar.file)
    except Fault as fault:
        yield from_fault("calendar", fault)
        return
    today = day_of(patient.now_ms)
    needed = {today.year, (today + timedelta(days=CALENDAR_AHEAD_DAYS)).year}
    unknown = [str(year) for year in sorted(needed) if not calendar.is_confirmed(year)]
    if unknown:
        said = (
            f"chưa có ngày nghỉ được xác nhận của năm {', '.join(unknown)}; thời hạn chỉ tính theo ngày nghỉ dương lịch"
        )
        yield warning(
            "calendar", said, "Xem 'truc calendar show', rồi bổ sung tệp ngày nghỉ và ghi vào [calendar] của node.toml."
        )
    else:
        yield fine("calendar", f"đã có ngày nghỉ được xác nhận của năm {', '.join(map(str, sorted(needed)))}")
