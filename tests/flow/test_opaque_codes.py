"""Units with opaque codes (an enterprise, an organisation outside the State) write and read like any other, whatever form is written."""

import asyncio

from node.model.code import parse_code
from node.model.delivery import State
from node.model.directory import Unit, Zone, directory_of
from node.model.office import InboxEntry, System
from node.model.reason import Reason
from tests.papers import document
from tests.small_mesh import SmallMesh, eventually, small_mesh

BRANCH, OUTSIDE = "0101234567001", "Z01MTTQ"


def grant(mesh: SmallMesh) -> None:
    """Publish an edition in which h49 serves a branch of an enterprise, and h37 an organisation."""
    for office in mesh.offices.values():
        source = office.ports.directory
        was = source.current()
        leaves = [
            Zone(parse_code(code), node_id, {code: Unit(code, f"Đơn vị {code}")}, is_leaf=True)
            for code, node_id in ((BRANCH, "h49"), (OUTSIDE, "h37"))
        ]
        source.directory = directory_of(2, 0, list(was.nodes.values()), [*was.zones.values(), *leaves])
    for name, code in (("h49", BRANCH), ("h37", OUTSIDE)):
        system = mesh[name].system
        mesh[name].system = System(system.name, system.units | {code})


async def arrived(mesh: SmallMesh, name: str, unit: str) -> list[InboxEntry]:
    return await mesh[name].inbox(unit)


def test_a_document_reaches_an_enterprise_and_an_organisation_and_one_of_them_answers() -> None:
    async def story() -> None:
        async with small_mesh() as mesh:
            grant(mesh)
            packet = document("0101234567-001", "z01mttq", "0101234567", "H49.22")
            result = await mesh["g14"].submit(packet)
            assert [(one.code, one.reason) for one in result.refused] == [("0101234567", Reason.RECIPIENT_UNKNOWN)]
            assert result.recipients_served == 3
            for name, unit in (("h49", BRANCH), ("h37", OUTSIDE), ("h49", "H49.22")):
                [entry] = await eventually(lambda name=name, unit=unit: arrived(mesh, name, unit))  # type: ignore[misc]
                assert await mesh[name].fetch(entry.packet_id, unit) == packet

            async def served() -> bool:
                view = await mesh["g14"].track()
                return all(one.state is State.DELIVERED and one.status_code == "01" for one in view.deliveries)

            await eventually(served)
            await mesh["h49"].submit(document("G14", sender=BRANCH), "answer")
            assert await eventually(lambda: arrived(mesh, "g14", "G14"))

    asyncio.run(story())
