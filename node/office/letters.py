"""Letters: a form (a small TOML file) or options become a packet file, whole or not at all; what the rules refuse is not written."""

import re
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from node.edxml.attach import NewAttachment, attach_file
from node.edxml.letter import File, Letter, letter_of, packet_of_letter
from node.edxml.write import Content, write_packet
from node.errors import Broken, Rejected
from node.model.finding import Finding, RulesBroken, require_no_errors
from node.model.packet import Packet
from node.model.reason import Reason
from node.office.packet_file import judged


def read_letter(path: Path) -> Letter:
    """Read a letter's TOML file; files to attach are sought beside it. Raises Rejected(REQUEST_INVALID)."""
    try:
        table = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise Rejected(Reason.REQUEST_INVALID, f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Rejected(Reason.REQUEST_INVALID, f"{path}: tệp không viết bằng UTF-8; hãy lưu lại bằng UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"at line (\d+), column (\d+)", str(error))
        at = f"dòng {where[1]}, cột {where[2]}: " if where else ""
        hint = 'viết không đúng dạng; mỗi dòng là tên_mục = "giá trị", chữ đặt trong ngoặc kép'
        raise Rejected(Reason.REQUEST_INVALID, f"{path}: {at}{hint} ({str(error).partition(' (at')[0]})") from error
    letter = letter_of(table)
    beside = [replace(one, path=str(path.parent / one.path)) for one in letter.attachments]
    return replace(letter, attachments=tuple(beside))


def make(letter: Letter, aim: Path, at: datetime) -> list[Finding]:
    """Write the packet of a letter, unless it breaks a rule; return what the rules found. `at` is now in Vietnam.

    Raises Rejected(REQUEST_INVALID) for what is no date or file, Broken(IO_FAILED) if it cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="truc-") as scratch:
        files = [attached(one, Path(scratch)) for one in letter.attachments]
        return write(packet_of_letter(letter, at, files), [one.content for one in files], aim, at)


def write(packet: Packet, contents: Sequence[Content], aim: Path, at: datetime) -> list[Finding]:
    """Write a packet into a file, whole or not at all; return what the rules found. With an error nothing is written."""
    part = aim.with_name(aim.name + ".part")
    try:
        with part.open("wb") as out:
            for piece in write_packet(packet, contents):
                out.write(piece)
        found = judged(part, round(at.timestamp() * 1000))
        require_no_errors(found)
        part.replace(aim)
    except RulesBroken as broken:
        return list(broken.findings)
    except OSError as error:
        raise Broken(Reason.IO_FAILED, f"{aim}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    return found


def attached(file: File, scratch: Path) -> NewAttachment:
    """Make an attachment of a file. Raises Rejected(REQUEST_INVALID) if it cannot be read."""
    try:
        return attach_file(Path(file.path), scratch, file.name, file.description)
    except OSError as error:
        raise Rejected(Reason.REQUEST_INVALID, f"{file.path}: {error.strerror}") from error
