"""The sending loops: what stops one thing must not stop the others, and everything finds its way when the directory changes."""

import dataclasses
from collections.abc import Sequence

import pytest

from node.flow.send import outbox
from node.model.code import parse_code
from node.model.delivery import State
from node.model.directory import NodeEntry, Unit, Zone
from node.model.mesh import Answer, PushItem
from node.model.office import DeliveryView
from node.model.policy import DAY_MS, Policy
from node.model.reason import Reason
from node.model.receipt import Level
from node.rows import keys
from node.rows.records import PacketRecord
from node.wire import codec
from tests.clocks import NOW
from tests.flow.support import place, receipt_for, run
from tests.papers import document
from tests.small_mesh import SmallMesh, eventually, small_mesh

QUICK = Policy(
    back_off_first_ms=10,
    back_off_max_ms=40,
    relay_after_ms=60_000,
    custody_retry_ms=300,
    item_retry_ms=30,
    hello_every_ms=100,
    sweep_every_ms=50,
    arrival=False,
)


async def views(mesh: SmallMesh, submission_id: str, office: str = "g14") -> dict[str, DeliveryView]:
    return {view.unit: view for view in (await mesh[office].track(submission_id)).deliveries}


async def all_delivered(mesh: SmallMesh, *submissions: str) -> bool:
    found = [view for one in submissions for view in (await views(mesh, one)).values()]
    return all(view.state is State.DELIVERED for view in found)


async def lose_body(mesh: SmallMesh, submission_id: str) -> None:
    """Damage the ministry's disk: one body file is gone."""
    ports = mesh["g14"].ports
    packet_id = (await mesh["g14"].track(submission_id)).packet_id
    value = await ports.store.transact(lambda tx: tx.get(keys.packet(packet_id)))
    assert value is not None
    await ports.bodies.remove(codec.decode_envelope(PacketRecord.FromString(value).envelope).body.body_sha256)


@pytest.mark.parametrize("size", [100_000, 1_500_000])
def test_a_body_lost_from_our_disk_stops_its_own_packet_and_no_other(size: int) -> None:
    async def story() -> None:
        async with small_mesh(QUICK) as mesh:
            mesh.cut("g14", "h49")
            for number in range(4):
                attachments = [("a.pdf", bytes(size))]
                await mesh["g14"].submit(document("H49.22", number=str(number), attachments=attachments), str(number))
            await lose_body(mesh, "0")
            mesh.join("g14", "h49")
            await eventually(lambda: all_delivered(mesh, "1", "2", "3"))

            async def says_why() -> bool:
                [view] = (await views(mesh, "0")).values()
                return view.state is State.WAITING and view.reason is Reason.STORE_CORRUPT

            await eventually(says_why)

            async def road_is_open() -> bool:
                peers = await mesh["g14"].node.list_peers()
                return next(one for one in peers if one.node_id == "h49").road == "open"

            await eventually(road_is_open)  # the road is not to blame

    run(story())


def test_when_our_own_store_cannot_note_an_answer_the_road_is_not_to_blame() -> None:
    async def story() -> None:
        async with small_mesh(QUICK) as mesh:
            here, disk = mesh["g14"], mesh["g14"].disk
            push = here.ports.peers.push

            async def push_and_fill_the_disk(peer: NodeEntry, items: Sequence[PushItem]) -> list[Answer]:
                answers = await push(peer, items)
                disk.full = True
                return answers

            here.ports.peers.push = push_and_fill_the_disk  # type: ignore[method-assign]
            await here.submit(document("H49.22"))

            async def refused() -> bool:
                return disk.refused > 0

            await eventually(refused)
            assert not here.loops.dispatcher.peer_health.is_failing("h49")
            here.ports.peers.push = push  # type: ignore[method-assign]
            disk.full = False
            await eventually(lambda: all_delivered(mesh, "1"))
            assert not here.loops.dispatcher.peer_health.is_failing("h49")
            assert len(mesh.board.pushes) <= 3  # it did not push again and again meanwhile

    run(story())


