"""Check-up of what lies in a node's folder: nothing here needs a network or a running node."""

import os
import pwd
import shutil
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from node.errors import ADVICE, Fault
from node.model.calendar import day_of
from node.model.directory import EMPTY, Directory, NodeEntry, Role
from node.model.office import System
from node.model.reason import Reason
from node.model.thresholds import (
    CERTIFICATE_WARNING_MS,
    CLOCK_SKEW_MS_MAX,
    DISK_FREE_BYTES_GRAVE,
    DISK_FREE_BYTES_MIN,
    INODES_FREE_SHARE_MIN,
    ZONE_WARNING_MS,
)
from node.ops.doctor.certificates import check_certificates
from node.ops.doctor.check import Check, fine, from_fault, warning, wrong
from node.ops.doctor.doors import check_doors
from node.ops.doctor.keys import check_key_times
from node.ops.home import Home, passphrase_of
from node.wording import vietnamese

if TYPE_CHECKING:
    from node.config.settings import Settings
    from node.directory.zone.zone import ZoneEditor

CALENDAR_AHEAD_DAYS = 14
EARLIEST_MS = 1_767_225_600_000
"""2026-01-01: a clock that shows less was never set."""


def account_name(uid: int) -> str:
    """Return the name of an account, or its number if it has none (in a container)."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


class Patient:
    """A node under examination, and what has been found out about it; None: could not be read."""

    def __init__(self, place: Home, now_ms: int) -> None:
        self.place = place
        self.now_ms = now_ms
        self.settings: Settings | None = None
        self.zone: ZoneEditor | None = None
        self.directory: Directory = EMPTY


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
    yield from _directory(patient)
    yield from _units_and_systems(patient)
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


def _directory(patient: Patient) -> Iterator[Check]:
    from node.directory.trust.freshness import age_findings, age_in_words, directory_age_ms
    from node.directory.trust.trust import TrustedFolder

    trusted = TrustedFolder(patient.place.directory)
    try:
        patient.directory = directory = trusted.load()
    except Fault as fault:
        yield from_fault("directory", fault)
        return
    if not directory.version:
        yield wrong("directory", "nút chưa có danh bạ", f"Hãy chạy: truc node join {patient.place.path} THƯ-MỤC-PUBLIC")
        yield wrong(
            "admission", "chưa được kết nạp", f"Hãy gửi {patient.place.join_request} cho cơ quan vận hành danh bạ."
        )
        return
    age = age_in_words(directory_age_ms(directory, patient.now_ms))
    said = f"phiên bản {directory.version}, ký {age} trước, {len(directory.nodes)} nút"
    old = [warning("directory", said, finding.advice) for finding in age_findings(directory, patient.now_ms)]
    yield from old or [fine("directory", said)]
    for finding in trusted.findings:
        yield warning("directory", "một phần danh bạ không được tin", finding.advice)
    yield from check_certificates(directory, patient.settings.node_id if patient.settings else "")
    yield from _admission(patient)


def _admission(patient: Patient) -> Iterator[Check]:
    settings, directory = patient.settings, patient.directory
    if settings is None:
        return
    entry = directory.nodes.get(settings.node_id)
    if entry is None:
        yield wrong(
            "admission",
            f"chưa được kết nạp: danh bạ không có nút {settings.node_id}",
            f"Hãy gửi {patient.place.join_request} cho cơ quan vận hành danh bạ; được công bố rồi thì cập nhật danh bạ.",
        )
        return
    prefixes = ", ".join(map(str, directory.prefixes_of(settings.node_id)))
    yield fine("admission", f"phục vụ tiền tố {prefixes}" if prefixes else "đã kết nạp, không có tiền tố nào")
    yield from _entry(patient, settings, entry)


def _entry(patient: Patient, settings: "Settings", entry: NodeEntry) -> Iterator[Check]:
    """Compare what the directory tells others about us with what we are."""
    publish = f"Hãy công bố lại: truc unit publish {patient.place.path}"
    yield from check_key_times(patient.place, settings, entry, patient.now_ms)
    differing = _differs_in_tls(patient, settings, entry)
    if differing:
        said = "danh bạ ghi chứng thư TLS khác với thư mục keys: các nút khác sẽ từ chối nút này"
        yield wrong("entry", said, publish)
    if entry.mesh_address != settings.mesh.advertise:
        said = f"danh bạ ghi {entry.mesh_address or 'không gọi được'}, node.toml ghi {settings.mesh.advertise or 'để trống'}"
        yield warning("entry", said, publish)
    elif not differing:
        yield fine("entry", f"chứng thư và địa chỉ {entry.mesh_address or '(không ai gọi tới)'} đều khớp")
    if settings.relay.carry_for_others and Role.RELAY not in entry.roles:
        advice = "Hãy đề nghị cơ quan vận hành danh bạ giao vai trò relay, hoặc đặt carry_for_others = false."
        yield warning("entry", "node.toml nhận chuyển tiếp, danh bạ không giao vai trò đó", advice)


def _differs_in_tls(patient: Patient, settings: "Settings", entry: NodeEntry) -> bool:
    from node.seal.tls import load_tls

    try:
        certificate = load_tls(patient.place.keys, passphrase_of(settings)).certificate_der
    except Fault:
        return False  # told under "keys"
    return certificate not in entry.tls_certificates


def _units_and_systems(patient: Patient) -> Iterator[Check]:
    zone, place = patient.zone, patient.place
    if zone is None:
        return
    units, aliases = zone.units(), zone.aliases()
    own = [served for served in patient.directory.zones.values() if served.node_id == zone.node_id]
    listed, aliases_listed = sum(len(served.units) for served in own), sum(len(served.aliases) for served in own)
    if not units and zone.prefixes:
        yield warning("units", "nút chưa có đơn vị nào", f"Hãy thêm: truc unit add {place.path} MÃ TÊN")
    elif len(units) != listed:
        said = f"{vietnamese.count(len(units))} đơn vị ở đây, {vietnamese.count(listed)} trong danh bạ"
        yield warning("units", said, f"Hãy công bố: truc unit publish {place.path}")
    elif len(aliases) != aliases_listed:
        said = (
            f"{vietnamese.count(len(aliases))} mã tương đương ở đây, {vietnamese.count(aliases_listed)} trong danh bạ"
        )
        yield warning("units", said, f"Hãy công bố: truc unit publish {place.path}")
    else:
        yield fine("units", f"{vietnamese.count(len(units))} đơn vị, đã công bố đủ")
    yield from _aliases(patient, zone)
    systems = [record.system for record in place.systems().list()]
    if not systems and zone.prefixes:
        yield warning("systems", "chưa có hệ thống nào", f"Hãy nối: truc system add {place.path} TÊN --unit MÃ")
    else:
        yield _systems(systems, zone)


def _aliases(patient: Patient, zone: "ZoneEditor") -> Iterator[Check]:
    """See that every other code of the zone leads to somebody: its unit may be another node's, which closes it without asking."""
    from node.model.code import parse_code

    directory, now_ms = patient.directory, patient.now_ms
    if not directory.version:
        return  # told under "directory"
    held = [one for one in zone.aliases() if one.holds_at(now_ms)]
    found = [(one, zone.unit(parse_code(one.unit)) or directory.unit(parse_code(one.unit))) for one in held]
    lost = [f"{one.code} → {one.unit}" for one, unit in found if unit is None or not unit.holds_at(now_ms)]
    if lost:
        said = f"{vietnamese.count(len(lost))} mã tương đương không dẫn đến đơn vị nào đang hoạt động: {', '.join(lost[:5])}"
        yield warning("aliases", said, f"Hãy chỉ lại: truc unit alias add {patient.place.path} MÃ ĐƠN-VỊ")
    elif held:
        yield fine("aliases", f"{vietnamese.count(len(held))} mã tương đương đang có hiệu lực")


def _systems(systems: list[System], zone: "ZoneEditor") -> Check:
    from node.model.code import parse_code

    lost = sorted({unit for system in systems for unit in system.units if zone.unit(parse_code(unit)) is None})
    if lost:
        return warning(
            "systems",
            f"hệ thống được giao đơn vị không có: {', '.join(lost[:5])}",
            "Hãy thêm đơn vị hoặc cấp lại hệ thống.",
        )
    return fine("systems", f"{len(systems)} hệ thống")


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
