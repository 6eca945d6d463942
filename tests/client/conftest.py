"""Two real nodes for the tests of the client, and a folder with the credential files of both."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mesh.support import QUICK
from tests.real_mesh import MINISTRY, NO_ARRIVALS, PROVINCE, RealMesh


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealMesh]:
    with RealMesh(tmp_path_factory.mktemp("client"), [MINISTRY, PROVINCE], toml=QUICK + NO_ARRIVALS) as made:
        for node in made.nodes.values():
            node.credential.save(credential_of(made, node.spec.node_id))
        yield made


def credential_of(mesh: RealMesh, node_id: str) -> Path:
    """The credential file of the system that speaks for all of a node's units."""
    return mesh.folder / f"{node_id}.json"
