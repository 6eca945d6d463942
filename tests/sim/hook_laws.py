"""The laws of telling (node/flow/webhooks/notices.py).

When the addresses are up at last, each has heard of each event, by itself or by a LOOK that came after it;
a repeat is what was sent before; and nothing is told that has not happened.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from node.model.webhook import NoticeKind
from tests.sim.ledger import Ledger
from tests.sim.world import World


@dataclass(frozen=True)
class Event:
    """An event as the system itself has seen it."""

    kind: NoticeKind
    unit: str
    packet_id: bytes

    @property
    def name(self) -> tuple[str, str, str]:
        """As a notice says it."""
        return (self.kind.word, self.unit, self.packet_id.hex())


def check_hooks(world: World, ledger: Ledger, *, clocks_jump: bool) -> None:
    """Check what the addresses have heard against what their systems have seen."""
    for name, machine in world.machines.items():
        receiver = machine.receiver
        if receiver is None:
            continue
        notices = list(receiver.notices.values())
        for what in receiver.broken:
            ledger.breaks("hook", f"{name}: {what}")
        looks = [notice["time_ms"] for notice in notices if notice["kind"] == NoticeKind.LOOK.word]
        told = Counter((n["kind"], n["unit"], n["packet_id"]) for n in notices if n["kind"] != NoticeKind.LOOK.word)
        happened: dict[Event, list[int]] = {}
        for event, time_ms in _events(ledger, name, receiver.system.units):
            happened.setdefault(event, []).append(time_ms)
        for event, times_ms in happened.items():
            missing = len(times_ms) - told[event.name]
            # A LOOK covers what came before it; which of equal events it was does not matter.
            looked = sum(1 for time_ms in times_ms if any(clocks_jump or look >= time_ms for look in looks))
            if missing > looked:
                ledger.breaks("hook", f"{name}: was not told of {event.name}, {missing} of {len(times_ms)} times")
        known = {event.name for event in happened}
        for invented in sorted(set(told) - known):
            if not _may_have_gone_unseen(invented):
                ledger.breaks("hook", f"{name}: was told of {invented}, which nobody has seen")


def _events(ledger: Ledger, name: str, units: frozenset[str]) -> Iterator[tuple[Event, int]]:
    """Yield what concerns the system of a node, each with the node's own time of it."""
    for (unit, packet_id), received in ledger.received.items():
        if received.node_id == name and unit in units:
            yield Event(NoticeKind.ARRIVED, unit, packet_id), received.entry.accept_time_ms
    for sent in ledger.sent.values():
        view = ledger.views.get(sent.result.packet_id)
        if sent.node_id != name or view is None:
            continue
        for delivery in view.deliveries:
            if delivery.state.is_final:
                yield Event(NoticeKind.ENDED, delivery.unit, view.packet_id), delivery.end_time_ms
            for event in delivery.statuses:
                yield Event(NoticeKind.REPORTED, delivery.unit, view.packet_id), event.accept_time_ms


def _may_have_gone_unseen(notice: tuple[str, str, str]) -> bool:
    """A packet may be taken back before anybody has looked into the inbox."""
    return notice[0] == NoticeKind.ARRIVED.word
