"""The mesh of the scenarios: five nodes on hosts of their own, made by the same functions as the `truc` command uses.

centre      directory and relay, on both networks
g14         a ministry, north               h37      a province, south
h49         a province, north               h49-22   what h49 has given away: the prefix H49.22, south
"""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from node.client import AsyncOffice, Credential, Patience
from node.config.settings import load_settings
from node.directory.authority.authority import Authority
from node.errors import EXIT_OK, Broken
from node.model.code import parse_code
from node.model.directory import Role, Unit
from node.ops.connect import connect
from node.ops.describing import describe_anew
from node.ops.home import Home
from node.ops.join import bootstrap
from node.ops.making import NewNode, create_home
from node.ops.zone import sign_zone
from tests.clocks import now_ms
from tests.containers.hosts import MESH_PORT, NORTH, OFFICE_PORT, SOUTH, Host, Hosts, Place, Volume
from tests.containers.lines import Line
from tests.real_mesh import wait_for

READY_S = 30.0
CENTRE = "centre"
PLACES = (
    Place(CENTRE, (NORTH, SOUTH)),
    Place("g14", (NORTH,)),
    Place("h49", (NORTH,)),
    Place("h37", (SOUTH,)),
    Place("h49-22", (SOUTH,)),
)
NAMES = tuple(place.name for place in PLACES)
PREFIX = {"g14": "G14", "h49": "H49", "h37": "H37", "h49-22": "H49.22"}
UNITS = {
    "g14": ("G14", "G14.01"),
    "h49": ("H49", "H49.05"),
    "h37": ("H37", "H37.10"),
    "h49-22": ("H49.22", "H49.22.05"),
}
OFFICES = tuple(UNITS)
NODE_OF_UNIT = {unit: node for node, units in UNITS.items() for unit in units}


@dataclass(frozen=True)
class Layout:
    """The hosts of a mesh (one of them is `centre`), and the prefix and the units of each node that has any."""

    places: Sequence[Place]
    prefix: Mapping[str, str]
    units: Mapping[str, Sequence[str]]


FIVE = Layout(PLACES, PREFIX, UNITS)

QUICK = {
    "TRUC_TIMES__BACK_OFF_FIRST_MS": "200",
    "TRUC_TIMES__BACK_OFF_MAX_MS": "3000",
    "TRUC_TIMES__RELAY_AFTER_MS": "1000",
    "TRUC_TIMES__CUSTODY_RETRY_MS": "3000",
    "TRUC_TIMES__ITEM_RETRY_MS": "500",
    "TRUC_TIMES__HELLO_EVERY_MS": "2000",
}
"""A twentieth of the usual times, so that a scenario takes seconds."""


