"""Lengths of texts: the table of fields of NĐ 30/2020 Phụ lục VI. Programs cut off or refuse what is longer."""

from collections.abc import Callable, Iterable

from node.edxml.rules.rule import ND_30, Broken, Case, Rule, warning
from node.model.packet import Code, DocumentType, Packet, SignerInfo

Texts = Iterable[tuple[str, str]]


def _at_most(number: int, characters_max: int, texts_of: Callable[[Packet], Texts]) -> Rule:
    @warning(number, f"{ND_30} Phụ lục VI")
    def is_short_enough(case: Case) -> Broken:
        for path, text in texts_of(case.packet):
            if len(text) > characters_max:
                yield f"MessageHeader/{path}", f"Dài {len(text)} ký tự, quá {characters_max} ký tự quy định."

    return is_short_enough


def _code(packet: Packet) -> Code:
    return packet.header.code or Code()


def _signer(packet: Packet) -> SignerInfo:
    return packet.header.signer_info or SignerInfo()


def _names(packet: Packet) -> Texts:
    if packet.header.sender:
        yield "From/OrganName", packet.header.sender.organ_name
    for place, one in enumerate(packet.header.to, 1):
        yield f"To[{place}]/OrganName", one.organ_name


RULES = (
    _at_most(40, 500, lambda packet: [("Subject", packet.header.subject)]),
    _at_most(41, 11, lambda packet: [("Code/CodeNumber", _code(packet).code_number)]),
    _at_most(42, 30, lambda packet: [("Code/CodeNotation", _code(packet).code_notation)]),
    _at_most(43, 200, _names),
    _at_most(
        44,
        100,
        lambda packet: [("DocumentType/TypeName", (packet.header.document_type or DocumentType()).type_name)],
    ),
    _at_most(45, 100, lambda packet: [("SignerInfo/Position", _signer(packet).position)]),
    _at_most(46, 50, lambda packet: [("SignerInfo/FullName", _signer(packet).full_name)]),
)
