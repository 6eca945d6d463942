"""Packet files of any size: read, judged by all rules in one pass, and the attached files taken out of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from node.errors import Broken, Rejected
from node.model.finding import Finding
from node.model.reason import Reason

if TYPE_CHECKING:
    from node.edxml.unzip import Budget
    from node.model.packet import Attachment, Packet


@dataclass(frozen=True, slots=True)
class Extracted:
    """One attachment of a packet: its name there, and the file that it became, or why it was left in."""

    name: str
    path: Path | None = None
    size_bytes: int = 0
    fault: Rejected | None = None


def read(path: Path) -> "Packet":
    """Read a packet file of any size. Raises Rejected for what is no packet, REQUEST_INVALID for what is no file."""
    from node.edxml.document import read_packet

    try:
        return read_packet(path)
    except OSError as error:
        raise Rejected(Reason.REQUEST_INVALID, f"{path}: {error.strerror}") from error


def judged(path: Path, now_ms: int) -> list[Finding]:
    """Return what all rules find in a packet file of any size. Raises as `read`."""
    from node.edxml.judging import judge

    try:
        return judge(path, now_ms)[1]
    except OSError as error:
        raise Rejected(Reason.REQUEST_INVALID, f"{path}: {error.strerror}") from error


def make_folder(folder: Path) -> None:
    """Make a folder that the user named, if it is not there. Raises Rejected(REQUEST_INVALID)."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Rejected(Reason.REQUEST_INVALID, f"{folder}: {error.strerror}") from error


def extract_all(file: Path, folder: Path, *, force: bool = False) -> Iterator[Extracted]:
    """Take out one attachment after the other in one pass; one that is not safe to unpack is told, and the others are taken.

    Raises Broken(ALREADY_EXISTS) if one of the files is there and `force` does not replace it, and as `read` and `make_folder`.
    """
    from itertools import groupby
    from operator import itemgetter

    from node.edxml.document import content_pieces
    from node.edxml.extract import ContentBroken
    from node.edxml.unzip import Budget
    from node.model.packet import Encoding

    packet, budget = read(file), Budget(file.stat().st_size)
    names = _file_names(packet)
    present = [folder / name for name in names if (folder / name).exists()]
    if present and not force:
        raise Broken(Reason.ALREADY_EXISTS, f"{present[0]}; --force replaces it")
    make_folder(folder)
    given_out = groupby(content_pieces(file), key=itemgetter(0))
    following = next(given_out, None)
    for index, attachment in enumerate(packet.attachments):
        if attachment.encoding is Encoding.BROKEN:
            yield Extracted(attachment.attachment_name, fault=ContentBroken())
            following = next(given_out, None) if following is not None and following[0] == index else following
            continue
        if following is None or following[0] != index:
            yield _written(attachment.attachment_name, folder / names[index], iter(()))
            continue
        pieces = (piece for _, piece in following[1])
        yield _written(attachment.attachment_name, folder / names[index], _unpacked(attachment, pieces, budget))
        following = next(given_out, None)


def _unpacked(attachment: "Attachment", pieces: Iterator[bytes], budget: "Budget") -> Iterator[bytes]:
    from node.edxml.extract import is_zipped
    from node.edxml.unzip import unzip_one

    return budget.spending(unzip_one(pieces)) if is_zipped(attachment) else pieces


def _written(name: str, path: Path, pieces: Iterator[bytes]) -> Extracted:
    """Write a file whole or not at all."""
    part = path.with_name(path.name + ".part")
    size_bytes = 0
    try:
        with part.open("wb") as out:
            for piece in pieces:
                size_bytes += out.write(piece)
        part.replace(path)
    except Rejected as fault:
        return Extracted(name, fault=fault)
    except OSError as error:
        raise Broken(Reason.IO_FAILED, f"{path}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    return Extracted(name, path, size_bytes)


def _file_names(packet: "Packet") -> list[str]:
    """Return names without paths, none of them twice, also where a file system does not tell capitals from small letters."""
    from node.edxml.extract import file_name

    taken: set[str] = set()
    names = []
    for index, attachment in enumerate(packet.attachments):
        name, number = file_name(attachment, index), 1
        stem, dot, ending = name.rpartition(".") if "." in name else (name, "", "")
        while name.casefold() in taken:
            number += 1
            name = f"{stem} ({number}){dot}{ending}"
        taken.add(name.casefold())
        names.append(name)
    return names
