"""Content that is handed in: octets, a file or a stream, with the submission id that follows from it.

The id is there before the first try, so every retry, and the same content handed in again after a crash of the caller, is the same
submission (law 3). A stream can be read only once, so one of more than a mebibyte is first written into a temporary file.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from node.errors import Rejected
from node.model.naming import submission_id_for
from node.model.policy import MIB
from node.model.reason import Reason
from node.net.client_submit import WHOLE_BYTES_MAX

Source = bytes | Path | BinaryIO
"""A packet: its octets, a file that holds them, or a stream that is open for reading octets."""

WITHOUT_NAME = "goi-tin"


@dataclass(frozen=True, slots=True)
class Content:
    """A packet that can be read again for every try."""

    packet: bytes | Path
    submission_id: str


@contextmanager
def content_of(source: Source, submission_id: str = "") -> Iterator[Content]:
    """Make a packet ready; within the block it stays so. Without an id it gets that of its name and octets, as in `truc submit`.

    Raises Rejected(REQUEST_INVALID) for a file or stream that cannot be read.
    """
    name = source.name if isinstance(source, Path) else WITHOUT_NAME
    with ExitStack() as kept:
        try:
            packet, digest = _ready(source, kept)
        except OSError as error:
            raise Rejected(
                Reason.REQUEST_INVALID, f"{source if isinstance(source, Path) else name}: {error}"
            ) from error
        yield Content(packet, submission_id or submission_id_for(name, digest))


def _ready(source: Source, kept: ExitStack) -> tuple[bytes | Path, bytes]:
    """Return octets or a file, and their SHA-256."""
    if isinstance(source, bytes):
        return source, hashlib.sha256(source).digest()
    if isinstance(source, Path):
        with source.open("rb") as file:
            return source, hashlib.file_digest(file, "sha256").digest()
    head = _read_up_to(source, WHOLE_BYTES_MAX + 1)
    if len(head) <= WHOLE_BYTES_MAX:
        return head, hashlib.sha256(head).digest()
    folder = kept.enter_context(tempfile.TemporaryDirectory(prefix="truc-"))
    return _spooled(head, source, Path(folder) / "packet")


def _spooled(head: bytes, rest: BinaryIO, path: Path) -> tuple[Path, bytes]:
    """Write a stream into a file."""
    digest = hashlib.sha256(head)
    with path.open("xb") as file:
        file.write(head)
        while piece := rest.read(MIB):
            digest.update(piece)
            file.write(piece)
    return path, digest.digest()


def _read_up_to(stream: BinaryIO, size_bytes: int) -> bytes:
    """Read so much, or to the end; a socket or pipe gives less at a time."""
    pieces = bytearray()
    while len(pieces) < size_bytes and (piece := stream.read(size_bytes - len(pieces))):
        pieces += piece
    return bytes(pieces)