class Mesh:
    """Homes, hosts, and ways to reach them. Its folder holds everything that a failed run leaves behind."""

    def __init__(self, folder: Path, hosts: Hosts, times: Mapping[str, str] = QUICK, layout: Layout = FIVE) -> None:
        self.folder = folder
        self._layout = layout
        self.hosts = hosts
        self.is_broken = False
        """A scenario has failed: what is here is evidence, and nothing to go on with."""
        self._environment = {**times, "TRUC_DIRECTORY__REFRESH_S": "1"}
        self.authority = Authority.create(folder / "authority", "Trung tâm thử nghiệm", now_ms())
        mounts = {self.authority.public: "/directory"}
        volumes = {
            place.name: Volume(folder / place.name, mounts if place.name == CENTRE else {}) for place in layout.places
        }
        for name, volume in volumes.items():
            self._make_home(name, volume)
        self.authority.publish(now_ms())
        self.nodes: dict[str, Host] = {}
        for place in layout.places:
            volume = volumes[place.name]
            bootstrap(Home(volume.home), self.authority.public, self.authority.fingerprint(), now_ms())
            hosts.own(volume.folder)
            self.nodes[place.name] = hosts.add(place, volume)
        hosts.own(self.authority.public)

    def __getitem__(self, name: str) -> Host:
        return self.nodes[name]

    def start(self, names: Iterable[str] = (), **more: str) -> None:
        """Start nodes (all without names), with more variables, and wait until they are well."""
        wanted = list(names) or list(self.nodes)
        for name in wanted:
            self._launch(name, more)
        for name in wanted:
            self.wait_ready(name)

    def start_unwell(self, name: str, **more: str) -> None:
        """Start a node that has reason to find fault with itself, and wait until it serves: it says whether it is well, yes or no."""
        self._launch(name, more)
        wait_for(lambda: self._asked_about_health(name) in (EXIT_OK, Broken.exit_code), READY_S, f"start of {name}")

    def wait_ready(self, name: str, limit_s: float = READY_S) -> None:
        """Wait until a node says that it is well."""
        wait_for(lambda: self._is_well(name), limit_s, f"start of {name}")

    def office(self, name: str, limit_s: float = 3.0) -> AsyncOffice:
        """Connect as the software of all of a node's units, with a little patience for a node that is away."""
        patience = Patience(limit_s=limit_s, first_pause_s=0.1, longest_pause_s=1.0)
        return AsyncOffice(self._credential(name), patience=patience)

    def line(self, name: str) -> Line:
        """Return the line of a host, to do something to it."""
        return Line(self[name], [host for other, host in self.nodes.items() if other != name])

    def publish_move(self, name: str, alias: str) -> None:
        """Have a node call itself by another address, and the authority publish it; the node must stand still."""
        home = Home(self[name].volume.home)
        text = home.settings_file.read_text("utf-8")
        before = load_settings(home.path).mesh.advertise
        assert before in text
        home.settings_file.write_text(text.replace(before, f"{alias}:{MESH_PORT}"), "utf-8")
        assert describe_anew(home, now_ms())
        self.authority.take(sign_zone(home, now_ms())[0], now_ms())
        self.authority.publish(now_ms())
        self.hosts.own(self[name].volume.folder)
        self.hosts.own(self.authority.public)

    def save_logs(self) -> None:
        """Put every node's log beside its volume."""
        for name, host in self.nodes.items():
            (self.folder / f"{name}.log").write_text(host.log(), "utf-8")

    def close(self) -> None:
        """Take the hosts away; what they stored goes with them unless it is evidence."""
        self.hosts.close()
        if not self.is_broken:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _launch(self, name: str, more: Mapping[str, str]) -> None:
        feed = {"TRUC_DIRECTORY__FOLDER": self._feed()} if name == CENTRE else {}
        self[name].start({**self._environment, **feed, **more})

    def _is_well(self, name: str) -> bool:
        return self._asked_about_health(name) == EXIT_OK

    def _asked_about_health(self, name: str) -> int:
        assert self[name].is_running(), f"{name} ended:\n{self[name].log()[-3000:]}"
        return self[name].truc("health").returncode

    def _credential(self, name: str) -> Credential:
        found = Credential.load(self.folder / f"{name}.json")
        address = next(iter(self[name].addresses().values()))
        return Credential(f"{address}:{OFFICE_PORT}", found.certificate_pem, found.system, found.secret)

    def _feed(self) -> str:
        return "/directory" if self.hosts.engine == "docker" else str(self.authority.public)

    def _make_home(self, name: str, volume: Volume) -> None:
        volume.folder.mkdir(parents=True)
        prefix = self._layout.prefix.get(name)
        new = NewNode(
            node_id=name,
            name=f"Nút {name}",
            mesh=f"0.0.0.0:{MESH_PORT}",
            office=f"0.0.0.0:{OFFICE_PORT}",
            advertise=f"{name}:{MESH_PORT}",
            prefixes=(parse_code(prefix),) if prefix else (),
            carry_for_others=name == CENTRE,
        )
        home = create_home(volume.home, new, now_ms())
        roles = set(Role) if name == CENTRE else set()
        self.authority.admit(home.join_request.read_bytes(), None, roles, now_ms())
        units = self._layout.units.get(name, ())
        if units:
            home.zone_editor().add_units(Unit(code, f"Đơn vị mẫu {code}") for code in units)
            self.authority.take(sign_zone(home, now_ms())[0], now_ms())
        connect(home, "qlvb", units or ("W00",), self.folder / f"{name}.json")
