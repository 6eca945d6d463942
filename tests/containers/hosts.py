"""Hosts: machines of their own for nodes, with their own addresses, clocks and disks, that can be killed, paused and cut off.

Two engines make them: Docker (docker_hosts.py) and network namespaces (netns_hosts.py). The scenarios know only what stands here.
Changes of the lines between hosts (lines.py) are made by the same commands for both, run within a host's network.

    north            centre            south        two networks that do not see each other; only `centre` is on both.
    g14, h49      <--------->     h37, h49-22       The tests' own machine reaches every host: it is where the offices are.
"""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

NORTH, SOUTH = "north", "south"
MESH_PORT, OFFICE_PORT = 7401, 7402
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
"""Debian's libfaketime. Time namespaces are no help: they shift the monotonic clocks only."""


def wrong_clock(offset_s: int) -> dict[str, str]:
    """Return the variables with which a node sees another time of day; its timers go as they should."""
    return {"LD_PRELOAD": str(FAKETIME), "FAKETIME": f"{offset_s:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


@dataclass(frozen=True)
class Place:
    """A host to be: its name (also the node's id and host name), and the networks it is on."""

    name: str
    networks: tuple[str, ...]


@dataclass(frozen=True)
class Volume:
    """The disk that a host keeps when it is killed. The node's home lies in it."""

    folder: Path
    mounts: Mapping[Path, str] = field(default_factory=dict)
    """More folders that the host may read, and where it sees them."""

    @property
    def home(self) -> Path:
        """The node's home as the tests' machine sees it."""
        return self.folder / "node"


class Host(Protocol):
    """One host."""

    name: str
    volume: Volume

    def start(self, environment: Mapping[str, str] | None = None) -> None:
        """Start the node with these variables besides the usual ones; does not wait until it serves."""
        ...

    def stop(self) -> None:
        """Ask the node to end and wait until it has."""
        ...

    def kill(self) -> None:
        """End the node at once, as a power cut would (kill -9). Harmless if it does not run."""
        ...

    def pause(self) -> None:
        """Freeze the node."""
        ...

    def resume(self) -> None:
        """Let it go on."""
        ...

    def is_running(self) -> bool:
        """Tell whether the node's process lives."""
        ...

    def resident_bytes(self) -> int:
        """Return the resident memory of the node's process."""
        ...

    def log(self) -> str:
        """Return all that the node has logged, over all its lives."""
        ...

    def truc(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run the `truc` command on the host, as its operator would."""
        ...

    def within(self) -> Sequence[str]:
        """Return the words that, put before a command of the tests' machine, run it in the host's network."""
        ...

    def far_ends(self) -> Sequence[tuple[Sequence[str], str]]:
        """Return the other end of each of its lines: (words as of `within`, name of the device)."""
        ...

    def addresses(self) -> dict[str, str]:
        """Return its IPv4 address by network."""
        ...

    def move(self, alias: str) -> None:
        """Give it another address and another name on each network; whoever calls the old one reaches nobody."""
        ...


class Hosts(Protocol):
    """An engine that makes hosts and takes them away again."""

    engine: str

    def own(self, folder: Path) -> None:
        """Give everything in a folder to the user that nodes run as."""
        ...

    def add(self, place: Place, volume: Volume) -> Host:
        """Make a host; the node does not run yet."""
        ...

    def close(self) -> None:
        """Take away everything that was made."""
        ...


def run(*command: str, check: bool = True, limit_s: float = 60) -> "subprocess.CompletedProcess[str]":
    """Run a command of the tests' machine; a failure shows what it said."""
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=limit_s)
    assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done
