"""Lines of hosts, and what is done to them: cut, refused, lossy, slow, far. The same commands for every engine, and healed without a trace.

Rules stand in chains of our own, hooked into the host's; only what goes to or comes from other hosts is touched, never what the
offices say to their node: they are in the same building.
"""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.containers import forwarder
from tests.containers.hosts import MESH_PORT, Host, run

DROP, REJECT = ("DROP",), ("REJECT",)
FORWARDER_PORT = 7499
HOOKS = (
    ("filter", "INPUT", "TRUC-IN"),
    ("filter", "OUTPUT", "TRUC-OUT"),
    ("nat", "OUTPUT", "TRUC-CALL"),
    ("nat", "PREROUTING", "TRUC-CALLED"),
)


class Line:
    """All lines of one host, as one."""

    def __init__(self, host: Host, others: Iterable[Host]) -> None:
        self._host = host
        self._others = sorted({address for other in others for address in other.addresses().values()})
        self._forwarder: subprocess.Popen[str] | None = None
        self._slowed: list[tuple[tuple[str, ...], str]] = []
        for table, hook, chain in HOOKS:
            self._tables(table, "-N", chain)
            self._tables(table, "-I", hook, "-j", chain)

    def cut(self, how: tuple[str, ...] = DROP, *, incoming: bool = True, outgoing: bool = True) -> None:
        """Let nothing through, in one direction or both: without a word (DROP) or with one (REJECT)."""
        for address in self._others:
            if incoming:
                self._filter("TRUC-IN", "-s", address, "-j", *how)
            if outgoing:
                self._filter("TRUC-OUT", "-d", address, "-j", *how)

    def refuse_calls(self) -> None:
        """Let nobody call this host, and end the calls that are under way; it may call the others."""
        self._filter("TRUC-IN", "-p", "tcp", "--dport", str(MESH_PORT), "-j", *DROP)

    def lose(self, share: float) -> None:
        """Lose a share of the packets of both directions."""
        chance = ("-m", "statistic", "--mode", "random", "--probability", str(share))
        for address in self._others:
            self._filter("TRUC-IN", "-s", address, *chance, "-j", *DROP)
            self._filter("TRUC-OUT", "-d", address, *chance, "-j", *DROP)

    def narrow(self, rate: str) -> None:
        """Let no more through than `rate` (as tc writes it, "10mbit"), each direction for itself."""
        own = run(*self._host.within(), "ip", "-o", "link", "show", "type", "veth").stdout.splitlines()
        ends = [(tuple(self._host.within()), line.split(": ")[1].split("@")[0]) for line in own]
        ends += [(tuple(words), device) for words, device in self._host.far_ends()]
        shape = ("root", "tbf", "rate", rate, "burst", "32kbit", "latency", "400ms")
        for words, device in ends:
            run(*words, "tc", "qdisc", "add", "dev", device, *shape)
            self._slowed.append((words, device))

    def stretch(self, delay_ms: int) -> None:
        """Let every octet take `delay_ms` longer, in both directions; connections that are open are ended first."""
        self._forwarder = subprocess.Popen(
            [*self._host.within(), sys.executable, str(Path(forwarder.__file__)), str(FORWARDER_PORT), str(delay_ms)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._forwarder.stdout is not None
        assert self._forwarder.stdout.readline() == "ready\n"
        call = ("-p", "tcp", "--dport", str(MESH_PORT))
        unmarked, redirect = ("-m", "mark", "!", "--mark", str(forwarder.MARK)), ("--to-ports", str(FORWARDER_PORT))
        self._tables("nat", "-A", "TRUC-CALL", *call, *unmarked, "-j", "REDIRECT", *redirect)
        self._tables("nat", "-A", "TRUC-CALLED", *call, "-j", "REDIRECT", *redirect)
        # A connection that still bears the mesh's port was made before, past the forwarder.
        reset = ("-j", "REJECT", "--reject-with", "tcp-reset")
        self._filter("TRUC-OUT", *call, *unmarked, *reset)
        self._filter("TRUC-IN", *call, "!", "-i", "lo", *reset)

    def heal(self) -> None:
        """Take everything back; the line is as it was."""
        for table, hook, chain in HOOKS:
            self._tables(table, "-D", hook, "-j", chain)
            self._tables(table, "-F", chain)
            self._tables(table, "-X", chain)
        for words, device in self._slowed:
            run(*words, "tc", "qdisc", "del", "dev", device, "root")
        self._slowed.clear()
        if self._forwarder is not None:
            self._forwarder.kill()
            self._forwarder.wait()

    def _filter(self, chain: str, *words: str) -> None:
        self._tables("filter", "-A", chain, *words)

    def _tables(self, table: str, *words: str) -> None:
        run(*self._host.within(), "iptables", "--wait", "-t", table, *words)
