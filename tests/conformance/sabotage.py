"""Software that gets one thing wrong, by the number of the point at which it must fail, and at no other."""

import re
import unicodedata
from dataclasses import replace

from node.conformance import checks
from node.model.envelope import PacketKind
from node.model.packet import Packet, ResponseFor
from node.sandbox.writing import packet_of
from tests.conformance.vendor import Vendor


def number_of(packet: Packet) -> str:
    found = re.match(r"KT(\d\d)", packet.header.subject)
    return found[1] if found else ""


class LeavesDocumentOnTheList(Vendor):
    async def handle(self, packet: Packet) -> bool:
        return await super().handle(packet) and number_of(packet) != "01"


class WithoutArrival(Vendor):
    def codes(self, packet: Packet) -> list[str]:
        return [code for code in super().codes(packet) if code != "01"]


class WithoutAcceptance(Vendor):
    """Only where it is asked for all of them, or every other point about taking documents would fail, too."""

    def codes(self, packet: Packet) -> list[str]:
        return [code for code in super().codes(packet) if code != "03" or number_of(packet) != "01"]


class WithoutAssignment(Vendor):
    def codes(self, packet: Packet) -> list[str]:
        return [code for code in super().codes(packet) if code != "04"]


class WithoutEnd(Vendor):
    def codes(self, packet: Packet) -> list[str]:
        return [code for code in super().codes(packet) if code != "06"]


class RefusesWithoutReason(Vendor):
    async def refuse(self, packet: Packet) -> None:
        await self.report(packet, "02", "")


class KeepsSilentWhenWithdrawn(Vendor):
    async def answer_withdrawal(self, packet: Packet) -> None:
        pass


class KeepsSilentWhenAskedBack(Vendor):
    async def answer_asked_back(self, packet: Packet) -> None:
        pass


def leaves(business: str) -> type[Vendor]:
    """Leave a packet lying, as many programs do if its BussinessDocType is not 0."""

    class Leaves(Vendor):
        async def handle(self, packet: Packet) -> bool:
            is_business = packet.bussiness is not None and packet.bussiness.bussiness_doc_type == business
            return False if is_business else await super().handle(packet)

    return Leaves


class RegistersTwice(Vendor):
    async def register(self, packet: Packet) -> None:
        self.registered.clear()
        await super().register(packet)


def chokes_on(number: str) -> type[Vendor]:
    class Chokes(Vendor):
        async def handle(self, packet: Packet) -> bool:
            return False if number_of(packet) == number else await super().handle(packet)

    return Chokes


class ComposesLetters(Vendor):
    """It stores texts in NFC, and so reports on a document that nobody knows."""

    def response_for(self, about: ResponseFor) -> ResponseFor:
        return replace(about, document_id=unicodedata.normalize("NFC", about.document_id))


class KnowsNewCodesOnly(Vendor):
    async def handle(self, packet: Packet) -> bool:
        if packet.kind is PacketKind.DOCUMENT and self.unit.code not in [one.organ_id for one in packet.header.to]:
            return True
        return await super().handle(packet)


class ReportsTodaysDate(Vendor):
    def response_for(self, about: ResponseFor) -> ResponseFor:
        return replace(about, promulgation_date="2020/01/01")


class SendsWithoutEnvelope(Vendor):
    async def write(self) -> None:
        await super().write()
        await self.send(
            b"".join(packet_of(self.letter("2"))).replace(b"<edXML:SteeringType>0<", b"<edXML:SteeringType>x<"), "edoc"
        )


class AttachesNothing(Vendor):
    async def write(self) -> None:
        await super().write()
        emptied = re.sub(rb"(<edXML:ContentTransferEncoded[^>]*>)[^<]*", rb"\1", b"".join(packet_of(self.letter("2"))))
        await self.send(emptied, "edoc")


class SaysNoSigner(Vendor):
    async def write(self) -> None:
        whole = b"".join(packet_of(self.letter("1")))
        await self.send(re.sub(rb"<edXML:SignerInfo>.*</edXML:SignerInfo>", b"", whole, flags=re.DOTALL), "edoc")


class UsesAnIdTwice(Vendor):
    async def write(self) -> None:
        first = self.letter("1")
        await self.send(b"".join(packet_of(first)), "edoc")
        await self.send(b"".join(packet_of(replace(self.letter("2"), document_id=first.own_id))), "edoc")


SABOTAGED: dict[int, type[Vendor]] = {
    checks.FETCHES: LeavesDocumentOnTheList,
    checks.ARRIVED: WithoutArrival,
    checks.ACCEPTED: WithoutAcceptance,
    checks.IN_HAND: WithoutAssignment,
    checks.DONE: WithoutEnd,
    checks.REFUSES: RefusesWithoutReason,
    checks.TAKEN_BACK: KeepsSilentWhenWithdrawn,
    checks.ASKED_BACK: KeepsSilentWhenAskedBack,
    checks.UPDATED: leaves("2"),
    checks.REPLACED: leaves("3"),
    checks.TWICE: RegistersTwice,
    checks.MINIMAL: chokes_on("12"),
    checks.FULL: chokes_on("13"),
    checks.CHARACTERS: ComposesLetters,
    checks.LARGEST: chokes_on("15"),
    checks.OLD_CODES: KnowsNewCodesOnly,
    checks.ABOUT: ReportsTodaysDate,
    checks.RULES: SendsWithoutEnvelope,
    checks.ATTACHMENTS: AttachesNothing,
    checks.INFORMATION: SaysNoSigner,
    checks.IDENTIFIERS: UsesAnIdTwice,
}
