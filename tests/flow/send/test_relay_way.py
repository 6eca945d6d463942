"""The whole way over a relay, with couriers: what arrives when lines are cut, when the relay burns down, and when both ways work."""

from node.model.delivery import State
from node.model.office import DeliveryView
from node.model.policy import Policy
from node.model.reason import Reason
from tests.flow.support import run
from tests.papers import document
from tests.small_mesh import SmallMesh, eventually, small_mesh


async def view_of(mesh: SmallMesh, submission_id: str = "1") -> DeliveryView:
    [view] = (await mesh["g14"].track(submission_id)).deliveries
    return view


async def is_delivered(mesh: SmallMesh) -> bool:
    return (await view_of(mesh)).state is State.DELIVERED


QUICK = Policy(
    back_off_first_ms=10,
    back_off_max_ms=40,
    relay_after_ms=50,
    custody_retry_ms=300,
    item_retry_ms=30,
    hello_every_ms=100,
    sweep_every_ms=50,
)


def test_a_relay_that_burns_down_with_the_packet_loses_nothing() -> None:
    async def story() -> None:
        async with small_mesh(QUICK) as mesh:
            mesh.cut("g14", "h49")
            mesh.cut("centre", "h49")
            await mesh["g14"].submit(document("H49.22"))
            await eventually(lambda: in_custody(mesh))
            # The centre is gone for good, and the direct road is open again.
            mesh.cut("g14", "centre")
            mesh.join("g14", "h49")
            await eventually(lambda: is_delivered(mesh))
            view = await view_of(mesh)
            assert (view.relay_node, len(await mesh["h49"].inbox("H49.22"))) == ("", 1)

    run(story())


async def in_custody(mesh: SmallMesh) -> bool:
    view = await view_of(mesh)
    return view.custody_node == "centre" and view.reason is Reason.IN_CUSTODY


def test_direct_and_relayed_copies_that_both_arrive_are_one() -> None:
    async def story() -> None:
        async with small_mesh(QUICK) as mesh:
            mesh.cut("g14", "h49")
            mesh.cut("centre", "h49")
            await mesh["g14"].submit(document("H49.22"))
            await eventually(lambda: in_custody(mesh))
            mesh.join("g14", "h49")
            await eventually(lambda: is_delivered(mesh))
            mesh.join("centre", "h49")
            await eventually(lambda: nothing_waits(mesh))
            pushes = {(sender, target) for sender, target, _ in mesh.board.pushes}
            assert {("g14", "h49"), ("centre", "h49")} <= pushes
            assert len(await mesh["h49"].inbox("H49.22")) == 1

    run(story())


async def nothing_waits(mesh: SmallMesh) -> bool:
    return not any([(await office.node.list_outbox("", 0))[0] for office in mesh.offices.values()])


def test_after_the_relayed_delivery_the_relay_has_let_everything_go() -> None:
    async def story() -> None:
        async with small_mesh(QUICK) as mesh:
            mesh.cut("g14", "h49")
            await mesh["g14"].submit(document("H49.22"))
            await eventually(lambda: is_delivered(mesh))
            await eventually(lambda: nothing_waits(mesh))
            rows = mesh["centre"].ports.store.rows_after_crash()  # type: ignore[attr-defined]
            assert not [key for key in rows if key[:1] in (b"b", b"o", b"l", b"q")]

    run(story())


def test_a_node_that_only_a_relay_can_dial_is_reached_at_once_without_trying_the_direct_road() -> None:
    async def story() -> None:
        async with small_mesh(via_relays={"h49": ("centre",)}) as mesh:
            await mesh["g14"].submit(document("H49.22"))
            await eventually(lambda: is_delivered(mesh))
            assert (await view_of(mesh)).relay_node == "centre"
            assert ("g14", "h49") not in {(sender, target) for sender, target, _ in mesh.board.pushes}

    run(story())
