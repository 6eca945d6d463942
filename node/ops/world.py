"""A world: an authority and the nodes that it admits, with units and systems, in one folder, made by the functions that `truc` uses.

The demo and the sandbox each have a world of their own; here is how one is made. Everything listens on this machine only.
"""

import random
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from node.model.calendar import TIME_MAX_MS
from node.model.code import parse_code
from node.model.directory import Role, Unit
from node.ops.home import Home
from node.ops.making import NewNode, create_home

if TYPE_CHECKING:
    from node.model.directory import Directory

AUTHORITY = "danh-ba"
PORTS = range(20_000, 32_000)
"""Below the range from which Linux takes ports for outgoing connections: the nodes' own calls could take one."""


@dataclass(frozen=True, slots=True)
class Software:
    """A system that is connected to a node; `bridged`: by the VXP bridge, besides the credential file."""

    name: str
    units: tuple[str, ...]
    file: str
    bridged: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A node. `units` are (code, name); `settings` are more lines for node.toml, by section; `ports`: office and bridge, if they matter."""

    node_id: str
    name: str
    prefix: str = ""
    units: tuple[tuple[str, str], ...] = ()
    via_relays: tuple[str, ...] = ()
    roles: frozenset[Role] = frozenset()
    systems: tuple[Software, ...] = ()
    settings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    office_port: int = 0
    vxp_port: int = 0

    @property
    def is_bridged(self) -> bool:
        """True if one of its systems calls by the bridge."""
        return any(one.bridged for one in self.systems)


@dataclass(frozen=True, slots=True)
class World:
    """A world that was made, and where. `bridges`: what each bridged system's software must be told, by system."""

    folder: Path
    fingerprint: str
    directory_version: int
    bridges: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def home(self, node_id: str) -> Home:
        """A node's folder."""
        return Home(self.folder / node_id)

    def directory(self, node_id: str) -> "Directory":
        """The directory as a node trusts it."""
        from node.directory.trust.trust import TrustedFolder

        return TrustedFolder(self.home(node_id).directory).load()

    def credential(self, node_id: str) -> Path:
        """Credential file of the software that is connected to a node."""
        return self.folder / f"{node_id}.json"


def build(folder: Path, authority_name: str, places: Sequence[Place], now_ms: int) -> World:
    """Make everything in an empty folder. Raises what the parts raise."""
    from node.directory.authority.authority import Authority
    from node.ops.join import bootstrap
    from node.ops.zone import sign_zone

    authority = Authority.create(folder / AUTHORITY, authority_name, now_ms)
    ports = iter(free_ports(3 * len(places)))
    bridges: dict[str, Mapping[str, str]] = {}
    for place in places:
        mesh, office, bridge = next(ports), place.office_port or next(ports), place.vxp_port or next(ports)
        home = _make_home(folder, place, mesh, office, now_ms)
        add_settings(home, _settings(place, bridge))
        bridges |= _connect_all(folder, home, place, now_ms)
        authority.admit(home.join_request.read_bytes(), None, set(place.roles), now_ms)
        authority.take(sign_zone(home, now_ms)[0], now_ms)
    version = authority.publish(now_ms)
    for place in places:
        bootstrap(Home(folder / place.node_id), authority.public, authority.fingerprint(), now_ms)
    return World(folder, authority.fingerprint(), version, bridges)


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
    return home


def _settings(place: Place, bridge_port: int) -> dict[str, tuple[str, ...]]:
    """Return a place's own settings, and the bridge's address if it has one."""
    settings = dict(place.settings)
    if place.is_bridged:
        settings["vxp"] = (*settings.get("vxp", ()), f'listen = "127.0.0.1:{bridge_port}"')
    return settings


def add_settings(home: Home, settings: Mapping[str, Iterable[str]]) -> None:
    """Write more lines into the sections of a new node's settings, and read them. Raises Broken(SETTINGS_INVALID)."""
    from node.directory.files import write_file

    text = home.settings_file.read_text("utf-8")
    for section, lines in settings.items():
        assert f"[{section}]\n" in text, f"node.toml has a section {section}"
        text = text.replace(f"[{section}]\n", "\n".join([f"[{section}]", *lines, ""]))
    write_file(home.settings_file, text.encode())
    home.settings()


def _connect_all(folder: Path, home: Home, place: Place, now_ms: int) -> dict[str, Mapping[str, str]]:
    from node.ops.connect import connect, grant

    granted: dict[str, Mapping[str, str]] = {}
    for one in place.systems:
        connect(home, one.name, one.units, folder / one.file)
        if one.bridged:
            granted[one.name] = grant(home, one.name, now_ms)
            # A made-up world: nobody is harmed by what is registered in it, and programs are to be tried whole.
            home.systems().open_registrations(one.name, TIME_MAX_MS)
    return granted


def free_ports(count: int) -> list[int]:
    """Return ports on which nobody listens now."""
    found: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        if is_free(port):
            found.append(port)
        if len(found) == count:
            break
    return found


def is_free(port: int) -> bool:
    """Tell whether nobody listens on a port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
