"""Statuses of edXML (trạng thái xử lý): their names, and which one a view shows.

Statuses come out of order, repeated and with gaps (domain.md 4.4). The view shows the furthest one and never goes back; the
history keeps them all (QĐ 28/2018 Điều 10.2.p).
"""

from collections.abc import Iterable
from dataclasses import dataclass

STATUS_NAMES: dict[str, str] = {
    "01": "đã đến",
    "02": "từ chối nhận",
    "03": "đã tiếp nhận",
    "04": "đã phân công",
    "05": "đang xử lý",
    "06": "đã hoàn thành",
    "13": "lấy lại",
    "15": "đồng ý lấy lại/cập nhật",
    "16": "từ chối lấy lại/cập nhật",
}
"""Codes of QCVN 102 with the names of QĐ 28/2018 Điều 10.2.h."""

_RANK = {"01": 1, "03": 3, "04": 4, "05": 5, "06": 6, "02": 7, "16": 8, "15": 9}


@dataclass(frozen=True, slots=True)
class StatusEvent:
    """One status as a recipient unit reported it; `accept_time_ms` by this node's clock."""

    code: str
    unit: str
    description: str
    timestamp_text: str
    accept_time_ms: int
    packet_id: bytes
    answers_packet_id: bytes = b""


def shown_status(codes: Iterable[str]) -> str:
    """Return the code that a view shows: the furthest one known; unknown codes count least. "" if there are none."""
    return max(codes, key=lambda code: (_RANK.get(code, 0), code), default="")


def status_name(code: str) -> str:
    """Return the Vietnamese name of a code, or the code itself if it is none of the standard's."""
    return STATUS_NAMES.get(code, code)
