"""VxpInbox: ids that follow from packet and unit, and lead back only for whom the packet was."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import Rejected
from node.flow.inbox.vxp_inbox import VxpInbox, docket_of, find, octets_of, uuid_of
from node.model.envelope import PacketKind
from node.model.office import System
from node.model.reason import Reason
from node.rows import document_keys, keys
from tests.flow.support import run
from tests.papers import document
from tests.small_mesh import SmallMesh, eventually, small_mesh

packet_ids = st.binary(min_size=16, max_size=16)


@given(packet_ids)
def test_a_packet_id_is_written_as_a_uuid_and_read_back_in_any_spelling(packet_id: bytes) -> None:
    text = uuid_of(packet_id)

    assert uuid.UUID(text).bytes == packet_id
    for spelling in (text, text.upper(), f" {text}\n", text.replace("-", "")):
        assert octets_of(spelling) == packet_id


@pytest.mark.parametrize(
    "text", ["", "x", "../" * 12, "0" * 31, "0" * 33, "-" * 36, "０" * 32, "0" * 8 + "-" + "0" * 24]
)
def test_anything_else_is_no_docket(text: str) -> None:
    with pytest.raises(Rejected) as refused:
        octets_of(text)
    assert refused.value.reason is Reason.NOT_FOUND


@given(
    packet_ids, st.lists(st.sampled_from(["H49", "H49.22", "H49.22.05", "G14"]), min_size=2, max_size=2, unique=True)
)
def test_two_units_see_one_packet_under_two_dockets(packet_id: bytes, units: list[str]) -> None:
    dockets = [docket_of(packet_id, unit) for unit in units]

    assert len({*dockets, uuid_of(packet_id)}) == 3


class Rows:
    """A transaction in which only some inbox entries are there."""

    def __init__(self, *entries: tuple[bytes, str]) -> None:
        self._keys = {keys.inbox_entry(packet_id, unit) for packet_id, unit in entries}

    def get(self, key: bytes) -> bytes | None:
        return b"" if key in self._keys else None


@given(packet_ids)
def test_a_docket_leads_back_for_its_own_unit_only(packet_id: bytes) -> None:
    rows = Rows((packet_id, "H49"), (packet_id, "H49.22"))

    for unit in ("H49", "H49.22"):
        assert find(rows, docket_of(packet_id, unit), ["G14", "H49", "H49.22"]) == (packet_id, unit)  # type: ignore[arg-type]
    for docket, units in ((docket_of(packet_id, "H49"), ["H49.22"]), (uuid_of(packet_id), ["H49", "H49.22"])):
        with pytest.raises(Rejected):
            find(rows, docket, units)  # type: ignore[arg-type]


def dockets(mesh: SmallMesh, node_id: str) -> tuple[VxpInbox, System]:
    return VxpInbox(mesh[node_id].ports), mesh[node_id].system


def test_what_was_submitted_is_listed_the_newest_first_by_system_and_kind() -> None:
    async def story() -> None:
        async with small_mesh() as mesh:
            book, system = dockets(mesh, "g14")
            sent = [(await mesh["g14"].submit(document("H49.22", number=str(n)), str(n))).packet_id for n in range(3)]
            await mesh["g14"].submit(document("H49.22", number="0"), "0")
            page, following = await book.newest_sent(system, None)
            assert ([one.packet_id for one in page], following) == (sent[::-1], b"")
            assert (await book.newest_sent(system, PacketKind.STATUS))[0] == []
            assert (await book.newest_sent(System("other", system.units), None))[0] == []
            assert (await book.sent(sent[0])).kind is PacketKind.DOCUMENT
            with pytest.raises(Rejected):
                await book.sent(bytes(16))

    run(story())


def test_what_is_said_of_a_packet_stays_until_it_is_done() -> None:
    async def story() -> None:
        async with small_mesh() as mesh:
            book, system = dockets(mesh, "h49")
            await mesh["g14"].submit(document("H49.22"))

            async def words() -> list[str]:
                return [one.word for one in (await book.waiting(system, None))[0]]

            await eventually(words)
            [one] = (await book.waiting(system, PacketKind.DOCUMENT))[0]
            assert one.change_time_ms == one.accept_time_ms
            assert await book.count(system, PacketKind.DOCUMENT) == 1
            await book.report(system, one.docket, "fail")
            [again] = (await book.waiting(system, None))[0]
            assert (again.word, again.change_time_ms >= one.accept_time_ms) == ("fail", True)
            packet_id, unit = await book.find(system, one.docket)
            await book.report(system, one.docket, "done")
            await book.report(system, one.docket, "fail")
            assert await words() == []
            assert await book.find(system, one.docket) == (packet_id, unit), "what is done can be read again"
            assert (
                await mesh["h49"].ports.store.transact(lambda tx: tx.get(document_keys.docket(packet_id, unit))) is None
            )

    run(story())
