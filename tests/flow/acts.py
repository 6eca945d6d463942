"""Packets about a document that is there already (update, withdrawal, replacement), and two places between which they are carried by
hand: the test decides what comes when, and does not let come what it does not name."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from node.edxml.write import write_packet
from node.errors import Deferred
from node.model.envelope import PacketKind
from node.model.life import Dossier, LifeState
from node.model.mesh import PushPacket, PushReceipt
from node.model.office import DeliveryView
from node.model.packet import (
    Bussiness,
    BussinessDocumentInfo,
    Code,
    MessageHeader,
    Organ,
    OrganIdList,
    Packet,
    Receiver,
    ReceiverList,
    ReplacementInfo,
    ReplacementInfoList,
    TraceHeaderList,
)
from node.model.policy import Policy
from node.model.reason import Reason
from node.wire import codec
from tests.flow.support import Place, place
from tests.papers import status_about

MINISTRY, UNIT = "G14", "H49.22"


def id_of(number: str, sender: str = MINISTRY) -> str:
    """The DocumentId that `papers.document` gives a number."""
    return f"{sender},2026/11/22,{number}/BM-VP"


def act(
    kind: int, to: Sequence[str], number: str = "123", *, own_id: str = "", reason: str = "", **more: object
) -> bytes:
    """A packet of BussinessDocType `kind` about the document of that number; `own_id` is a DocumentId of its own."""
    about = id_of(number)
    business = Bussiness(about if kind != 3 else "", str(kind), reason, **more)  # type: ignore[arg-type]
    header = MessageHeader(
        sender=Organ(MINISTRY, organ_name="Bộ mẫu"),
        to=tuple(Organ(code) for code in to),
        document_id=own_id or about,
        code=Code(number, "BM-VP"),
        subject="V/v thử nghiệm",
    )
    packet = Packet(PacketKind.DOCUMENT, header, TraceHeaderList(bussiness=business), references=())
    return b"".join(write_packet(packet))


def withdrawal(*to: str, number: str = "123", **more: str) -> bytes:
    return act(1, to or (UNIT,), number, reason="gửi nhầm", **more)


def update(*to: str, number: str = "123", added: Sequence[str] = (), dropped: Sequence[str] = (), **more: str) -> bytes:
    receivers = (*(Receiver(code, "1") for code in added), *(Receiver(code, "0") for code in dropped))
    info = BussinessDocumentInfo("1", "1" if receivers else "0", ReceiverList(receivers) if receivers else None)
    return act(2, to or (UNIT,), number, bussiness_document_infos=(info,), **more)


def replacement(*to: str, number: str, replaced: str = "123", had_gone_to: Sequence[str] = ()) -> bytes:
    info = ReplacementInfo(id_of(replaced), OrganIdList(tuple(had_gone_to)) if had_gone_to else None)
    return act(3, to or (UNIT,), number, replacement_info_lists=(ReplacementInfoList((info,)),))


def ask_back(to: str = UNIT, number: str = "123") -> bytes:
    """Status 13 of the author's; to itself as a .NET program has it, if `to` is the ministry."""
    packet = status_about(number, "13", sender=MINISTRY, author=to)
    # The document is the author's own, whomever the status is addressed to.
    return packet.replace(id_of(number, to).encode(), id_of(number).encode())


@dataclass
class Pair:
    """A ministry and a province with their packets carried by hand. Neither reports 01 unless a test wants that."""

    ministry: Place = field(default_factory=lambda: place("g14", Policy(arrival=False)))
    province: Place = field(default_factory=lambda: place("h49", Policy(arrival=False)))

    async def submit(self, packet: bytes, name: str) -> PushPacket:
        """Let the ministry submit a packet; return it as it travels to the province."""
        self.ministry.clock.at_ms += 10
        packet_id = (await self.ministry.submit(packet, name)).packet_id
        return (await _under_way(self.ministry, "h49"))[packet_id]

    async def come(self, *items: PushPacket) -> None:
        """Let packets come to the province, one after the other, and the ministry have the receipts."""
        for item in items:
            await _hand_over(item, self.ministry, "g14", self.province, "h49")

    async def send(self, packet: bytes, name: str) -> bytes:
        """Submit, carry, deliver; return the packet id."""
        item = await self.submit(packet, name)
        await self.come(item)
        return id_in(item)

    async def work(self) -> list[str]:
        """Let the province's duty loop do what is owed, and all its statuses come to the ministry; return their codes."""
        duty_loop = self.province.duty_loop()
        while not await duty_loop.work():
            pass
        return await self.carry_back()

    async def answer(
        self, code: str, number: str = "123", *, unit: str = UNIT, name: str = "", about: str = ""
    ) -> None:
        """Let the province's software report a status, and the ministry have it."""
        packet = status_about(number, code, sender=unit)
        packet = packet.replace(id_of(number).encode(), about.encode()) if about else packet
        self.province.clock.at_ms += 10
        await self.province.submit(packet, name or f"{code}-{number}-{unit}")
        await self.carry_back()

    async def carry_back(self) -> list[str]:
        """Let what the province has for the ministry come there; return the codes of the statuses."""
        before = {entry.packet_id for entry in await self.ministry.inbox()}
        for item in (await _under_way(self.province, "g14")).values():
            await _hand_over(item, self.province, "h49", self.ministry, "g14")
        return sorted(entry.status_code for entry in await self.ministry.inbox() if entry.packet_id not in before)

    async def inbox(self, unit: str = UNIT) -> list[bytes]:
        """Packet ids in a unit's inbox, in order of acceptance."""
        entries = sorted(await self.province.inbox(unit), key=lambda entry: entry.accept_time_ms)
        return [entry.packet_id for entry in entries]

    async def read(self, packet_id: bytes, unit: str = UNIT) -> None:
        """Let the unit's software fetch a packet."""
        await self.province.fetch(packet_id, unit)

    async def views(self, name: str = "1") -> dict[str, DeliveryView]:
        """Return the author's Track, by unit."""
        return {view.unit: view for view in (await self.ministry.track(name)).deliveries}

    async def dossier(self, unit: str = UNIT, number: str = "123") -> Dossier:
        """The document's life as a unit of the province sees it."""
        return await self.province.node.dossier(self.province.system, unit, MINISTRY, id_of(number))

    async def both_say(self, state: LifeState, *, name: str = "1", number: str = "123", unit: str = UNIT) -> bytes:
        """Check that author and recipient agree; return the packet that the author is told of."""
        view, theirs = (await self.views(name))[unit], await self.dossier(unit, number)
        assert (view.life, theirs.life) == (state, state)
        return view.life_packet_id


def id_in(item: PushPacket) -> bytes:
    """The packet id of a packet under way."""
    return codec.decode_envelope(item.parcel.signed_envelope.envelope).packet_id


async def _under_way(here: Place, peer: str) -> dict[bytes, PushPacket]:
    """All that waits for a peer, as it would travel. Nobody answers, so it waits on."""
    here.peers.pushed.clear()
    with suppress(Deferred):
        await here.carry(peer)
    return {id_in(item): item for _, items in here.peers.pushed for item in items if isinstance(item, PushPacket)}


async def _hand_over(item: PushPacket, here: Place, by: str, there: Place, peer: str) -> None:
    there.clock.at_ms += 10
    [answer] = await there.push(item, by=by)
    assert answer.receipt is not None, answer
    [taken] = await here.push(PushReceipt(answer.receipt), by=peer)
    assert taken.reason is Reason.NONE, taken
