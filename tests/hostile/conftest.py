"""One mesh of real processes for all attacks that are played against one: two honest nodes, and the home of a third that is taken over."""

from collections.abc import Iterator

import pytest

from tests.hostile.others import look, until_sync
from tests.mesh.support import QUICK
from tests.real_mesh import MINISTRY, NO_ARRIVALS, PROVINCE, NodeSpec, RealMesh

SPECS = (MINISTRY, PROVINCE, NodeSpec("evil", "E00", ("E00",)))


@pytest.fixture(scope="session")
def attacked_mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealMesh]:
    """Returns a mesh whose g14 writes and whose h49 is attacked; evil's process does not run, its keys are used by others."""
    made = RealMesh(tmp_path_factory.mktemp("attacked"), SPECS, toml=QUICK + NO_ARRIVALS)
    try:
        for name in ("g14", "h49"):
            made[name].start(wait=False)
        for name in ("g14", "h49"):
            made[name].wait_ready()
        yield made
    finally:
        made.close()


@pytest.fixture
def mesh(attacked_mesh: RealMesh) -> Iterator[RealMesh]:
    """The mesh; after each attack both processes run, none has met a mistake of ours, and what was taken is given back within 10 s."""
    victim, before = attacked_mesh["h49"], len(attacked_mesh["h49"].log())
    _, descriptors = look(victim)
    yield attacked_mesh
    until_sync(lambda: look(victim)[1] <= descriptors + 80, 10)
    for node in (attacked_mesh["g14"], victim):
        assert node.process is not None
        assert node.process.poll() is None, node.log()[-2000:]
    new = victim.log()[before:]
    for mistake in ("call.failed", "courier.failed", "Traceback", "guests.unseen"):
        assert mistake not in new, new
