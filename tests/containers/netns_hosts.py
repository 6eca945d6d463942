"""Hosts as network namespaces, for machines without Docker: real processes of this checkout behind addresses of their own.

Each network is a namespace with a bridge in it, a switch, so that the machine's own firewall (Docker's, say) has no say in what
passes between hosts. A cable leads from each switch to each of its hosts, and one to the machine itself.
"""

import ipaddress
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.containers.hosts import NORTH, SOUTH, Place, Volume, run
from tests.real_mesh import ROOT

ETC = Path("/etc/netns")
"""`ip netns exec` shows a host the files below /etc/netns/<namespace> in place of the machine's own in /etc."""
FIRST_HOST, MOVED_HOST, MACHINE = 10, 100, 254


def why_not() -> str:
    """Return why there can be no namespaces here, or ""."""
    missing = [tool for tool in ("ip", "iptables", "tc") if shutil.which(tool) is None]
    if missing:
        return f"{', '.join(missing)} missing; apt-get install iproute2 iptables"
    if os.geteuid() != 0:
        return "network namespaces need root"
    name = f"truc-probe-{secrets.token_hex(3)}"
    made = run("ip", "netns", "add", name, check=False)
    if made.returncode:
        return f"no network namespaces ({made.stderr.strip()[:100]})"
    run("ip", "netns", "del", name)
    return ""


class Switch:
    """One network: a namespace with a bridge, and a cable to the tests' machine."""

    def __init__(self, run_id: str, name: str, letter: str) -> None:
        self.namespace = f"t{run_id}-{name}"
        self.cable = f"t{run_id}{letter}"
        self.net = ipaddress.ip_network(f"10.{secrets.choice(range(130, 250))}.{secrets.choice(range(256))}.0/24")
        run("ip", "netns", "add", self.namespace)
        self._ip("link", "add", "br0", "type", "bridge")
        self._ip("link", "set", "br0", "up")
        run("ip", "link", "add", self.cable, "type", "veth", "peer", "name", "machine", "netns", self.namespace)
        self._ip("link", "set", "machine", "master", "br0", "up")
        run("ip", "addr", "add", f"{self.net[MACHINE]}/24", "dev", self.cable)
        run("ip", "link", "set", self.cable, "up")

    def connect(self, namespace: str, device: str, port: str, address: str) -> None:
        """Lay a cable to a host."""
        self._ip("link", "add", port, "type", "veth", "peer", "name", device, "netns", namespace)
        self._ip("link", "set", port, "master", "br0", "up")
        run("ip", "-n", namespace, "addr", "add", f"{address}/24", "dev", device)
        run("ip", "-n", namespace, "link", "set", device, "up")

    def close(self) -> None:
        """Take it away, with all its cables."""
        run("ip", "netns", "del", self.namespace, check=False)

    def _ip(self, *words: str) -> None:
        run("ip", "-n", self.namespace, *words)


class NamespaceHosts:
    """Namespaces on two switches."""

    engine = "netns"

    def __init__(self) -> None:
        self.run_id = secrets.token_hex(3)
        self._hosts: list[NamespaceHost] = []
        self.switches: dict[str, Switch] = {}
        try:
            for name in (NORTH, SOUTH):
                self.switches[name] = Switch(self.run_id, name, name[0])
        except BaseException:
            self.close()
            raise

    def own(self, folder: Path) -> None:
        """The tests and the nodes are the same user."""

    def add(self, place: Place, volume: Volume) -> "NamespaceHost":
        host = NamespaceHost(self, place, volume, FIRST_HOST + len(self._hosts))
        self._hosts.append(host)
        self.tell_names()
        return host

    def tell_names(self) -> None:
        """Let every host know the names of those on its networks, and of no others."""
        for host in self._hosts:
            known = [one for one in self._hosts if set(one.place.networks) & set(host.place.networks)]
            lines = ["127.0.0.1 localhost"]
            for one in known:
                shared = [name for name in one.place.networks if name in host.place.networks]
                lines.append(f"{one.addresses()[shared[0]]} {one.alias}")
            (ETC / host.namespace / "hosts").write_text("\n".join(lines) + "\n", "ascii")

    def close(self) -> None:
        for host in self._hosts:
            host.remove()
        for switch in self.switches.values():
            switch.close()


class NamespaceHost:
    """One namespace, and the process of its node while it runs."""

    def __init__(self, hosts: NamespaceHosts, place: Place, volume: Volume, number: int) -> None:
        self.name = place.name
        self.place = place
        self.volume = volume
        self.alias = place.name
        self.namespace = f"t{hosts.run_id}-{place.name}"
        self._hosts = hosts
        self._number = number
        self._socket = number
        self._process: subprocess.Popen[bytes] | None = None
        self._make()

    def start(self, environment: Mapping[str, str] | None = None) -> None:
        assert not self.is_running()
        with self._log_file().open("ab") as out:
            self._process = subprocess.Popen(
                [*self.within(), sys.executable, "-P", "-m", "node.cli.main", "serve", str(self.volume.home)],
                env=self._environment(environment),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(20)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def resident_bytes(self) -> int:
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text("ascii")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) * 1024

    def log(self) -> str:
        path = self._log_file()
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def truc(self, *words: str) -> "subprocess.CompletedProcess[str]":
        command = [*self.within(), sys.executable, "-P", "-m", "node.cli.main", *words]
        environment = self._environment({"TRUC_HOME": str(self.volume.home)})
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)

    def within(self) -> Sequence[str]:
        return ("ip", "netns", "exec", self.namespace)

    def far_ends(self) -> Sequence[tuple[Sequence[str], str]]:
        switches = [self._hosts.switches[name] for name in self.place.networks]
        return [(("ip", "netns", "exec", switch.namespace), self._port) for switch in switches]

    def addresses(self) -> dict[str, str]:
        return {name: str(self._hosts.switches[name].net[self._number]) for name in self.place.networks}

    def move(self, alias: str) -> None:
        self.kill()
        before = self.addresses()
        self.alias = alias
        self._number += MOVED_HOST - FIRST_HOST
        for at, (name, address) in enumerate(self.addresses().items()):
            run("ip", "-n", self.namespace, "addr", "del", f"{before[name]}/24", "dev", f"eth{at}")
            run("ip", "-n", self.namespace, "addr", "add", f"{address}/24", "dev", f"eth{at}")
        self._hosts.tell_names()

    def remove(self) -> None:
        """Take the namespace away; the volume stays."""
        self.kill()
        run("ip", "netns", "del", self.namespace, check=False)
        shutil.rmtree(ETC / self.namespace, ignore_errors=True)

    @property
    def _port(self) -> str:
        """Its socket at a switch."""
        return f"p{self._socket}"

    def _make(self) -> None:
        (ETC / self.namespace).mkdir(parents=True)
        (ETC / self.namespace / "resolv.conf").write_text("nameserver 127.0.0.1\n", "ascii")
        run("ip", "netns", "add", self.namespace)
        run("ip", "-n", self.namespace, "link", "set", "lo", "up")
        for at, (name, address) in enumerate(self.addresses().items()):
            self._hosts.switches[name].connect(self.namespace, f"eth{at}", self._port, address)

    def _log_file(self) -> Path:
        return self.volume.folder / "log"

    def _environment(self, more: Mapping[str, str] | None) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("TRUC_")}
        return {**own, "PYTHONPATH": str(ROOT), **(more or {})}