def test_a_peer_without_a_sealing_key_gets_no_packets_and_is_not_taken_for_unreachable() -> None:
    async def story() -> None:
        async with small_mesh(QUICK) as mesh:
            source = mesh["g14"].ports.directory
            whole = source.current()
            keyless = dataclasses.replace(whole.nodes["h49"], sealing_keys=())
            source.directory = dataclasses.replace(whole, nodes={**whole.nodes, "h49": keyless})  # type: ignore[attr-defined]
            await mesh["g14"].submit(document("H49.22"))

            async def says_why() -> bool:
                [view] = (await views(mesh, "1")).values()
                return view.reason is Reason.PEER_UNKNOWN

            await eventually(says_why)
            source.directory = whole  # type: ignore[attr-defined]
            mesh["g14"].loops.dispatcher.directory_changed()
            mesh["g14"].loops.dispatcher.wake({"h49"})

    run(story())


def test_a_custody_longer_than_anything_is_put_off_does_not_become_a_hot_loop() -> None:
    async def story() -> None:
        here = place("g14", Policy(custody_retry_ms=DAY_MS))
        await here.submit(document("H49.22"))

        def custody(peer: object, items: object) -> list[Answer]:
            [item] = items  # type: ignore[misc]
            octets = item.parcel.signed_envelope.envelope
            packet_id = codec.decode_envelope(octets).packet_id
            return [Answer(receipt_for(octets, packet_id, level=Level.CUSTODY, signer="centre"))]

        here.peers.answers = custody
        await here.carry("h49", through="centre")
        assert await here.do(lambda tx: outbox.promote(tx, "h49", NOW + 1, 10)) == [], "it waits"

    run(story())


# --- the directory changes while something waits -------------------------------------------------------------------------


def move(mesh: SmallMesh, unit: str, node_id: str, *, without: str = "") -> None:
    """A new version of the directory: the unit has a zone of its own at another node; a node may have left."""
    source = mesh["g14"].ports.directory
    before = source.current()
    code = parse_code(unit)
    zones = {prefix: zone for prefix, zone in before.zones.items() if zone.node_id != without}
    nodes = {name: node for name, node in before.nodes.items() if name != without}
    zones[code] = Zone(code, node_id, {unit: Unit(unit, unit)})
    source.directory = dataclasses.replace(before, version=before.version + 1, zones=zones, nodes=nodes)  # type: ignore[attr-defined]
    for office in mesh.offices.values():
        office.node.signals.outbox.send(set(nodes))
        office.loops.dispatcher.directory_changed()


def test_a_delivery_follows_its_unit_to_the_node_that_serves_it_now() -> None:
    async def story() -> None:
        async with small_mesh(QUICK) as mesh:
            mesh.cut("g14", "h49")
            await mesh["g14"].submit(document("H49.22", "H49"))
            move(mesh, "H49.22", "h37")
            mesh.join("g14", "h49")
            await eventually(lambda: all_delivered(mesh, "1"))
            found = await views(mesh, "1")
            assert {unit: view.node_id for unit, view in found.items()} == {"H49": "h49", "H49.22": "h37"}

    run(story())


def test_a_delivery_whose_whole_node_has_moved_follows_as_well() -> None:
    async def story() -> None:
        async with small_mesh(QUICK) as mesh:
            mesh.cut("g14", "h49")
            await mesh["g14"].submit(document("H49.22"))
            move(mesh, "H49.22", "h37")
            mesh.join("g14", "h49")
            await eventually(lambda: all_delivered(mesh, "1"))

    run(story())


def test_a_delivery_does_not_wait_for_a_node_that_has_left_the_directory() -> None:
    async def story() -> None:
        async with small_mesh(QUICK) as mesh:
            mesh.cut("g14", "h49")
            await mesh["g14"].submit(document("H49.22"))
            move(mesh, "H49.22", "h37", without="h49")
            await eventually(lambda: all_delivered(mesh, "1"), limit_s=5)

    run(story())


def test_a_delivery_does_not_wait_for_a_dead_node_when_another_one_serves_its_unit() -> None:
    async def story() -> None:
        async with small_mesh(QUICK) as mesh:
            mesh.cut("g14", "h49")
            await mesh["g14"].submit(document("H49.22"))
            move(mesh, "H49.22", "h37")
            await eventually(lambda: all_delivered(mesh, "1"), limit_s=5)

    run(story())


def test_a_delivery_whose_unit_has_come_to_our_own_node_is_delivered_here() -> None:
    async def story() -> None:
        async with small_mesh(QUICK) as mesh:
            mesh.cut("g14", "h49")
            await mesh["g14"].submit(document("H49.22"))
            move(mesh, "H49.22", "g14")
            mesh.join("g14", "h49")
            await eventually(lambda: all_delivered(mesh, "1"), limit_s=5)

    run(story())
