"""A vendor's software, as it should be: it speaks VXP, polls, registers, answers. sabotage.py overrides one method each."""

import asyncio
import base64
from dataclasses import replace
from datetime import datetime

from node.edxml.document import read_packet
from node.edxml.rules.units import canonical
from node.model.calendar import VIETNAM
from node.model.envelope import PacketKind
from node.model.packet import Code, Packet, PromulgationInfo, ResponseFor
from node.sandbox.cast import CONFORMANCE, Member
from node.sandbox.papers import Paper, status_of
from node.sandbox.writing import packet_of
from tests.web.sdk import Sdk

POLL_S = 0.7


class Vendor:
    """Software for one unit. `run` polls for ever."""

    def __init__(self, sdk: Sdk, unit: Member) -> None:
        self.sdk = sdk
        self.unit = unit
        self.registered: set[str] = set()

    async def run(self) -> None:
        await self.write()
        while True:
            await self.turn()
            await asyncio.sleep(POLL_S)

    async def turn(self) -> None:
        for kind in ("edoc", "status"):
            said = await self.sdk.call("getReceivedEdocList", servicetype="eDoc", messagetype=kind)
            self.sdk.close_lists()
            for row in said.json["data"]:
                await self.receive(row["docId"])

    async def receive(self, docket: str) -> None:
        said = await self.sdk.call("getEdoc", docId=docket, filePath="den")
        packet = read_packet(base64.b64decode(said.json["data"]))
        if await self.handle(packet):
            done = await self.sdk.call("updateStatus", docid=docket, status="done")
            assert done.ok, done.json

    async def handle(self, packet: Packet) -> bool:
        """Do what is to be done; return whether the packet may leave the list."""
        if packet.kind is PacketKind.STATUS:
            if packet.header.status_code == "13":
                await self.answer_asked_back(packet)
            return True
        business = packet.bussiness.bussiness_doc_type if packet.bussiness else "0"
        if business == "1":
            await self.answer_withdrawal(packet)
        elif business in ("0", "3"):
            await self.register(packet)
        return True

    async def register(self, packet: Packet) -> None:
        if "TỪ CHỐI" in packet.header.subject:
            await self.refuse(packet)
            return
        if packet.header.document_id in self.registered:
            return
        self.registered.add(packet.header.document_id)
        for code in self.codes(packet):
            await self.report(packet, code)

    def codes(self, packet: Packet) -> list[str]:
        return ["01", "03", "04", "05", "06"] if "hoàn thành" in packet.header.subject else ["01", "03"]

    async def refuse(self, packet: Packet) -> None:
        await self.report(packet, "02", "Không thuộc thẩm quyền")

    async def answer_withdrawal(self, packet: Packet) -> None:
        await self.report(packet, "15", "Đã hủy văn bản")

    async def answer_asked_back(self, packet: Packet) -> None:
        last = packet.header.response_for[-1]
        sender = packet.header.sender
        assert sender is not None
        await self.send_status(replace(last, organ_id=sender.organ_id), "16", "Đã giải quyết xong")

    async def report(self, packet: Packet, code: str, note: str = "") -> None:
        header = packet.header
        assert header.sender is not None
        date = (header.promulgation_info or PromulgationInfo()).promulgation_date
        about = ResponseFor(header.sender.organ_id, (header.code or Code()).text, header.document_id, date)
        await self.send_status(self.response_for(about), code, note)

    def response_for(self, about: ResponseFor) -> ResponseFor:
        return about

    async def send_status(self, about: ResponseFor, code: str, note: str) -> None:
        await self.send(status_of(self.unit, about, code, note, now_ms()), "status")

    async def write(self) -> None:
        await self.send(b"".join(packet_of(self.letter("1"))), "edoc")

    def letter(self, number: str) -> Paper:
        return Paper(self.unit, CONFORMANCE, number, "UBND-VX", "V/v thử nghiệm", now_ms())

    async def send(self, packet: bytes, kind: str) -> None:
        await self.sdk.send_edoc(packet, messagetype=kind, **{"from": self.unit.code})

    def is_mine(self, code: str) -> bool:
        return canonical(code) == self.unit.code


def now_ms() -> int:
    return int(datetime.now(VIETNAM).timestamp() * 1000)
