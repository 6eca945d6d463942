"""What an expiry means.

L-expired: a final EXPIRED means that no inbox has the packet, or ever gets it. Only the recipient's node can know that; so the author
may be told EXPIRED for good when that node has signed that it has not and will not take it. Until then the failure is called
EXPIRED_UNCONFIRMED (where there is that reason): an inbox may have it, and the law asks nothing.

L-supersede: a DELIVERED after EXPIRED_UNCONFIRMED wins. At rest every road is open again and all questions are answered, so nothing that
an inbox has is still called unconfirmed. (That nothing else may follow a final state, the ledger notes at once.)
"""

from node.model.delivery import State
from node.model.reason import Reason
from tests.sim.both_sides import Sides
from tests.sim.ledger import Ledger

EXPIRED_LAW, SUPERSEDE_LAW = "L-expired", "L-supersede"


def check_expired(sides: Sides, ledger: Ledger) -> None:
    """Ask both sides: what the author was told, and what inboxes have or offices have seen."""
    for packet_id, unit, reason in _failed(sides, ledger):
        if reason is not Reason.EXPIRED:
            continue
        holders = sides.holders((packet_id, unit))
        if holders or (unit, packet_id) in ledger.received:
            seen = "an office has read it" if not holders else f"{holders} have it"
            ledger.breaks(EXPIRED_LAW, f"{packet_id.hex()} for {unit}: the author was told EXPIRED, {seen}")


def check_superseded(sides: Sides, ledger: Ledger) -> None:
    """Nothing that was delivered is called unconfirmed at rest."""
    for packet_id, unit, reason in _failed(sides, ledger):
        holders = sides.holders((packet_id, unit))
        if ledger.unconfirmed is not None and reason is ledger.unconfirmed and holders:
            ledger.breaks(SUPERSEDE_LAW, f"{packet_id.hex()} for {unit}: {reason.name} at rest, and {holders} have it")


def _failed(sides: Sides, ledger: Ledger) -> list[tuple[bytes, str, Reason]]:
    """Return what authors were told, by Track to offices or in the rows of what nodes have sent themselves."""
    told = {(packet_id, unit): ledger.reasons[packet_id, unit] for packet_id, unit in ledger.finals}
    rows = {
        name: Reason(record.reason)
        for name, (_, record) in sides.origins.items()
        if State(record.state) is State.FAILED
    }
    failed = {**rows, **{name: reason for name, reason in told.items() if reason is not Reason.NONE}}
    return [(packet_id, unit, reason) for (packet_id, unit), reason in sorted(failed.items())]
