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

import random
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from node.cli.home import Home, NewNode, create_home
from node.cli.node import bootstrap
from node.cli.system import connect
from node.cli.unit import sign_zone
from node.model.code import parse_code
from node.model.directory import Role, Unit

if TYPE_CHECKING:
    from node.model.directory import Directory

CENTRE = "trung-tam"
PORTS = range(20_000, 32_000)
"""Below the range from which Linux takes ports for outgoing connections: the nodes' own calls could take one."""


@dataclass(frozen=True, slots=True)
class Place:
    """A node of the demo. `units` are (code, name)."""

    node_id: str
    name: str
    prefix: str = ""
    units: tuple[tuple[str, str], ...] = ()
    via_relays: tuple[str, ...] = ()
    roles: frozenset[Role] = frozenset()


PLACES = (
    Place(CENTRE, "Trung tâm điều phối (mẫu)", roles=frozenset(Role)),
    Place(
        "bo-noi-vu",
        "Bộ Nội vụ",
        "G09",
        (("G09", "Bộ Nội vụ"), ("G09.05", "Vụ Chính quyền địa phương (mẫu)")),
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
    ),
)

UNIT_NAMES = {code: name for place in PLACES for code, name in place.units}
NODE_OF_UNIT = {code: place.node_id for place in PLACES for code, _ in place.units}


@dataclass(frozen=True, slots=True)
class World:
    """What was made, and where."""

    folder: Path
    fingerprint: str
    directory_version: int

    def home(self, node_id: str) -> Home:
        """A node's folder."""
        return Home(self.folder / node_id)

    def directory(self, node_id: str) -> "Directory":
        """The directory as a node trusts it."""
        from node.directory.trust import TrustedFolder

        return TrustedFolder(self.home(node_id).directory).load()

    def credential(self, node_id: str) -> Path:
        """Credential file of the software that is connected to a node."""
        return self.folder / f"{node_id}.json"


def build(folder: Path, now_ms: int) -> World:
    """Make everything in an empty folder. Raises what the parts raise."""
    from node.directory.authority import Authority

    authority = Authority.create(folder / "danh-ba", "Đơn vị vận hành danh bạ (mẫu)", now_ms)
    ports = _free_ports(2 * len(PLACES))
    for place, mesh, office in zip(PLACES, ports[::2], ports[1::2], strict=True):
        home = _make_home(folder, place, mesh, office, now_ms)
        authority.admit(home.join_request.read_bytes(), None, set(place.roles), now_ms)
        authority.take(sign_zone(home)[0], now_ms)
    version = authority.publish(now_ms)
    for place in PLACES:
        bootstrap(Home(folder / place.node_id), authority.public, authority.fingerprint(), now_ms)
    return World(folder, authority.fingerprint(), version)


def _make_home(folder: Path, place: Place, mesh: int, office: int, now_ms: int) -> Home:
    new = NewNode(
        node_id=place.node_id,
        name=place.name,
        mesh=f"127.0.0.1:{mesh}",
        office=f"127.0.0.1:{office}",
        advertise=f"127.0.0.1:{mesh}",
        prefixes=(parse_code(place.prefix),) if place.prefix else (),
        via_relays=place.via_relays,
        carry_for_others=Role.RELAY in place.roles,
    )
    home = create_home(folder / place.node_id, new, now_ms)
    if place.units:
        with home.editing_zone() as zone:
            zone.add_units(Unit(code, name) for code, name in place.units)
        connect(home, "qlvb", [parse_code(code) for code, _ in place.units], folder / f"{place.node_id}.json")
    return home


def _free_ports(count: int) -> list[int]:
    """Return ports on which nobody listens now."""
    found: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            break
    return found
