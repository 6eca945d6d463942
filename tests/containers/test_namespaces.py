"""The same harness over network namespaces: a few scenarios of test_scenarios.py, so that it works where there is no Docker.

TRUC_HOSTS=netns plays all of them that way.
"""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from tests.containers import netns_hosts
from tests.containers.meshes import Meshes
from tests.containers.scenario import Stage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def namespaces() -> Iterator[Meshes]:
    if reason := netns_hosts.why_not():
        pytest.skip(reason)
    made = Meshes(netns_hosts.NamespaceHosts)
    yield made
    made.close()


@pytest.fixture
def stage(namespaces: Meshes, record_property: Callable[[str, object], None]) -> Stage:
    return Stage(namespaces.get(), lambda row: record_property("scenario", row))


def test_a_province_is_cut_off(stage: Stage) -> None:
    async def story() -> None:
        async with stage("a province is cut off") as one:
            await one.flow(2)
            line = stage.mesh.line("h49")
            line.cut()
            await one.outbox_says("g14", {"h49"}, "PEER_UNREACHABLE", "IN_CUSTODY")
            line.heal()
            one.healed()
            await one.flow(2)

    asyncio.run(story())


def test_a_node_is_killed_and_comes_back(stage: Stage) -> None:
    async def story() -> None:
        async with stage("kill -9 of a province") as one:
            await one.flow(2)
            stage.mesh["h49"].kill()
            await one.flow(1)
            await asyncio.to_thread(stage.mesh.start, ["h49"])
            one.healed()
            await one.flow(1)

    asyncio.run(story())
