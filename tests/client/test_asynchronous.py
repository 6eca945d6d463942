"""The client for asyncio against real nodes."""

import asyncio
from pathlib import Path

import pytest

from node.client import AsyncOffice, Deferred, Patience
from tests.client.conftest import credential_of
from tests.mesh.support import eventually, run
from tests.papers import document
from tests.real_mesh import RealMesh


def test_calls_run_side_by_side_over_one_connection(pair: RealMesh, tmp_path: Path) -> None:
    packets = [document("H49", number=f"a{n}") for n in range(20)]

    async def story() -> list[bytes]:
        async with AsyncOffice(credential_of(pair, "g14")) as office, AsyncOffice(credential_of(pair, "h49")) as other:
            sent = [one.packet_id for one in await asyncio.gather(*map(office.submit, packets))]

            async def all_here() -> bool:
                return {entry.packet_id async for entry in other.inbox("H49", page_entries=3)} >= set(sent)

            await eventually(all_here)
            fetched = await asyncio.gather(*(other.fetch(packet_id) for packet_id in sent))
            assert await other.acknowledge(sent) == 20
            assert [entry async for entry in other.inbox("H49")] == []
            return [one.packet for one in fetched]

    assert run(story()) == packets


def test_an_office_may_be_made_before_there_is_a_loop_but_not_used_after_its_end(pair: RealMesh) -> None:
    office = AsyncOffice(credential_of(pair, "g14"))

    async def story() -> int:
        async with office:
            return len(await office.search_units("H49"))

    assert run(story()) > 0
    with pytest.raises(RuntimeError, match="closed"):
        run(office.search_units("H49"))


def test_whoever_is_cancelled_while_waiting_for_the_node_stops_waiting(pair: RealMesh) -> None:
    nowhere = pair["g14"].credential.__class__("127.0.0.1:1", pair["g14"].credential.certificate_pem, "qlvb", "x")

    async def story() -> None:
        async with AsyncOffice(
            nowhere, patience=Patience(limit_s=10_000, first_pause_s=500, longest_pause_s=500)
        ) as office:
            call = asyncio.create_task(office.search_units("H49"))
            await asyncio.wait([call], timeout=1.0)
            assert not call.done()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        async with AsyncOffice(nowhere, patience=Patience(limit_s=0)) as hasty:
            with pytest.raises(Deferred):
                await hasty.search_units("H49")

    run(story())
