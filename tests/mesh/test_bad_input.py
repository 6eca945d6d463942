"""Bad input end to end: each gets its reason, nothing of it is stored, and the node goes on serving."""

import asyncio
import dataclasses
from pathlib import Path

import pytest

from node.errors import Denied, Rejected
from node.model.office import SubmitResult
from node.model.reason import Reason
from node.net.client import OfficeClient
from tests.mesh.conftest import PACKET_BYTES_MAX
from tests.mesh.support import delivered, eventually, run, views
from tests.papers import document
from tests.real_mesh import RealMesh

GOOD = document("H49.22", number="200")
BAD_PACKETS: dict[str, tuple[bytes, Reason]] = {
    "nothing at all": (b"", Reason.PACKET_NOT_XML),
    "not XML": (b"%PDF-1.7\n1 0 obj", Reason.PACKET_NOT_XML),
    "a DTD": (GOOD.replace(b"<edXML ", b'<!DOCTYPE edXML [<!ENTITY a "b">]>\n<edXML ', 1), Reason.PACKET_HAS_DTD),
    "truncated": (GOOD[: len(GOOD) // 2], Reason.PACKET_TRUNCATED),
    "truncated at the last tag": (GOOD.rstrip()[:-2], Reason.PACKET_TRUNCATED),
    "another namespace": (GOOD.replace(b"QCVN_102_2016", b"QCVN_102_2099"), Reason.PACKET_WRONG_NAMESPACE),
    "no From": (document("H49.22", sender=""), Reason.PACKET_NO_SENDER),
    "no To": (document(), Reason.PACKET_NO_RECIPIENT),
    "another system's unit as sender": (document("H49.22", sender="H49"), Reason.UNIT_NOT_OWNED),
    "a sender that is no code": (document("H49.22", sender="Bộ mẫu"), Reason.PACKET_BREAKS_RULES),
    "an unknown recipient": (document("H49.99"), Reason.RECIPIENT_UNKNOWN),
    "a recipient that is no code": (document("Sở mẫu"), Reason.PACKET_BREAKS_RULES),
    "a state secret": (
        GOOD.replace(b"<edXML:Subject>", "<edXML:Subject>(Mật) ".encode()),
        Reason.PACKET_BREAKS_RULES,
    ),
    "an empty SteeringType": (
        GOOD.replace(b"<edXML:SteeringType>0", b"<edXML:SteeringType>"),
        Reason.PACKET_BREAKS_RULES,
    ),
}


async def still_serves(client: OfficeClient, name: str) -> None:
    result = await client.submit(GOOD, f"after {name}")
    assert result.reason is Reason.NONE
    await eventually(lambda: delivered(client, f"after {name}"))


async def was_not_stored(client: OfficeClient, submission_id: str) -> None:
    with pytest.raises(Rejected) as unknown:
        await client.track(submission_id=submission_id)
    assert unknown.value.reason is Reason.NOT_FOUND


def refused(result: SubmitResult, reason: Reason) -> None:
    assert result.reason is reason
    assert result.packet_id == b""
    assert result.detail, "it says in words what is wrong"


@pytest.mark.parametrize("name", BAD_PACKETS)
def test_a_bad_packet_is_refused_with_its_reason_and_leaves_no_trace(mesh: RealMesh, name: str) -> None:
    async def story() -> None:
        packet, reason = BAD_PACKETS[name]
        async with mesh.office("g14") as client:
            refused(await client.submit(packet, f"bad {name}"), reason)
            await was_not_stored(client, f"bad {name}")
            await still_serves(client, name)

    run(story())


def test_bad_ones_among_good_ones_in_one_call_are_told_apart(mesh: RealMesh) -> None:
    async def story() -> None:
        async with mesh.office("g14") as client:
            packets = [(f"mixed {at}", packet) for at, (packet, _) in enumerate(BAD_PACKETS.values())]
            packets.insert(5, ("mixed good", GOOD))
            results = await client.submit_many(packets)
            reasons = [reason for _, reason in BAD_PACKETS.values()]
            reasons.insert(5, Reason.NONE)
            assert [result.reason for result in results] == reasons
            await eventually(lambda: delivered(client, "mixed good"))

    run(story())


def test_an_unknown_recipient_is_named_at_once_while_the_others_are_served(mesh: RealMesh) -> None:
    async def story() -> None:
        async with mesh.office("g14") as client:
            result = await client.submit(document("H49.99", "H49.22", "Z00", number="201"), "partly")
            assert (result.reason, result.recipients_served) == (Reason.NONE, 1)
            assert {one.code: one.reason for one in result.refused} == {
                "H49.99": Reason.RECIPIENT_UNKNOWN,
                "Z00": Reason.RECIPIENT_UNKNOWN,
            }
            await eventually(lambda: delivered(client, "partly"))
            assert set(await views(client, "partly")) == {"H49.22"}

    run(story())


def test_all_or_nothing_refuses_the_whole_packet(mesh: RealMesh) -> None:
    async def story() -> None:
        async with mesh.office("g14") as client:
            result = await client.submit(document("H49.99", "H49.22"), "all or nothing", all_or_nothing=True)
            refused(result, Reason.NOT_ALL_SERVED)
            assert "H49.99" in result.detail
            await was_not_stored(client, "all or nothing")

    run(story())


def test_a_packet_over_the_limit_is_refused_before_it_is_read(mesh: RealMesh, tmp_path: Path) -> None:
    async def story() -> None:
        path, sent = tmp_path / "huge.edxml", [0]
        with path.open("wb") as file:
            file.write(GOOD)
            file.truncate(300_000_000)
        async with mesh.office("g14") as client:
            result = await client.submit(path, "huge", progress=lambda done, _: sent.append(done))
            refused(result, Reason.PACKET_TOO_LARGE)
            assert max(sent) < 30_000_000, "the node did not wait for the end"
            await was_not_stored(client, "huge")
            await still_serves(client, "huge")
        assert mesh["g14"].resident_bytes() < 400_000_000

    run(story())


def test_a_packet_just_over_the_limit_is_refused_and_one_at_the_limit_is_taken(mesh: RealMesh) -> None:
    def of_size(size: int, number: str) -> bytes:
        rough = document("H49.22", number=number, attachments=[("a.pdf", bytes(size * 3 // 4 - 10_000))])
        packet = rough.replace(b"V/v", b"V/v" + b" rat dai" * ((size - len(rough)) // 8), 1)
        return packet + b" " * (size - len(packet))

    async def story() -> None:
        async with mesh.office("g14") as client:
            refused(await client.submit(of_size(PACKET_BYTES_MAX + 1, "202"), "over"), Reason.PACKET_TOO_LARGE)
            assert (await client.submit(of_size(PACKET_BYTES_MAX, "203"), "at")).reason is Reason.NONE
            await eventually(lambda: delivered(client, "at"))

    run(story())


def test_much_white_space_after_the_packet_is_no_fault_of_the_nodes(common_mesh: RealMesh) -> None:
    async def story() -> None:
        async with common_mesh.office("g14") as client:
            result = await client.submit(GOOD + b" " * 1_500_000, "white space")
            assert result.reason in (Reason.NONE, Reason.PACKET_TOO_COMPLEX)

    run(story())


def test_a_repeat_gets_the_first_answer_and_other_octets_under_the_same_id_are_refused(mesh: RealMesh) -> None:
    async def story() -> None:
        async with mesh.office("g14") as client:
            first = await client.submit(document("H49.22", number="204"), "same id")
            assert await client.submit(document("H49.22", number="204"), "same id") == first
            refused(await client.submit(document("H49.22", number="205"), "same id"), Reason.ID_REUSED)
            assert (await client.track(submission_id="same id")).document_code == "204/BM-VP"

    run(story())


@pytest.mark.parametrize("submission_id", ["", "x" * 129, "a\nb"])
def test_an_id_that_cannot_be_meant_is_refused(mesh: RealMesh, submission_id: str) -> None:
    async def story() -> None:
        async with mesh.office("g14") as client:
            refused(await client.submit(GOOD, submission_id), Reason.REQUEST_INVALID)

    run(story())


@pytest.mark.parametrize(
    "change",
    [{"secret": "0" * 43}, {"system": "nobody"}, {"secret": ""}, {"system": "../qlvb"}, {"secret": "x" * 5_000}],
)
def test_a_wrong_credential_is_refused_for_every_verb(mesh: RealMesh, change: dict[str, str]) -> None:
    async def story() -> None:
        wrong = dataclasses.replace(mesh["g14"].credential, **change)
        async with OfficeClient.connect(wrong) as client:
            answers = await asyncio.gather(
                client.submit(GOOD, "wrong credential"),
                client.list_inbox(),
                client.fetch(b"x" * 16),
                client.acknowledge([b"x" * 16]),
                client.track(submission_id="x"),
                client.search_units("H49"),
                return_exceptions=True,
            )
            for answer in answers:
                assert isinstance(answer, Denied)
                assert answer.reason in (Reason.CREDENTIAL_WRONG, Reason.CREDENTIAL_MISSING)
        async with mesh.office("g14") as client:
            await was_not_stored(client, "wrong credential")

    run(story())


def test_a_system_of_one_node_is_nobody_at_another(mesh: RealMesh) -> None:
    async def story() -> None:
        other = mesh["h49"].credential
        elsewhere = dataclasses.replace(mesh["g14"].credential, system=other.system, secret=other.secret)
        async with OfficeClient.connect(elsewhere) as client:
            with pytest.raises(Denied) as denied:
                await client.list_inbox()
            assert denied.value.reason is Reason.CREDENTIAL_WRONG

    run(story())


def test_a_system_reads_only_what_is_its_own_units(mesh: RealMesh) -> None:
    async def story() -> None:
        async with mesh.office("g14") as ministry, mesh.office("h37") as province:
            result = await ministry.submit(document("H49.22", number="206"), "not yours")
            await eventually(lambda: delivered(ministry, "not yours"))
            with pytest.raises(Denied) as denied:
                await province.list_inbox("H49.22")
            assert denied.value.reason is Reason.UNIT_NOT_OWNED
            for call in (province.fetch(result.packet_id), province.track(packet_id=result.packet_id)):
                with pytest.raises(Rejected) as unknown:
                    await call
                assert unknown.value.reason is Reason.NOT_FOUND
            with pytest.raises(Rejected) as no_token:
                await province.list_inbox(page_token="none of yours")
            assert no_token.value.reason is Reason.REQUEST_INVALID

    run(story())
