"""Webhooks of real nodes: a real receiver is told, through a kill -9 and its own absence, and never holds up a document."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from node.access.webhooks import HookFiles
from node.config.home import Homestead
from node.model.webhook import HookView
from node.seal.keyring import load_keys
from tests.clocks import now_ms
from tests.hook_receiver import Receiver
from tests.mesh.support import QUICK, delivered, eventually, run, whole_inbox
from tests.papers import document
from tests.real_mesh import MINISTRY, NO_ARRIVALS, PROVINCE, RealMesh, RealNode, admin_client

WAIT_S = 20.0


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[RealMesh]:
    with RealMesh(tmp_path / "mesh", [MINISTRY, PROVINCE], toml=QUICK + NO_ARRIVALS) as made:
        yield made


def set_hook(node: RealNode, url: str) -> str:
    """Do what `truc system webhook set` does while the node runs."""
    place = Homestead(node.home)
    keys = load_keys(place.keys, node.spec.node_id, None)
    return HookFiles(place.systems_folder, keys).set("qlvb", url, None, now_ms(), keys.public_keys().sealing[0])


async def hook_of(node: RealNode) -> HookView | None:
    async with admin_client(node) as admin:
        return next(iter(await admin.list_hooks()), None)


async def told(receiver: Receiver, *wanted: tuple[str, str]) -> list[dict[str, Any]]:
    """Wait until the receiver has heard notices of these kinds about these units; return all that it has heard."""

    async def all_there() -> list[dict[str, Any]]:
        notices = receiver.notices()
        there = {(one["kind"], one.get("unit", "")) for one in notices}
        return notices if set(wanted) <= there else []

    return await eventually(all_there, WAIT_S)


def test_both_ends_are_told_and_a_receiver_that_was_away_over_a_kill_hears_it_all(pair: RealMesh) -> None:
    async def story() -> None:
        with Receiver() as author, Receiver() as reader:
            author.secret, reader.secret = set_hook(pair["g14"], author.url), set_hook(pair["h49"], reader.url)
            await told(author, ("inbox.look", ""))
            await told(reader, ("inbox.look", ""))
            async with pair.office("g14") as ministry:
                sent = await ministry.submit(document("H49.22"), "1")
            arrived = await told(reader, ("inbox.arrived", "H49.22"))
            ended = await told(author, ("delivery.ended", "H49.22"))
            assert {one["packet_id"] for one in [arrived[-1], ended[-1]]} == {sent.packet_id.hex()}
            port, secret = reader.port, reader.secret
            assert (author.mistakes, reader.mistakes) == ([], [])
        # Nobody is there now: the document arrives all the same, and what is owed survives a kill.
        async with pair.office("g14") as ministry, pair.office("h49") as province:
            await ministry.submit(document("H49.22.05", number="7"), "2")
            await delivered(ministry, "2")
            assert len(await whole_inbox(province)) == 2

        async def has_failed() -> bool:
            view = await hook_of(pair["h49"])
            return view is not None and view.failures > 0

        await eventually(has_failed, WAIT_S)
        pair["h49"].kill()
        pair["h49"].start()
        with Receiver(secret, port=port) as back:
            notices = await told(back, ("inbox.arrived", "H49.22.05"))
            assert [one["kind"] for one in notices] == ["inbox.arrived"]
            assert back.mistakes == []

            async def is_well() -> bool:
                view = await hook_of(pair["h49"])
                return view is not None and not view.failures and not view.waiting

            await eventually(is_well, WAIT_S)
        for node in pair.nodes.values():
            assert "Traceback" not in node.log()
            assert "courier.failed" not in node.log()

    run(story())


def test_a_hook_that_is_taken_away_is_told_nothing_more_within_seconds(pair: RealMesh) -> None:
    async def story() -> None:
        with Receiver() as reader:
            reader.secret = set_hook(pair["h49"], reader.url)
            await told(reader, ("inbox.look", ""))
            place = Homestead(pair["h49"].home)
            HookFiles(place.systems_folder, load_keys(place.keys, "h49", None)).remove("qlvb")

            async def is_gone() -> bool:
                return await hook_of(pair["h49"]) is None

            await eventually(is_gone, WAIT_S)
            async with pair.office("g14") as ministry:
                await ministry.submit(document("H49.22"), "1")
                await delivered(ministry, "1")
            assert [one["kind"] for one in reader.notices()] == ["inbox.look"]

    run(story())
