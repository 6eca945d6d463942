"""Aliases: which units a packet means by the codes it writes (decision 0010). Pure.

A code in a packet is a unit's own or an alias of one; the origin's directory says which, and of whom, when the packet is submitted.
The origin writes what it found into the signed envelope (`Envelope.aliases`), and from then on everybody reads the packet by that: an
alias that ends on the road, or that a recipient's directory does not have yet, changes nothing. Only units are stored, routed and
compared; the packet keeps its octets.
"""

from collections.abc import Iterable

from node.errors import Rejected
from node.flow.document.acts import is_report, named_besides_to
from node.model.calendar import moment_of
from node.model.code import Code, parse_code
from node.model.directory import Directory
from node.model.envelope import Envelope
from node.model.header import PacketHeader
from node.model.office import System


def aliases_in(header: PacketHeader, directory: Directory, now_ms: int) -> dict[str, str]:
    """Return the aliases by which a packet names its sender and its recipients, in order of code: code -> unit, both canonical.

    A report names the author as the document did, perhaps by an alias that has ended since: it still means that unit (decision 0017).
    """
    found: dict[str, str] = {}
    answered = set(header.recipients) if is_report(header) else set()
    for written in dict.fromkeys((header.sender, *header.recipients, *named_besides_to(header))):
        try:
            code = parse_code(written)
        except Rejected:
            continue  # routing names the text as refused (submit/check.py)
        unit = directory.resolve(code, now_ms)
        if unit == code and written in answered:
            unit = directory.stood_for(code, now_ms)
        if unit != code:
            found[code.text] = unit.text
    return dict(sorted(found.items()))


def names_of(aliases: Iterable[tuple[str, str]], unit: str) -> tuple[str, ...]:
    """Return the codes by which a packet with these aliases means a unit: its own first.

    A code may have been a unit itself before it became an alias. Documents from then lie under it, and a packet that still calls its
    author or recipient so is about them.
    """
    return (unit, *(code for code, meant in aliases if meant == unit))


def sender_names(envelope: Envelope) -> tuple[str, ...]:
    """Return the codes under which the sender of a packet may have or be known for a document: its own, and the one it is called by.

    Not every alias that the envelope gives it: what it calls itself is verified (receive/speaker.py), what it is addressed by is not.
    """
    return (envelope.sender_unit, *([envelope.sender_alias] if envelope.sender_alias else []))


def why_unknown(code: Code, directory: Directory, now_ms: int) -> str:
    """Say why a code is no open unit's and leads to none, and which code to write instead, if the directory knows one."""
    unit, alias = directory.unit(code), directory.alias(code)
    if alias is not None and not alias.holds_at(now_ms):
        is_over = now_ms >= alias.valid_from_ms
        when = (
            f"stood for {alias.unit} until {_day(alias.valid_to_ms)}"
            if is_over
            else f"stands for {alias.unit} only from {_day(alias.valid_from_ms)}"
        )
        return f"{code} {when}; write {alias.unit}"
    if alias is not None:
        return f"{code} stands for {alias.unit}, which is no open unit in the directory"
    if unit is not None and now_ms < unit.valid_from_ms:
        return f"unit {code} begins only on {_day(unit.valid_from_ms)}"
    if unit is not None:
        successor = f", its successor is {unit.successor}" if unit.successor else ""
        return f"unit {code} is closed{successor}"
    return f"no unit {code} in the directory"


def _day(time_ms: int) -> str:
    return moment_of(time_ms).strftime("%d/%m/%Y %H:%M")


def meant_by(system: System, unit: str, directory: Directory, now_ms: int) -> str:
    """Return the unit that a system names in a request, also by an alias; "" if it names none. Raises Rejected(CODE_MALFORMED).

    A code of the system's own units means that unit even if it has become another's alias: what came to it before is still there.
    """
    if not unit:
        return ""
    code = parse_code(unit)
    return code.text if code.text in system.units else directory.resolve(code, now_ms).text


def author_names(author: str, directory: Directory, now_ms: int) -> tuple[str, ...]:
    """Return under which codes an author's dossiers may lie: as it is called, and as the unit that is meant today."""
    if not author:
        return ()
    code = parse_code(author)
    return tuple(dict.fromkeys((code.text, directory.resolve(code, now_ms).text)))
