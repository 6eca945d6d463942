"""A withdrawal before anybody has fetched the document, over two real nodes, with the recipient's power gone in between."""

from pathlib import Path

from node.errors import Rejected
from node.model.life import LifeAct, LifeState
from node.model.reason import Reason
from node.net.client import OfficeClient
from tests.flow.acts import id_of, withdrawal
from tests.mesh.support import QUICK, entry_of, eventually, run, views, whole_inbox
from tests.papers import document
from tests.real_mesh import MINISTRY, PROVINCE, RealMesh

UNIT = "H49.22"


async def life_at(client: OfficeClient, name: str) -> LifeState:
    return (await views(client, name))[UNIT].life


def test_a_withdrawn_document_stays_withdrawn_when_the_recipients_node_is_killed(tmp_path: Path) -> None:
    async def story() -> None:
        with RealMesh(tmp_path / "mesh", [MINISTRY, PROVINCE], toml=QUICK) as mesh:
            async with mesh.office("g14") as ministry:
                sent = await ministry.submit(document(UNIT), "1")
                async with mesh.office("h49") as province:
                    await eventually(lambda: entry_of(province, sent.packet_id, UNIT))
                await eventually(lambda: has_status(ministry, "01"))

                # The province is without power while the withdrawal is sent; killed again as soon as it is back.
                mesh["h49"].kill()
                request = await ministry.submit(withdrawal(UNIT), "2")
                assert await life_at(ministry, "1") is LifeState.WITHDRAWAL_SENT
                mesh["h49"].start()
                await eventually(lambda: is_asked_or_more(ministry))
                mesh["h49"].kill()
                mesh["h49"].start()

                await eventually(lambda: has_status(ministry, "15"))
                view = (await views(ministry, "1"))[UNIT]
                assert (view.life, view.life_packet_id) == (LifeState.WITHDRAWN, request.packet_id)
                assert [(e.code, e.answers_packet_id) for e in view.statuses] == [
                    ("01", b""),
                    ("15", request.packet_id),
                ]
                async with mesh.office("h49") as province:
                    assert await whole_inbox(province, UNIT) == []
                    dossier = await province.dossier(unit=UNIT, author_unit="G14", document_id=id_of("123"))
                    acts = [LifeAct.NEW, LifeAct.STATUS, LifeAct.WITHDRAW, LifeAct.STATUS]
                    assert [entry.act for entry in dossier.entries] == acts
                    assert [entry.by_node for entry in dossier.entries] == [False, True, False, True]
                    assert dossier.life is LifeState.WITHDRAWN
                    assert await refused(province, sent.packet_id) is Reason.NOT_FOUND

    run(story(), 120)


async def has_status(client: OfficeClient, code: str) -> bool:
    return any(event.code == code for event in (await views(client, "1"))[UNIT].statuses)


async def is_asked_or_more(client: OfficeClient) -> bool:
    return await life_at(client, "1") in (LifeState.WITHDRAWAL_ASKED, LifeState.WITHDRAWN)


async def refused(client: OfficeClient, packet_id: bytes) -> Reason:
    try:
        await client.fetch(packet_id, UNIT)
    except Rejected as fault:
        return fault.reason
    return Reason.NONE
