"""Whole editions: each is put together beside what is published, tried, and only then shown; afterwards the public files follow.

    public/editions/0000000012/   metadata/ targets/   a whole edition, by one rename; links to the same octets as the public files
    public/metadata/ targets/                          where every reader looks first; changed file by file, the timestamp last

Whoever reads the public files while they change, or after a publication that broke off among them, finds digests that differ; he then
takes the newest whole edition (node/directory/trust/trust.py). Nodes of older versions do not know of these and ask again later.
`follow_up` completes what broke off; every verb that publishes begins with it, so that no version is ever signed twice.
"""

import os
import shutil
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

from node.directory.authority.draft import Draft
from node.directory.files import disk_faults, sync_folder, write_file
from node.directory.layout import EDITIONS, SNAPSHOT, TIMESTAMP
from node.directory.trust.wholes import whole_editions

KEPT = 2
"""The newest, and the one before it for whoever is still reading."""


def prepare(draft: Draft, paths: Collection[str], new: Mapping[str, bytes], *, decided: bool) -> Path:
    """Put an edition together out of sight: new files, and those `paths` as decided, or as published. The caller shows or drops it."""
    with disk_faults(draft.public):
        (draft.public / EDITIONS).mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=draft.public / EDITIONS, prefix="."))
        try:
            for path in sorted(set(paths) - set(new)):
                _link(draft.place(path, decided=decided), part / path)
            for path, data in new.items():
                write_file(part / path, data)
            for folder in [part, *(one for one in part.rglob("*") if one.is_dir())]:
                folder.chmod(0o755)
                sync_folder(folder)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    return part


def show(draft: Draft, part: Path, version: int) -> None:
    """Show a prepared edition by one rename, and let the public files follow."""
    with disk_faults(draft.public):
        part.rename(draft.public / EDITIONS / f"{version:010d}")
        sync_folder(draft.public / EDITIONS)
    follow_up(draft)


def follow_up(draft: Draft) -> None:
    """Let the public files be those of the newest whole edition, the timestamp last; forget older editions. Harmless again."""
    with disk_faults(draft.public):
        editions = whole_editions(draft.public)
        for newest in editions[:1]:
            found = [path.relative_to(newest).as_posix() for path in newest.rglob("*") if path.is_file()]
            for path in sorted(found, key=lambda one: (one == TIMESTAMP, one == SNAPSHOT, one)):
                _put(newest / path, draft.public / path)
        kept = {edition.name for edition in editions[:KEPT]}
        for left in (draft.public / EDITIONS).glob("*"):
            if left.name not in kept:
                shutil.rmtree(left)


def _put(source: Path, target: Path) -> None:
    """Let a public file be one of the edition's, by one rename, if it is not already."""
    if target.exists() and target.read_bytes() == source.read_bytes():
        return
    beside = target.parent / f".{target.name}.part"
    beside.unlink(missing_ok=True)
    _link(source, beside)
    beside.replace(target)
    sync_folder(target.parent)


def _link(source: Path, target: Path) -> None:
    """Give a file a second name; where the file system cannot, a second copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        write_file(target, source.read_bytes())
