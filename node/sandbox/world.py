"""World of the sandbox on disk: its cast (cast.py) as places with homes, systems and secrets; made once, kept or not."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from node.errors import Broken
from node.model.reason import Reason
from node.ops.world import Place, Software, build, free_ports, is_free
from node.sandbox.cast import (
    ABSENT,
    CONFORMANCE,
    FRIEND,
    MINISTRY,
    VENDOR_NODE,
    VENDOR_UNITS,
    Member,
    of_node,
)
from node.sandbox.site import (
    CONFORMANCE_CREDENTIAL,
    VENDOR_CREDENTIAL,
    WATCHER_CREDENTIAL,
    Bridge,
    Site,
    new_token,
)

AUTHORITY_NAME = "HỘP CÁT – không phải mạng thật"
FIRST_PORT = 7481
"""Port of its door; the next two are OfficeService and the bridge. Taken if all are free: a vendor's settings then stay as they are."""
MARK_TEXT = (
    "Nút của hộp cát truc (truc sandbox); không dùng cho mạng thật. A node of a truc sandbox; not for the real mesh.\n"
)


def make_site(
    folder: Path,
    now_ms: int,
    units: Sequence[Member] = VENDOR_UNITS,
    *,
    arrival_by_node: bool = False,
    system_per_unit: bool = False,
    first_port: int = FIRST_PORT,
) -> Site:
    """Make a sandbox in an empty folder.

    `first_port` 0, or three ports of which one is taken: any free ones.
    `arrival_by_node`: the vendor's node reports 01 for its units, as real nodes do, instead of leaving it to the software.
    `system_per_unit`: each unit gets a bridged system of its own. Raises Broken(ALREADY_EXISTS) if the folder holds anything.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Broken(Reason.ALREADY_EXISTS, f"{folder} holds something else than a sandbox")
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [first_port + number for number in range(3)]
    door, office, bridge = wanted if first_port and all(map(is_free, wanted)) else free_ports(3)
    vendor = replace(_vendor(units, arrival_by_node, system_per_unit), office_port=office, vxp_port=bridge)
    places = _with_directory(vendor, *_others())
    world = build(folder, AUTHORITY_NAME, places, now_ms)
    for place in places:
        home = world.home(place.node_id)
        home.sandbox_mark.write_text(MARK_TEXT, "utf-8")
        # Gone, so that nobody can hand it to a real authority.
        home.join_request.unlink()
    bridges = tuple(Bridge(**granted) for granted in world.bridges.values())
    site = Site(folder, f"127.0.0.1:{door}", new_token(), tuple(units), bridges)
    site.save()
    return site


def _vendor(units: Sequence[Member], arrival_by_node: bool, system_per_unit: bool) -> Place:
    codes = tuple(one.code for one in units)
    groups = [(code,) for code in codes] if system_per_unit else [codes]
    names = ["qlvb", *(f"qlvb-{number}" for number in range(2, len(groups) + 1))]
    bridged = [
        Software(name, group, name + ".json" if name != "qlvb" else VENDOR_CREDENTIAL, bridged=True)
        for name, group in zip(names, groups, strict=True)
    ]
    return Place(
        VENDOR_NODE,
        "HỘP CÁT: tỉnh Thử",
        "H99",
        tuple((one.code, one.name) for one in units),
        systems=(*bridged, Software("theo-doi", codes, WATCHER_CREDENTIAL)),
        settings={} if arrival_by_node else {"statuses": (_arrival_by_software(codes),)},
    )


def _others() -> tuple[Place, Place, Place]:
    ministry = _of_cast(MINISTRY, "HỘP CÁT: Bộ Thử", "G99")
    ministry = replace(
        ministry,
        units=(*ministry.units, (CONFORMANCE.code, CONFORMANCE.name)),
        systems=(Software("kiem-tra", (CONFORMANCE.code,), CONFORMANCE_CREDENTIAL),),
    )
    friend = _of_cast(FRIEND, "HỘP CÁT: tỉnh Bạn", "H98")
    absent = _of_cast(ABSENT, "HỘP CÁT: tỉnh Xa, không ai ở nhà", "H97")
    return ministry, friend, absent


_DIRECTORY = ('folder = "../danh-ba/public"', "refresh_s = 1")


def _with_directory(*places: Place) -> tuple[Place, ...]:
    """Let every node look for newer versions where the sandbox publishes them."""
    return tuple(replace(one, settings={**one.settings, "directory": _DIRECTORY}) for one in places)


def _of_cast(node_id: str, name: str, prefix: str) -> Place:
    members = of_node(node_id)
    silent = [one.unit.code for one in members if not one.reports_arrival]
    settings = {"statuses": (_arrival_by_software(silent),)} if silent else {}
    return Place(node_id, name, prefix, tuple((one.unit.code, one.unit.name) for one in members), settings=settings)


def _arrival_by_software(codes: Sequence[str]) -> str:
    return f"arrival_by_software = {json.dumps(list(codes))}"
