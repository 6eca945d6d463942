"""A node turns its signing and sealing keys while documents travel both ways: nothing is lost, doubled or refused, nothing is restarted.

TRUC_LONG=1: 50 packets a second for a minute instead of 20 for some seconds.
"""

import asyncio
import os
import time
from collections import Counter
from pathlib import Path

from node.model.delivery import State
from node.net.client import OfficeClient
from node.ops.home import Home
from node.ops.keys import PREPARED, SCHEDULED, SEALING, SIGNING, rotate
from node.ops.zone import sign_zone
from tests.clocks import now_ms
from tests.mesh.support import QUICK, directory_of, each, eventually, keys_of, run, views, whole_inbox
from tests.papers import document
from tests.real_mesh import MINISTRY, NO_ARRIVALS, PROVINCE, RealMesh, RealNode

LONG = bool(os.environ.get("TRUC_LONG"))
PER_SECOND, SECONDS = (50, 60) if LONG else (20, 9)
OVERLAP_MS = 2_000


async def traffic(client: OfficeClient, name: str, sender: str, recipient: str, until_s: float) -> list[str]:
    """Submit so many packets a second until a time; return their submission ids."""
    names: list[str] = []
    sent: list[asyncio.Task[object]] = []
    begun_s = time.monotonic()
    while time.monotonic() < until_s:
        names.append(f"{name}-{len(names)}")
        packet = document(recipient, sender=sender, number=str(len(names)))
        sent.append(asyncio.create_task(client.submit(packet, names[-1])))
        # By the clock, so that what a packet costs here does not make them fewer.
        await asyncio.sleep(max(0.0, begun_s + len(names) / PER_SECOND - time.monotonic()))
    await asyncio.gather(*sent)
    return names


async def turn(mesh: RealMesh, node: RealNode) -> None:
    """Do as `truc node keys rotate -o`, the authority's take and publish, and let the nodes find it by themselves."""
    home = Home(node.home)
    kinds = (SIGNING, SEALING)
    steps = rotate(home, home.settings(), now_ms(), kinds, even_early=True, overlap_ms=OVERLAP_MS)
    assert [one.state for one in steps] == [PREPARED, PREPARED]
    mesh.authority.take(sign_zone(home, now_ms())[0], now_ms())
    version = mesh.authority.publish(now_ms())

    async def known() -> bool:
        return all(directory_of(one).version == version for one in mesh.nodes.values())

    await eventually(known)
    assert all(
        one.state == SCHEDULED or one.at_ms <= now_ms() for one in rotate(home, home.settings(), now_ms(), kinds)
    )


async def refused(node: RealNode) -> list[str]:
    """Return what a node's log tells of refusals and failures."""
    return [line for line in node.log().splitlines() if "refused" in line or "failed" in line]


def test_documents_travel_both_ways_while_keys_turn(tmp_path: Path) -> None:
    public = tmp_path / "mesh" / "authority" / "public"
    toml = f'{QUICK}{NO_ARRIVALS}[directory]\nfolder = "{public}"\nrefresh_s = 1\n'

    async def story(mesh: RealMesh) -> None:
        province, before = mesh["h49"], keys_of(mesh["h49"]).public_keys()
        async with mesh.office("g14") as ministry, mesh.office("h49") as office:
            until_s = time.monotonic() + SECONDS
            there = asyncio.create_task(traffic(ministry, "di", "G14", "H49.22", until_s))
            back = asyncio.create_task(traffic(office, "ve", "H49.22", "G14", until_s))
            await asyncio.sleep(SECONDS / 4)
            await turn(mesh, province)
            sent = {"di": await there, "ve": await back}
            for client, names in ((ministry, sent["di"]), (office, sent["ve"])):
                await each(names, lambda name, client=client: eventually(lambda: arrived(client, name)))  # type: ignore[misc]
            for client, unit, names in ((office, "H49.22", sent["di"]), (ministry, "G14", sent["ve"])):
                found = Counter(one.packet_id for one in await whole_inbox(client, unit))
                assert len(found) == len(names), "lost"
                assert set(found.values()) == {1}, "doubled"
        after = keys_of(province).public_keys()
        assert (after.signing[1:], after.sealing[1:]) == (before.signing, before.sealing)
        await signed_with(mesh, after.signing[0])
        assert [await refused(node) for node in mesh.nodes.values()] == [[], []]
        report(sent)

    with RealMesh(tmp_path / "mesh", [MINISTRY, PROVINCE], toml) as mesh:
        run(story(mesh), limit_s=300 if LONG else 100)


async def arrived(client: OfficeClient, name: str) -> bool:
    [view] = (await views(client, name)).values()
    assert view.state is not State.FAILED, f"{name} was refused: {view.reason.name}"
    return view.state is State.DELIVERED


async def signed_with(mesh: RealMesh, key: bytes) -> None:
    """Check that the process, which was never restarted, signs with the new key now."""
    from node.seal.public import key_id_of

    async with mesh.office("g14") as ministry:
        await ministry.submit(document("H49.22", number="999"), "cuoi")
        await eventually(lambda: arrived(ministry, "cuoi"))
        [view] = (await views(ministry, "cuoi")).values()
        assert view.signed_receipt is not None
        assert view.signed_receipt.signature.key_id == key_id_of(key)


def report(sent: dict[str, list[str]]) -> None:
    print({name: len(names) for name, names in sent.items()})
