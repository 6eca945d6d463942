"""The story: a document travels from a ministry to a commune, and its status comes back. Read this first.

Nothing is mocked but the line between the nodes: see small_mesh.py.
"""

import asyncio

import pytest

from node.edxml.compose import compose_status
from node.errors import Denied, Rejected
from node.flow.send.receipts import believe
from node.model.delivery import State
from node.model.envelope import PacketKind
from node.model.life import LifeState
from node.model.office import InboxEntry
from node.model.reason import Reason
from node.model.receipt import Level
from tests.papers import document
from tests.small_mesh import SmallMesh, eventually, small_mesh


async def delivered(mesh: SmallMesh, sender: str, submission_id: str = "1") -> bool:
    view = await mesh[sender].track(submission_id)
    return all(delivery.state is State.DELIVERED for delivery in view.deliveries)


async def both_statuses(mesh: SmallMesh) -> list[InboxEntry]:
    entries = await mesh["g14"].inbox("G14")
    return entries if {entry.status_code for entry in entries} == {"01", "06"} else []


def test_a_document_reaches_a_commune_and_its_status_comes_back() -> None:
    async def story() -> None:
        async with small_mesh() as mesh:
            # The ministry's software hands a packet in, and names the commune by the older form of its code.
            packet = document("000.05.22.H49", attachments=[("công văn.pdf", b"%PDF-1.7 noi dung")])
            result = await mesh["g14"].submit(packet)
            assert result.reason is Reason.NONE
            assert result.recipients_served == 1

            # The commune finds it in its inbox and fetches exactly the octets that the ministry made.
            [entry] = await eventually(lambda: mesh["h49"].inbox("H49.22.05"))
            assert entry.subject == "V/v thử nghiệm"
            assert entry.document_code == "123/BM-VP"
            assert await mesh["h49"].fetch(entry.packet_id, "H49.22.05") == packet
            assert await mesh["h49"].node.acknowledge(mesh["h49"].system, [entry.packet_id], "H49.22.05") == 1
            assert await mesh["h49"].inbox("H49.22.05") == []

            # The ministry sees it delivered, by a receipt that the province's node has signed.
            await eventually(lambda: delivered(mesh, "g14"))
            [delivery] = (await mesh["g14"].track()).deliveries
            assert delivery.signed_receipt is not None
            directory = mesh["g14"].ports.directory.current()
            receipt = believe(delivery.signed_receipt, directory, now_ms=mesh["g14"].ports.clock.now_ms()).receipt
            assert (receipt.signer_node, receipt.level) == ("h49", Level.DELIVERED)

            # The commune reports that it is done; the ministry sees the status beside the document, and has the packet.
            status = compose_status(
                sender="H49.22.05",
                sender_name="Phường mẫu 5",
                author="G14",
                document_id="G14,2026/11/22,123/BM-VP",
                code="123/BM-VP",
                date="2026/11/22",
                status_code="06",
                description="Hoàn thành",
                timestamp="2026/11/23 08:00:00",
            )
            await mesh["h49"].submit(status, "status-1")
            statuses = await eventually(lambda: both_statuses(mesh))
            assert {entry.kind for entry in statuses} == {PacketKind.STATUS}
            [delivery] = (await mesh["g14"].track()).deliveries
            assert (delivery.status_code, delivery.life) == ("06", LifeState.IN_FORCE)
            words = {event.code: event.description for event in delivery.statuses}
            assert words["06"] == "Hoàn thành"
            assert "nút báo tự động" in words["01"], "the province's node has sent that one by itself, on arrival"

    asyncio.run(story())


def test_one_packet_to_many_is_carried_once_per_node() -> None:
    async def story() -> None:
        async with small_mesh() as mesh:
            packet = document("H49", "H49.22", "H49.22.05", "H37.10", "G14.01")
            await mesh["g14"].submit(packet)
            await eventually(lambda: delivered(mesh, "g14"))
            carried = [push for push in mesh.board.pushes if push[0] == "g14"]
            assert sorted(carried) == [("g14", "h37", 1), ("g14", "h49", 1)]
            for office, units in (("h49", ("H49", "H49.22", "H49.22.05")), ("h37", ("H37.10",)), ("g14", ("G14.01",))):
                for unit in units:
                    [entry] = await mesh[office].inbox(unit)
                    assert await mesh[office].fetch(entry.packet_id, unit) == packet

    asyncio.run(story())


