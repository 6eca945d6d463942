"""Check-up of whom a node serves: its units, their other codes, and the systems that speak for them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from node.model.code import parse_code
from node.model.office import System
from node.ops.doctor.check import Check, fine, warning
from node.ops.doctor.patient import Patient
from node.wording import vietnamese

if TYPE_CHECKING:
    from node.directory.zone.zone import ZoneEditor


def check_units(patient: Patient) -> Iterator[Check]:
    """Look at the units that the zone lists, whether they are published, and at the systems that speak for them."""
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
    lost = sorted({unit for system in systems for unit in system.units if zone.unit(parse_code(unit)) is None})
    if lost:
        return warning(
            "systems",
            f"hệ thống được giao đơn vị không có: {', '.join(lost[:5])}",
            "Hãy thêm đơn vị hoặc cấp lại hệ thống.",
        )
    return fine("systems", f"{len(systems)} hệ thống")
