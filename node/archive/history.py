"""The history of a document: one event a line, in order of time, as CSV that spreadsheets open (QĐ 28/2018 Điều 10.2.p).

Texts come from outside: a cell that a spreadsheet would take for a formula gets an apostrophe in front.
"""

import csv
import io
from dataclasses import dataclass

from node.archive.facts import Facts, PacketFacts
from node.model.delivery import State
from node.wording import vietnamese
from node.wording.plain import iso_time
from node.wording.vietnamese import clean

COLUMNS = ("thời điểm", "đơn vị", "việc", "gói số", "nội dung")
BYTE_ORDER_MARK = "\ufeff"
"""Without it the usual spreadsheet takes UTF-8 for something else."""
_FORMULA = ("=", "+", "-", "@")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; time in milliseconds since 1970 UTC by this node's clock."""

    at_ms: int
    unit: str
    what: str
    number: int
    note: str


def events(facts: Facts) -> list[Event]:
    """Return all that happened, in order of time."""
    found = [event for one in facts.packets for event in _of_packet(one)]
    return sorted(found, key=lambda event: (event.at_ms, event.number))


def _of_packet(one: PacketFacts) -> list[Event]:
    entry = one.entry
    made = f"{one.title} (nút tự báo thay đơn vị)" if entry.by_node else one.title
    found = [Event(entry.accept_time_ms, entry.sender_unit, made, one.number, entry.note)]
    for view in one.track.deliveries if one.track else ():
        if view.state is State.DELIVERED:
            found.append(
                Event(
                    view.end_time_ms, view.unit, f"đã nhận {one.title}", one.number, f"biên nhận của nút {view.node_id}"
                )
            )
        elif view.state is State.FAILED:
            found.append(
                Event(
                    view.end_time_ms,
                    view.unit,
                    f"không nhận được {one.title}",
                    one.number,
                    vietnamese.cause(view.reason),
                )
            )
    return found


def as_csv(facts: Facts) -> str:
    """Return the history as a table."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for event in events(facts):
        cells = (iso_time(event.at_ms) or "", event.unit, event.what, str(event.number), event.note)
        writer.writerow([_cell(text) for text in cells])
    return BYTE_ORDER_MARK + out.getvalue()


def _cell(text: str) -> str:
    shown = clean(text)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown
