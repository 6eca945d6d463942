"""Hosts as containers of the image that is built from this checkout: read-only root, no capabilities, one volume each."""

import ipaddress
import secrets
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException
from docker.types import IPAMConfig, IPAMPool

from tests.containers.hosts import FAKETIME, NORTH, SOUTH, Place, Volume, run

USER = 10001
FIRST_HOST, MOVED_HOST = 10, 100
"""Where the addresses of hosts begin on each network, and where those of hosts that have moved do."""
NOWHERE = "192.0.2.1"
"""An address to which no internal network has a route (RFC 5737)."""


def why_not() -> str:
    """Return why there can be no containers here, or ""."""
    try:
        docker.from_env(timeout=10).ping()
    except DockerException as error:
        return f"no Docker engine answers ({str(error).splitlines()[0][:100]})"
    missing = [tool for tool in ("nsenter", "iptables", "tc") if shutil.which(tool) is None]
    if missing:
        return f"{', '.join(missing)} missing; apt-get install iptables iproute2 util-linux"
    if run("nsenter", "--net=/proc/self/ns/net", "true", check=False).returncode:
        return "entering a container's network needs root on the engine's machine"
    return ""


class DockerHosts:
    """Containers on two internal networks."""

    engine = "docker"

    def __init__(self, image: str) -> None:
        self.client = docker.from_env(timeout=120)
        self.image = image
        self.run_id = f"truc-test-{secrets.token_hex(4)}"
        self._hosts: list[DockerHost] = []
        self._networks: dict[str, Any] = {}
        try:
            for name in (NORTH, SOUTH):
                self._networks[name] = self._network(name)
        except BaseException:
            self.close()
            raise

    def own(self, folder: Path) -> None:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, USER, USER)

    def add(self, place: Place, volume: Volume) -> "DockerHost":
        host = DockerHost(self, place, volume, FIRST_HOST + len(self._hosts))
        self._hosts.append(host)
        return host

    def close(self) -> None:
        for host in self._hosts:
            host.remove()
        for network in self._networks.values():
            network.remove()

    def names_elsewhere(self, place: Place) -> list[str]:
        """Return the names of hosts that share no network with a place. Docker's own name service would be silent about them."""
        others = [one for one in self._hosts if not set(one.place.networks) & set(place.networks)]
        return [one.alias for one in others]

    def network(self, name: str) -> Any:
        """Return the engine's network."""
        return self._networks[name]

    def address(self, network: str, number: int) -> str:
        """Return the address with a number on a network."""
        subnet = self.network(network).attrs["IPAM"]["Config"][0]["Subnet"]
        return str(ipaddress.ip_network(subnet)[number])

    def _network(self, name: str) -> Any:
        """Make a network on a range that nobody has. Internal: nothing leads out of it, as on the government's lines."""
        for _ in range(20):
            pool = IPAMPool(subnet=f"10.{secrets.choice(range(130, 250))}.{secrets.choice(range(256))}.0/24")
            try:
                made = self.client.networks.create(
                    f"{self.run_id}-{name}", driver="bridge", internal=True, ipam=IPAMConfig(pool_configs=[pool])
                )
            except APIError as error:
                if "overlap" not in str(error):
                    raise
                continue
            made.reload()
            return made
        raise AssertionError("no free range for a network")


class DockerHost:
    """One container; made anew when its variables change, always over the same volume."""

    def __init__(self, hosts: DockerHosts, place: Place, volume: Volume, number: int) -> None:
        self.name = place.name
        self.volume = volume
        self._hosts = hosts
        self.place = place
        self._number = number
        self.alias = place.name
        self._environment: dict[str, str] = {}
        self._container: Any = None
        self._earlier_log = ""

    def start(self, environment: Mapping[str, str] | None = None) -> None:
        wanted = dict(environment or {})
        if self._container is None or wanted != self._environment:
            self.remove()
            self._environment = wanted
            self._container = self._create()
        self._container.start()

    def stop(self) -> None:
        self._container.stop(timeout=20)

    def kill(self) -> None:
        if self.is_running():
            self._container.kill()
            self._container.wait(timeout=30)

    def pause(self) -> None:
        self._container.pause()

    def resume(self) -> None:
        self._container.unpause()

    def is_running(self) -> bool:
        if self._container is None:
            return False
        self._container.reload()
        return bool(self._container.attrs["State"]["Running"])

    def resident_bytes(self) -> int:
        status = Path(f"/proc/{self._pid()}/status").read_text("ascii")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) * 1024

    def log(self) -> str:
        now = "" if self._container is None else self._container.logs().decode("utf-8", "replace")
        return self._earlier_log + now

    def truc(self, *words: str) -> "subprocess.CompletedProcess[str]":
        code, (out, err) = self._container.exec_run(["truc", *words], demux=True)
        return subprocess.CompletedProcess(words, code, (out or b"").decode(), (err or b"").decode())

    def within(self) -> Sequence[str]:
        return ("nsenter", f"--net=/proc/{self._pid()}/ns/net")

    def far_ends(self) -> Sequence[tuple[Sequence[str], str]]:
        own = run(*self.within(), "ip", "-o", "link", "show", "type", "veth").stdout.splitlines()
        indexes = [line.split("@if")[1].split(":")[0] for line in own]
        links = run("ip", "-o", "link", "show", "type", "veth").stdout.splitlines()
        names = {line.split(":")[0]: line.split(": ")[1].split("@")[0] for line in links}
        return [((), names[index]) for index in indexes]

    def addresses(self) -> dict[str, str]:
        return {name: self._hosts.address(name, self._number) for name in self.place.networks}

    def move(self, alias: str) -> None:
        self.alias = alias
        self._number += MOVED_HOST - FIRST_HOST
        if self._container is not None:
            self.kill()
            self.remove()

    def remove(self) -> None:
        """Take the container away; the volume stays."""
        if self._container is not None:
            self._earlier_log = self.log()
            self._container.remove(force=True)
            self._container = None

    def _pid(self) -> int:
        self._container.reload()
        return int(self._container.attrs["State"]["Pid"])

    def _create(self) -> Any:
        first, *others = self.place.networks
        addresses = self.addresses()
        endpoint = self._hosts.client.api.create_endpoint_config(aliases=[self.alias], ipv4_address=addresses[first])
        container = self._hosts.client.containers.create(
            self._hosts.image,
            name=f"{self._hosts.run_id}-{self.name}",
            hostname=self.name,
            labels={"truc.test": self._hosts.run_id},
            network=self._hosts.network(first).name,
            networking_config={self._hosts.network(first).name: endpoint},
            extra_hosts=dict.fromkeys(self._hosts.names_elsewhere(self.place), NOWHERE),
            environment=self._environment,
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            volumes=self._binds(),
        )
        for name in others:
            self._hosts.network(name).connect(container, ipv4_address=addresses[name], aliases=[self.alias])
        return container

    def _binds(self) -> dict[str, dict[str, str]]:
        binds = {str(self.volume.folder): {"bind": "/var/lib/truc", "mode": "rw"}}
        for path, seen_as in self.volume.mounts.items():
            binds[str(path)] = {"bind": seen_as, "mode": "ro"}
        if "LD_PRELOAD" in self._environment:
            binds[str(FAKETIME)] = {"bind": str(FAKETIME), "mode": "ro"}
        return binds