def test_a_repeat_is_harmless_and_another_packet_under_the_same_id_is_refused() -> None:
    async def story() -> None:
        async with small_mesh() as mesh:
            packet = document("H49.22")
            first = await mesh["g14"].submit(packet)
            assert await mesh["g14"].submit(packet) == first
            with pytest.raises(Rejected) as refused:
                await mesh["g14"].submit(document("H49.22", number="124"))
            assert refused.value.reason is Reason.ID_REUSED
            await eventually(lambda: delivered(mesh, "g14"))
            assert len(await mesh["h49"].inbox("H49.22")) == 1

    asyncio.run(story())


def test_an_unknown_recipient_is_named_at_once_while_the_others_are_served() -> None:
    async def story() -> None:
        async with small_mesh() as mesh:
            result = await mesh["g14"].submit(document("H49.22", "H49.99", "Z00"))
            assert [(one.code, one.reason) for one in result.refused] == [
                ("H49.99", Reason.RECIPIENT_UNKNOWN),
                ("Z00", Reason.RECIPIENT_UNKNOWN),
            ]
            await eventually(lambda: delivered(mesh, "g14"))
            with pytest.raises(Rejected) as refused:
                await mesh["g14"].submit(document("H49.22", "H49.99"), "2", all_or_nothing=True)
            assert refused.value.reason is Reason.NOT_ALL_SERVED

    asyncio.run(story())


def test_a_system_sends_only_for_its_own_units_and_reads_only_theirs() -> None:
    async def story() -> None:
        async with small_mesh() as mesh:
            with pytest.raises(Denied) as refused:
                await mesh["h37"].submit(document("H49.22", sender="G14"))
            assert refused.value.reason is Reason.UNIT_NOT_OWNED
            with pytest.raises(Denied):
                await mesh["h37"].node.list_inbox(mesh["h37"].system, "H49.22", 10, "")

    asyncio.run(story())


def test_two_nodes_that_cannot_reach_each_other_meet_through_the_centre_which_cannot_read() -> None:
    async def story() -> None:
        async with small_mesh() as mesh:
            mesh.cut("g14", "h49")
            packet = document("H49.22.06", subject="Nội dung không ai được đọc")
            await mesh["g14"].submit(packet)
            [entry] = await eventually(lambda: mesh["h49"].inbox("H49.22.06"))
            assert await mesh["h49"].fetch(entry.packet_id) == packet
            await eventually(lambda: delivered(mesh, "g14"))
            [delivery] = (await mesh["g14"].track()).deliveries
            assert delivery.relay_node == "centre"
            rows = mesh["centre"].ports.store.rows_after_crash(10**9)  # type: ignore[attr-defined]
            assert not any("Nội dung không ai".encode() in value for value in rows.values())

    asyncio.run(story())


def test_a_waiting_delivery_says_why_and_arrives_when_the_peer_is_back() -> None:
    async def story() -> None:
        async with small_mesh() as mesh:
            for other in ("g14", "centre"):
                mesh.cut(other, "h49")
            await mesh["g14"].submit(document("H49.22.06"))

            async def says_why() -> bool:
                [delivery] = (await mesh["g14"].track()).deliveries
                return delivery.state is State.WAITING and delivery.reason in (
                    Reason.PEER_UNREACHABLE,
                    Reason.IN_CUSTODY,
                )

            await eventually(says_why)
            mesh.join("g14", "h49")
            await eventually(lambda: delivered(mesh, "g14"))

    asyncio.run(story())


def test_a_large_packet_flows_and_arrives_octet_for_octet() -> None:
    async def story() -> None:
        async with small_mesh() as mesh:
            packet = document("H49.22", attachments=[("lớn.pdf", bytes(range(256)) * 16_384)])
            assert len(packet) > 5_000_000

            async def chunks():  # type: ignore[no-untyped-def]
                for at in range(0, len(packet), 100_000):
                    yield packet[at : at + 100_000]

            await mesh["g14"].submit(chunks())
            [entry] = await eventually(lambda: mesh["h49"].inbox("H49.22"))
            assert await mesh["h49"].fetch(entry.packet_id) == packet
            assert await mesh["h49"].fetch(entry.packet_id, offset_bytes=3_000_001) == packet[3_000_001:]
            await eventually(lambda: delivered(mesh, "g14"))

    asyncio.run(story())
