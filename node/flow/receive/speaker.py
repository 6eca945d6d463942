"""Speaker: may the node that signed an envelope say this of these units? One function, for everything that acts on a packet.

A node speaks for the units under its own prefixes: those that it holds, and those that it held when it signed (model/statement.py).
So what was on its way when a prefix went to another node is good; and so is what its former holder took before it had heard of that, within
the time for which a directory may be old. That gives a former holder nothing that it could not have: it may date a statement back, too.

The aliases of an envelope are only its origin's word, and a sender that calls itself by another's code would act on that other's
documents: so the code by which a packet calls its sender is one of the origin's own, or one that the holder of the code has listed as an
alias of the sender. If it is not listed the packet is refused without a receipt: our directory may be the older one, and the origin
tries again.

A status acts on a document of its addressee. A code by which it names that one and that we have not heard of is no name of any document
here, and is left out of what the packet is read by. All other aliases tell how the packet is addressed, and nobody acts by them.
"""

from collections.abc import Sequence
from dataclasses import replace

from node.errors import Denied
from node.model.code import Code, parse_code
from node.model.directory import Directory
from node.model.envelope import Envelope, PacketKind
from node.model.policy import DAY_MS
from node.model.reason import Reason
from node.model.statement import HEARD_WITHIN_MS, times_of

ALIAS_EARLY_MS = DAY_MS
"""A statement may be so much older than the beginning of the alias it uses: clocks differ, and editions travel."""


def require_speaker(envelope: Envelope, directory: Directory, now_ms: int, *, carries_only: bool) -> None:
    """Raise Denied(PEER_SPEAKS_FOR_OTHERS) unless the origin may speak for the sender, under the name that it uses.

    A relay (`carries_only`) asks for the first alone: it delivers nothing, and its directory may be the oldest.
    """
    times_ms = times_of(envelope.create_time_ms, now_ms)
    if not _speaks_for(directory, envelope.origin_node, parse_code(envelope.sender_unit), times_ms):
        raise Denied(Reason.PEER_SPEAKS_FOR_OTHERS, f"{envelope.origin_node} does not serve {envelope.sender_unit}")
    code, unit = envelope.sender_alias, envelope.sender_unit
    if code and not carries_only and not _may_name(envelope, directory, code, unit, times_ms):
        raise Denied(
            Reason.PEER_SPEAKS_FOR_OTHERS,
            f"{envelope.origin_node} calls {unit} by {code}, no alias of it in directory {directory.version}",
        )


def _speaks_for(directory: Directory, node_id: str, code: Code, times_ms: Sequence[int]) -> bool:
    if directory.speaks_for(node_id, code, times_ms):
        return True
    return any(directory.has_just_held(node_id, code, at_ms, HEARD_WITHIN_MS) for at_ms in times_ms)


def with_known_aliases(envelope: Envelope, directory: Directory, now_ms: int) -> Envelope:
    """Return the envelope of a status as it is read here: without codes of its addressee that are no aliases by our directory."""
    if envelope.kind is not PacketKind.STATUS or not envelope.aliases:
        return envelope
    times_ms = times_of(envelope.create_time_ms, now_ms)
    addressees = set(envelope.recipient_units) - {envelope.sender_unit}
    known = tuple(
        (code, unit)
        for code, unit in envelope.aliases
        if unit not in addressees or _may_name(envelope, directory, code, unit, times_ms)
    )
    return envelope if known == envelope.aliases else replace(envelope, aliases=known)


def _may_name(envelope: Envelope, directory: Directory, written: str, unit: str, times_ms: Sequence[int]) -> bool:
    """Tell whether a code is the origin's own, or listed for that unit from before the statement on.

    Listed in the past is enough: whether the alias held when the packet was submitted, the origin has judged.
    """
    code = parse_code(written)
    if _speaks_for(directory, envelope.origin_node, code, times_ms):
        return True
    alias = directory.alias(code)
    if alias is None or alias.unit != unit:
        return False
    return alias.valid_from_ms <= envelope.create_time_ms + ALIAS_EARLY_MS
