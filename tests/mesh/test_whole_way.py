"""The whole way through separate processes: mutual TLS, real disks, signed receipts, statuses back."""

from pathlib import Path

import pytest

from node.flow.send.receipts import believe
from node.model.envelope import PacketKind
from node.model.lane import Lane
from node.model.reason import Reason
from node.model.receipt import Level
from node.net.client import OfficeClient
from tests.clocks import now_ms
from tests.mesh.support import delivered, directory_of, entry_of, eventually, run, views
from tests.papers import document, status_about
from tests.real_mesh import RealMesh, admin_client


async def arrived(client: OfficeClient, packet_id: bytes, unit: str):  # type: ignore[no-untyped-def]
    return await eventually(lambda: entry_of(client, packet_id, unit))


def test_a_document_reaches_a_commune_and_its_status_comes_back(mesh: RealMesh) -> None:
    async def story() -> None:
        async with mesh.office("g14") as ministry, mesh.office("h49") as province:
            packet = document("000.05.22.H49", number="100", attachments=[("công văn.pdf", b"%PDF-1.7 noi dung")])
            result = await ministry.submit(packet, "way-1")
            assert (result.reason, result.recipients_served) == (Reason.NONE, 1)
            entry = await arrived(province, result.packet_id, "H49.22.05")
            assert (await province.fetch(entry.packet_id, "H49.22.05")).packet == packet
            assert await province.acknowledge([entry.packet_id], "H49.22.05") == 1
            await eventually(lambda: delivered(ministry, "way-1"))
            view = (await views(ministry, "way-1"))["H49.22.05"]
            assert view.signed_receipt is not None
            believed = believe(view.signed_receipt, directory_of(mesh["g14"]), now_ms=now_ms())
            assert (believed.receipt.signer_node, believed.receipt.level) == ("h49", Level.DELIVERED)

            status = status_about("100", "06", sender="H49.22.05", description="Hoàn thành")
            sent = await province.submit(status, "way-1-status")
            back = await arrived(ministry, sent.packet_id, "G14")
            assert (back.kind, back.status_code) == (PacketKind.STATUS, "06")
            view = (await views(ministry, "way-1"))["H49.22.05"]
            assert [event.description for event in view.statuses] == ["Hoàn thành"]

    run(story())


def test_a_document_and_its_status_go_through_the_centre_to_a_node_that_only_the_centre_can_dial(
    mesh: RealMesh,
) -> None:
    async def story() -> None:
        async with mesh.office("g14") as ministry, mesh.office("h37") as province:
            packet = document("H37.10", number="101", subject="Nội dung không ai được đọc")
            result = await ministry.submit(packet, "relay-1")
            entry = await arrived(province, result.packet_id, "H37.10")
            assert (await province.fetch(entry.packet_id)).packet == packet
            await eventually(lambda: delivered(ministry, "relay-1"))
            view = (await views(ministry, "relay-1"))["H37.10"]
            assert view.relay_node == "centre"
            assert view.signed_receipt is not None
            believed = believe(view.signed_receipt, directory_of(mesh["g14"]), now_ms=now_ms())
            assert believed.receipt.signer_node == "h37", "the recipient's own word, not the relay's"

            sent = await province.submit(status_about("101", "03", sender="H37.10"), "relay-1-status")
            await arrived(ministry, sent.packet_id, "G14")
            assert (await views(ministry, "relay-1"))["H37.10"].status_code == "03"

    run(story())


def test_nothing_readable_lies_on_any_disk(mesh: RealMesh) -> None:
    async def story() -> None:
        secret = "Việc rất mật số 4711"
        async with mesh.office("g14") as ministry:
            await ministry.submit(document("H49.22", "H37.10", number="102", subject=secret), "secret-1")
            await eventually(lambda: delivered(ministry, "secret-1"))
        for node in mesh.nodes.values():
            for path in node.home.rglob("*"):
                if path.is_file():
                    assert secret.encode() not in path.read_bytes(), f"{path} of {node.spec.node_id}"

    run(story())


def test_one_document_to_everybody_over_every_kind_of_road(mesh: RealMesh) -> None:
    async def story() -> None:
        units = {"G14.01": "g14", "H49": "h49", "H49.22": "h49", "H37": "h37", "H37.10": "h37"}
        async with mesh.office("g14") as ministry:
            packet = document(*units, number="103")
            result = await ministry.submit(packet, "many-1")
            assert result.recipients_served == len(units)
            await eventually(lambda: delivered(ministry, "many-1"))
            found = await views(ministry, "many-1")
            assert {unit: view.node_id for unit, view in found.items()} == units
        for unit, node_id in units.items():
            async with mesh.office(node_id) as client:
                assert (await client.fetch(result.packet_id, unit)).packet == packet

    run(story())


@pytest.mark.parametrize(("unit", "node_id"), [("H49.22", "h49"), ("H37.10", "h37")])
def test_a_large_packet_flows_in_pieces_from_file_to_file(
    mesh: RealMesh, tmp_path: Path, unit: str, node_id: str
) -> None:
    async def story() -> None:
        packet = document(unit, number="104", attachments=[("lớn.pdf", bytes(range(256)) * 8_000)])
        source, target = tmp_path / "packet.edxml", tmp_path / "fetched.edxml"
        source.write_bytes(packet)
        async with mesh.office("g14") as ministry, mesh.office(node_id) as province:
            result = await ministry.submit(source, f"large-{node_id}")
            entry = await arrived(province, result.packet_id, unit)
            assert entry.lane is Lane.BULK
            await province.fetch_to(result.packet_id, target, unit)
            await eventually(lambda: delivered(ministry, f"large-{node_id}"))
        assert target.read_bytes() == packet

    run(story())


def test_an_operator_sees_the_roads_and_stops_and_releases_one(mesh: RealMesh) -> None:
    async def story() -> None:
        async with mesh.office("g14") as ministry, admin_client(mesh["g14"]) as operator:

            async def roads() -> dict[str, str]:
                return {peer.node_id: peer.road for peer in await operator.list_peers()}

            async def all_known() -> bool:
                return await roads() == {"centre": "open", "h49": "open", "h37": "relayed"}

            await eventually(all_known)
            await operator.hold_peer("h49")
            await ministry.submit(document("H49.22", number="105"), "held-1")
            [view] = (await views(ministry, "held-1")).values()
            assert view.reason is Reason.HELD
            [waiting], _ = await operator.list_outbox("h49")
            assert waiting.kind == "packet"
            await operator.release_peer("h49")
            await eventually(lambda: delivered(ministry, "held-1"))
            assert (await operator.list_outbox("h49"))[0] == []
            assert (await operator.health()).healthy

    run(story())
