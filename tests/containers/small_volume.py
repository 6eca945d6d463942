"""A volume that can run full: a small tmpfs in place of a node's folder, with ballast that can be thrown out."""

import errno
import shutil
from pathlib import Path

from tests.containers.hosts import run
from tests.containers.mesh import Mesh

ROOM_MIB = 1536
BLOCK = bytes(64 * 1024)


class SmallVolume:
    """Moves a node onto a small disk of its own, and off it again."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self._name = ""

    def move_in(self, name: str) -> None:
        """Put a node's volume on a small disk; the node is stopped for it and started again."""
        self._name = name
        self._mesh[name].stop()
        folder, aside = self._folder, self._aside
        folder.rename(aside)
        folder.mkdir()
        run("mount", "-t", "tmpfs", "-o", f"size={ROOM_MIB}m,mode=0700", "tmpfs", str(folder))
        self._copy(aside, folder)
        shutil.rmtree(aside)
        self._mesh.start([name])

    def fill(self) -> None:
        """Take all the room there is.

        The node goes on writing meanwhile, so what was free a moment ago says nothing: only a refused write shows that the disk is full.
        """
        with self._ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(BLOCK)
            except OSError as fault:
                if fault.errno != errno.ENOSPC:
                    raise

    def give_space(self) -> None:
        """Give the room back."""
        self._ballast.unlink()

    def move_out(self) -> None:
        """Put the volume back on the large disk."""
        if not self._name:
            return
        self._mesh[self._name].stop()
        self._ballast.unlink(missing_ok=True)
        self._copy(self._folder, self._aside)
        run("umount", str(self._folder))
        self._folder.rmdir()
        self._aside.rename(self._folder)
        if not self._mesh.is_broken:
            self._mesh.start([self._name])

    @property
    def _folder(self) -> Path:
        return self._mesh[self._name].volume.folder

    @property
    def _aside(self) -> Path:
        return self._folder.with_name(f"{self._name}.aside")

    @property
    def _ballast(self) -> Path:
        return self._folder / "ballast"

    def _copy(self, source: Path, target: Path) -> None:
        run("cp", "--archive", f"{source}/.", str(target))
