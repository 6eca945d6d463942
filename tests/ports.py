"""Ports for servers of the tests, of which no two tests get the same while they run side by side.

A port that the system chooses (bind to 0) is free only until anybody's outgoing connection gets it from the same range, and between the
choice and the start of the server that uses it lies a second or more. So the tests take theirs from below that range, and every worker of
pytest-xdist from a part of its own, one after the other. The demo and the sandbox take theirs above (node/ops/world.py).
"""

import itertools
import os
import random

from node.ops.world import is_free

PORTS = range(10_000, 20_000)
PARTS = 20


def _mine() -> "itertools.cycle[int]":
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    part = int(worker[2:]) % PARTS if worker.startswith("gw") else random.randrange(PARTS)
    ports = PORTS[part * len(PORTS) // PARTS : (part + 1) * len(PORTS) // PARTS]
    start = random.randrange(len(ports))
    return itertools.cycle([*ports[start:], *ports[:start]])


_next = _mine()


def free_ports(count: int) -> list[int]:
    """Return ports on which nobody listens, and which nobody else of this run is given."""
    return list(itertools.islice(filter(is_free, _next), count))
