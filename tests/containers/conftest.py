"""The engine that makes the hosts, one mesh for all scenarios that leave it whole, and the table at the end.

TRUC_HOSTS=docker or netns chooses the engine; without it Docker is taken where an engine answers, else namespaces, else the tests are
skipped, saying why.
"""

import os
from collections.abc import Callable, Iterator

import pytest

from tests.containers import docker_hosts, image, netns_hosts
from tests.containers.meshes import MakeHosts, Meshes
from tests.containers.scenario import Stage
from tests.containers.small_volume import SmallVolume


def docker_engine() -> tuple[MakeHosts | None, str]:
    """Return what makes containers, or why there are none."""
    reason = docker_hosts.why_not() or image.why_not()
    if reason:
        return None, f"containers: {reason}"
    return lambda: docker_hosts.DockerHosts(image.image_of_checkout()), ""


def netns_engine() -> tuple[MakeHosts | None, str]:
    """Return what makes namespaces, or why there are none."""
    reason = netns_hosts.why_not()
    return (None, f"namespaces: {reason}") if reason else (netns_hosts.NamespaceHosts, "")


ENGINES = {"docker": docker_engine, "netns": netns_engine}


@pytest.fixture(scope="session")
def make_hosts() -> MakeHosts:
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


@pytest.fixture(scope="module")
def meshes(make_hosts: MakeHosts) -> Iterator[Meshes]:
    made = Meshes(make_hosts)
    yield made
    made.close()


@pytest.fixture
def stage(meshes: Meshes, record_property: Callable[[str, object], None]) -> Stage:
    """The stage on which a test plays its scenario."""
    return Stage(meshes.get(), lambda row: record_property("scenario", row))


@pytest.fixture
def small_volume(stage: Stage) -> Iterator[SmallVolume]:
    """A small disk for a node of the mesh."""
    made = SmallVolume(stage.mesh)
    yield made
    made.move_out()
