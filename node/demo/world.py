"""The demo's world: an authority, four nodes, their units and systems, made in one folder by the same functions as `truc` uses.

        bo-noi-vu  <------------->  lang-son
            \\                        /          everybody dials everybody,
             '----> trung-tam <-----'            but Tây Ninh lies behind a firewall:
                        |                        only the centre dials it, so what is meant
                        v                        for it goes through the centre, sealed
                     tay-ninh

Names and codes of the ministry and the provinces are those of the state's list (rows marked `confirmed`); everything below them, and
every document, is made up and says so: "mẫu".
"""

from pathlib import Path

from node.model.directory import Role
from node.ops import world
from node.ops.world import Place, Software, World

CENTRE = "trung-tam"
BRIDGED_UNIT, BRIDGED_SYSTEM = "H37.25.03", "xa-hoa-hoi"
"""One commune whose software knows the national axis' protocol only: it reaches its node by the VXP bridge."""


def _office(node_id: str, *units: str) -> tuple[Software, ...]:
    return (Software("qlvb", units, f"{node_id}.json"),)


PLACES = (
    Place(CENTRE, "Trung tâm điều phối (mẫu)", roles=frozenset(Role)),
    Place(
        "bo-noi-vu",
        "Bộ Nội vụ",
        "G09",
        (("G09", "Bộ Nội vụ"), ("G09.05", "Vụ Chính quyền địa phương (mẫu)")),
        systems=_office("bo-noi-vu", "G09", "G09.05"),
    ),
    Place(
        "lang-son",
        "UBND tỉnh Lạng Sơn",
        "H37",
        (
            ("H37", "UBND tỉnh Lạng Sơn"),
            ("H37.08", "Sở Nội vụ (mẫu)"),
            ("H37.25.03", "UBND xã Hoa Hồi (mẫu)"),
            ("H37.25.07", "UBND xã Suối Ngàn (mẫu)"),
        ),
        systems=(
            *_office("lang-son", "H37", "H37.08", "H37.25.03", "H37.25.07"),
            Software(BRIDGED_SYSTEM, (BRIDGED_UNIT,), "xa-hoa-hoi.json", bridged=True),
        ),
    ),
    Place(
        "tay-ninh",
        "UBND tỉnh Tây Ninh",
        "H53",
        (
            ("H53", "UBND tỉnh Tây Ninh"),
            ("H53.08", "Sở Nội vụ (mẫu)"),
            ("H53.21.02", "UBND xã Nắng Hồng (mẫu)"),
            ("H53.21.05", "UBND xã Vàm Xanh (mẫu)"),
        ),
        via_relays=(CENTRE,),
        systems=_office("tay-ninh", "H53", "H53.08", "H53.21.02", "H53.21.05"),
    ),
)

UNIT_NAMES = {code: name for place in PLACES for code, name in place.units}
NODE_OF_UNIT = {code: place.node_id for place in PLACES for code, _ in place.units}


def build(folder: Path, now_ms: int) -> World:
    """Make everything in an empty folder. Raises what the parts raise."""
    return world.build(folder, "Đơn vị vận hành danh bạ (mẫu)", PLACES, now_ms)
