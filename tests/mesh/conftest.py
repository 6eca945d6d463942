"""One mesh of real processes for all tests that leave it as they found it; others make their own."""

from collections.abc import Iterator

import pytest

from tests.mesh.support import QUICK
from tests.real_mesh import CENTRE, NO_ARRIVALS, NodeSpec, RealMesh

PACKET_BYTES_MAX = 4_000_000
"""Settings of every node of the common mesh."""

SPECS = (
    CENTRE,
    NodeSpec("g14", "G14", ("G14", "G14.01")),
    NodeSpec("h49", "H49", ("H49", "H49.22", "H49.22.05")),
    NodeSpec("h37", "H37", ("H37", "H37.10"), via_relays=("centre",)),
)


@pytest.fixture(scope="session")
def common_mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealMesh]:
    limits = f"[limits]\npacket_bytes_max = {PACKET_BYTES_MAX}\n"
    with RealMesh(tmp_path_factory.mktemp("mesh"), SPECS, toml=QUICK + NO_ARRIVALS + limits) as made:
        yield made


@pytest.fixture
def mesh(common_mesh: RealMesh) -> Iterator[RealMesh]:
    """The common mesh; after each test every process must still run, and none has met a mistake of ours."""
    before = {name: len(node.log()) for name, node in common_mesh.nodes.items()}
    yield common_mesh
    for name, node in common_mesh.nodes.items():
        assert node.process is not None
        new = node.log()[before[name] :]
        assert node.process.poll() is None, f"{name} has ended:\n{new}"
        for mistake in ("call.failed", "courier.failed", "Traceback"):
            assert mistake not in new, f"{name}:\n{new}"
