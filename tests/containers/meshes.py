"""The mesh that scenarios share, and what becomes of it when one fails."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.containers.hosts import Hosts
from tests.containers.mesh import QUICK, Mesh

MakeHosts = Callable[[], Hosts]
"""Makes an engine, with its networks."""


class Meshes:
    """The mesh that scenarios share; after a failure what is left of it is evidence, and the next scenario gets a new one."""

    def __init__(self, make_hosts: MakeHosts) -> None:
        self._make_hosts = make_hosts
        self._mesh: Mesh | None = None
        self._is_for_one = False

    def afresh(self, times: Mapping[str, str] = QUICK) -> Mesh:
        """Return a new mesh with these times; the scenarios after it get another one."""
        self.close()
        mesh = self.get(times)
        self._is_for_one = True
        return mesh

    def get(self, times: Mapping[str, str] = QUICK) -> Mesh:
        """Return the mesh, running."""
        if self._mesh is not None and (self._mesh.is_broken or self._is_for_one):
            self.close()
        if self._mesh is None:
            self._is_for_one = False
            folder = Path(tempfile.mkdtemp(prefix="truc-hosts-"))
            folder.chmod(0o755)
            hosts = self._make_hosts()
            try:
                self._mesh = Mesh(folder, hosts, times)
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
