"""Which engine makes the hosts, one mesh for all scenarios that leave it whole, and the table at the end.

TRUC_HOSTS=docker or netns chooses the engine; without it Docker is taken where an engine answers, else namespaces, else the tests are
skipped, saying why.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.containers import docker_hosts, image, netns_hosts
from tests.containers.hosts import Hosts
from tests.containers.mesh import Mesh
from tests.containers.scenario import Stage
from tests.containers.small_volume import SmallVolume

MAKER = Callable[[], Hosts]


def docker_engine() -> tuple[MAKER | None, str]:
    """Return what makes containers, or why there are none."""
    reason = docker_hosts.why_not() or image.why_not()
    return (None, f"containers: {reason}") if reason else (
        lambda: docker_hosts.DockerHosts(image.image_of_checkout()),
        "",
    )


def netns_engine() -> tuple[MAKER | None, str]:
    """Return what makes namespaces, or why there are none."""
    reason = netns_hosts.why_not()
    return (None, f"namespaces: {reason}") if reason else (netns_hosts.NamespaceHosts, "")


ENGINES = {"docker": docker_engine, "netns": netns_engine}


@pytest.fixture(scope="session")
def make_hosts() -> MAKER:
    """The engine for the scenarios."""
    wanted = os.environ.get("TRUC_HOSTS", "")
    assert wanted in ("", *ENGINES), f"TRUC_HOSTS is {wanted!r}; it may be {' or '.join(ENGINES)}"
    reasons = []
    for name in [wanted] if wanted else list(ENGINES):
        maker, reason = ENGINES[name]()
        if maker is not None:
            return maker
        reasons.append(reason)
    pytest.skip("; ".join(reasons))


class Meshes:
    """The mesh that scenarios share; after a failure what is left of it is evidence, and the next scenario gets a new one."""

    def __init__(self, make_hosts: MAKER) -> None:
        self._make_hosts = make_hosts
        self._mesh: Mesh | None = None

    def get(self, **times: str) -> Mesh:
        """Return the mesh, running."""
        if self._mesh is not None and self._mesh.is_broken:
            self.close()
        if self._mesh is None:
            folder = Path(tempfile.mkdtemp(prefix="truc-hosts-"))
            folder.chmod(0o755)
            hosts = self._make_hosts()
            try:
                self._mesh = Mesh(folder, hosts)
            except BaseException:
                hosts.close()
                raise
            try:
                self._mesh.start()
            except BaseException:
                self._mesh.is_broken = True
                self._mesh.save_logs()
                self.close()
                raise
        return self._mesh

    def close(self) -> None:
        """Take it away."""
        if self._mesh is not None:
            self._mesh.close()
            self._mesh = None


@pytest.fixture(scope="module")
def meshes(make_hosts: MAKER) -> Iterator[Meshes]:
    made = Meshes(make_hosts)
    yield made
    made.close()


@pytest.fixture
def stage(meshes: Meshes, record_property: Callable[[str, object], None]) -> Stage:
    """Where a test plays its scenario."""
    return Stage(meshes.get(), lambda row: record_property("scenario", row))


@pytest.fixture
def small_volume(stage: Stage) -> Iterator[SmallVolume]:
    """A small disk for a node of the mesh."""
    made = SmallVolume(stage.mesh)
    yield made
    made.move_out()
