"""Lanes: urgency classes, so that nothing urgent waits behind something large.

Urgency and size are two things. Small things travel in Pushes, in the lane of their urgency. A thing too large for a Push travels by
itself, beside the Pushes, so nothing small waits behind it; and it has lanes of its own, so that what is urgent goes first among the large.
In an inbox size counts for nothing. Between nodes, and in what programs are told, the large lanes are one number, 6, with the urgency in a
field beside it (node/wire/lane.py, decision 0018).
"""

from enum import IntEnum


class Lane(IntEnum):
    """Urgency class. Numbers to 6 as in envelope.proto, the most urgent first; those above are only in keys of outboxes."""

    CONTROL = 1
    HOA_TOC = 2
    THUONG_KHAN = 3
    KHAN = 4
    NORMAL = 5
    BULK = 6
    """Large and not urgent, as far as is known: an origin of an older version does not say."""
    BULK_HOA_TOC = 7
    BULK_THUONG_KHAN = 8
    BULK_KHAN = 9

    @property
    def label(self) -> str:
        """Vietnamese name for people."""
        return _LABELS[self]

    @property
    def is_bulk(self) -> bool:
        """Tell whether what is in this lane is too large for a Push."""
        return self is Lane.BULK or self in _URGENCY

    @property
    def urgency(self) -> "Lane | None":
        """Lane of what is small and as urgent as what is in this lane of the large; None for any other lane."""
        return _URGENCY.get(self)

    @property
    def in_inbox(self) -> "Lane":
        """Lane of the same thing in an inbox, where a large urgent one lies among the urgent."""
        return _URGENCY.get(self, self)


_LABELS = {
    Lane.CONTROL: "điều khiển",
    Lane.HOA_TOC: "hỏa tốc",
    Lane.THUONG_KHAN: "thượng khẩn",
    Lane.KHAN: "khẩn",
    Lane.NORMAL: "thường",
    Lane.BULK: "khối lớn",
    Lane.BULK_HOA_TOC: "khối lớn, hỏa tốc",
    Lane.BULK_THUONG_KHAN: "khối lớn, thượng khẩn",
    Lane.BULK_KHAN: "khối lớn, khẩn",
}
_URGENCY = {
    Lane.BULK_HOA_TOC: Lane.HOA_TOC,
    Lane.BULK_THUONG_KHAN: Lane.THUONG_KHAN,
    Lane.BULK_KHAN: Lane.KHAN,
}
_BULK = {urgency: lane for lane, urgency in _URGENCY.items()}

_BY_PRIORITY = {0: Lane.NORMAL, 1: Lane.KHAN, 2: Lane.THUONG_KHAN, 3: Lane.HOA_TOC, 4: Lane.HOA_TOC}


def lane_of_priority(priority: int | None) -> Lane:
    """Return the lane of an edXML OtherInfo/Priority (0 normal, 1 khẩn, 2 thượng khẩn, 3 and 4 hỏa tốc); others are normal."""
    return _BY_PRIORITY.get(priority or 0, Lane.NORMAL)


def bulk_lane(urgency: Lane | None) -> Lane:
    """Return the lane of what is large and so urgent; all that is not urgent has one of its own."""
    return _BULK.get(urgency or Lane.NORMAL, Lane.BULK)
