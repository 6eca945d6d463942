"""Packet files of any size: read, and judged by all rules in one pass."""

from pathlib import Path
from typing import TYPE_CHECKING

from node.cli.command import now_ms
from node.errors import Rejected
from node.model.finding import Finding
from node.model.reason import Reason

if TYPE_CHECKING:
    from node.model.packet import Packet


def read(path: Path) -> "Packet":
    """Read a packet file of any size. Raises Rejected for what is no packet, REQUEST_INVALID for what is no file."""
    from node.edxml.document import read_packet

    try:
        return read_packet(path)
    except OSError as error:
        raise Rejected(Reason.REQUEST_INVALID, f"{path}: {error.strerror}") from error


def judged(path: Path) -> list[Finding]:
    """Return what all rules find in a packet file of any size. Raises as `read`."""
    from node.edxml.judging import judge

    try:
        return judge(path, now_ms())[1]
    except OSError as error:
        raise Rejected(Reason.REQUEST_INVALID, f"{path}: {error.strerror}") from error
