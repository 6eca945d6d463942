"""Lanes: urgency classes, so that nothing urgent waits behind something large."""

from enum import IntEnum


class Lane(IntEnum):
    """Urgency class, the most urgent first; numbers as in envelope.proto."""

    CONTROL = 1
    HOA_TOC = 2
    THUONG_KHAN = 3
    KHAN = 4
    NORMAL = 5
    BULK = 6

    @property
    def label(self) -> str:
        """Vietnamese name for people."""
        return _LABELS[self]


_LABELS = {
    Lane.CONTROL: "điều khiển",
    Lane.HOA_TOC: "hỏa tốc",
    Lane.THUONG_KHAN: "thượng khẩn",
    Lane.KHAN: "khẩn",
    Lane.NORMAL: "thường",
    Lane.BULK: "khối lớn",
}

_BY_PRIORITY = {0: Lane.NORMAL, 1: Lane.KHAN, 2: Lane.THUONG_KHAN, 3: Lane.HOA_TOC, 4: Lane.HOA_TOC}


def lane_of_priority(priority: int | None) -> Lane:
    """Return the lane of an edXML OtherInfo/Priority (0 normal, 1 khẩn, 2 thượng khẩn, 3 and 4 hỏa tốc); others are normal."""
    return _BY_PRIORITY.get(priority or 0, Lane.NORMAL)
