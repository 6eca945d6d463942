"""The library's habits, one by one, and what the bridge makes of each (vxp.md sections 3 to 6)."""

import asyncio
import base64
from dataclasses import replace
from pathlib import Path

import pytest

from node.edxml.compose import compose_document
from node.model.code import parse_code
from node.model.directory import Alias, Unit, directory_of
from tests.papers import document
from tests.small_mesh import SmallMesh
from tests.web.sdk import LISTS, Said, Sdk, unpadded_hex
from tests.web.support import Bridged, eventually, run, two_bridges
from tests.web.test_bridge_story import fetched, rows, the_row


def connected(ministry: Bridged, province: Bridged) -> tuple[Sdk, Sdk]:
    return ministry.system("bo", "G14", "G14.01"), province.system("tinh", "H49", "H49.22", "H49.22.05")


async def waits(sdk: Sdk, count: int) -> list[dict[str, str]]:
    async def all_here() -> list[dict[str, str]] | None:
        found = await rows(sdk)
        return found if len(found) == count else None

    return await eventually(all_here)


async def sent_count(bridge: Bridged, system: str) -> int:
    units = next(record.system for record in bridge.context.systems.list() if record.system.name == system)
    return len((await bridge.context.vxp_inbox.newest_sent(units, None))[0])


def test_the_same_signed_request_again_gets_the_same_docid_and_is_stored_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, _):
            bo, tinh = connected(ministry, province)
            packet = document("H49.22")
            request = bo.edoc_request(packet, {"from": "G14", "hash-file": unpadded_hex(packet)})
            answers = await asyncio.gather(*(bo.ask(request) for _ in range(5)))
            answers.append(await bo.ask(request))

            assert len({said.body for said in answers}) == 1
            assert len(await waits(tinh, 1)) == 1
            assert await sent_count(ministry, "bo") == 1

    run(story())


def test_documents_one_after_another_share_a_connection(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, _):
            bo, tinh = connected(ministry, province)
            bo.pools = True
            for number in range(3):
                assert (await bo.send_edoc(document("H49.22", number=str(number)), **{"from": "G14"})).ok
            assert len(bo.pool) == 1
            assert len(await waits(tinh, 3)) == 3
            bo.close()

    run(story())


def test_a_repeat_after_the_answer_was_lost_is_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, _):
            bo, tinh = connected(ministry, province)
            packet = document("H49.22")
            request = bo.edoc_request(packet, {"from": "G14", "hash-file": unpadded_hex(packet)})
            _, writer = await bo.connect()
            writer.write(request)
            await writer.drain()
            await waits(tinh, 1)
            writer.transport.abort()

            assert (await bo.ask(request)).ok
            assert len(await rows(tinh)) == 1

    run(story())


def test_a_connection_that_dies_half_way_stores_nothing_and_its_repeat_is_taken(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, _):
            bo, tinh = connected(ministry, province)
            packet = document("H49.22", attachments=[("a.pdf", bytes(3_000_000))])
            request = bo.edoc_request(packet, {"from": "G14", "hash-file": unpadded_hex(packet)})
            for part in (len(request) // 2, len(request) - 1):
                _, writer = await bo.connect()
                writer.write(request[:part])
                await writer.drain()
                writer.transport.abort()
            said = await bo.ask(request)

            assert said.ok
            [row] = await waits(tinh, 1)
            assert await fetched(tinh, row["docId"]) == packet
            assert await sent_count(ministry, "bo") == 1

    run(story())


def test_fields_that_stick_from_earlier_calls_hide_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, _):
            bo, tinh = connected(ministry, province)
            await bo.send_edoc(document("H49.22", number="1"), **{"from": "G14"})
            await bo.send_edoc(document("H49.22.05", number="2"), **{"from": "G14"})
            first, second = await waits(tinh, 2)
            tinh.sticky.update({"to": "X", "from": "Y", "fromDate": "01/01/2099 00:00:00", "toDate": "01/01/1999"})
            await tinh.call("getEdoc", docId=first["docId"], filePath="xml")
            await tinh.call("updateStatus", docid=first["docId"], status="done")

            assert {"docId", "docid", "status", "filePath"} <= tinh.sticky.keys()
            assert await rows(tinh) == [second]

    run(story())


def test_of_docid_and_docId_each_operation_takes_its_own(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, _):
            bo, tinh = connected(ministry, province)
            packets = [document("H49.22", number=str(number)) for number in range(3)]
            for packet in packets:
                assert (await bo.send_edoc(packet, **{"from": "G14"})).ok
            found = await waits(tinh, 3)
            # One object: getEdoc with docId, updateStatus with docid; from the second packet on one of the two is stale.
            read = []
            for row in found:
                read.append(await fetched(tinh, row["docId"]))
                assert (await tinh.call("updateStatus", docid=row["docId"], status="done")).ok

            assert sorted(read) == sorted(packets)
            assert await rows(tinh) == []

    run(story())


@pytest.mark.parametrize("name", ["docid", "docId"])
def test_a_client_that_knows_only_one_spelling_is_served(tmp_path: Path, name: str) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, _):
            bo, tinh = connected(ministry, province)
            packet = document("H49.22")
            await bo.send_edoc(packet, **{"from": "G14"})
            docket = (await the_row(tinh))["docId"]
            said = await tinh.call("getEdoc", **{name: docket.upper(), "filePath": "xml"})
            assert base64.b64decode(said.json["data"]) == packet
            assert (await tinh.call("updateStatus", **{name: docket, "status": "done"})).ok

    run(story())


def test_fail_and_other_words_leave_a_packet_on_the_list_and_done_is_for_good(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, _):
            bo, tinh = connected(ministry, province)
            await bo.send_edoc(document("H49.22"), **{"from": "G14"})
            docket = (await the_row(tinh))["docId"]

            for word in ("fail", "fail", "processing", "inbox", "rejection"):
                assert (await tinh.call("updateStatus", docid=docket, status=word)).ok
                assert [row["status"] for row in await rows(tinh)] == [word]
            for word in ("done", "done", "fail", "processing", "done"):
                assert (await tinh.call("updateStatus", docid=docket, status=word)).ok
                assert await rows(tinh) == []
            said = await tinh.call("updateStatus", docid=docket, status="eaten")
            assert (said.ok, said.code) == (False, "10")
            assert (await tinh.call("getEdoc", docId=docket, filePath="x")).ok, "what is done can be read again"

    run(story())


def test_100_continue_is_said_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, _):
            bo, tinh = connected(ministry, province)
            await bo.send_edoc(document("H49.22"), **{"from": "G14"})
            docket = (await the_row(tinh))["docId"]
            asked = [
                await tinh.call("getEdoc", docId=docket, filePath="x"),
                await tinh.call("updateStatus", docid=docket, status="fail"),
                await tinh.call("countReceiveEdoc"),
                await tinh.call("deleteAgency", AgencyCode="H49.22.09"),
                await Sdk(province.door.port, "tinh", "wrong").call("countReceiveEdoc"),
            ]

            assert [said.continue_after_s is not None and said.continue_after_s < 1.0 for said in asked] == [True] * 5

    run(story())


def test_list_calls_are_closed_by_the_server_and_the_others_may_go_on(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (_, province, _mesh):
            tinh = province.system("tinh", "H49")
            for operation in LISTS:
                said = await tinh.call(operation, servicetype="eDoc", messagetype="edoc")
                assert said.ok
                assert said.headers["connection"] == "close"
            assert "connection" not in (await tinh.call("countReceiveEdoc")).headers

            async def none_left() -> bool:
                return all(reader.at_eof() for reader, _ in tinh.open_lists)

            await eventually(none_left)
            for _, writer in tinh.open_lists:
                writer.close()

    run(story())


def test_answers_are_ascii_and_refusals_have_every_member_that_a_version_needs(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (_, province, _mesh):
            tinh = province.system("tinh", "H49")
            stranger = province.sdk("tinh", "wrong")
            answers: list[Said] = [
                await tinh.send_edoc(b"khong phai xml", **{"from": "H49"}),
                await tinh.call("getEdoc", docId="x", filePath="x"),
                await tinh.call("updateStatus", docid="x", status="done"),
                await tinh.call("getSentEdocList", docId="x"),
                await tinh.call("deleteAgency", AgencyCode="G14"),
                await tinh.register_agency({"code": "Sở", "name": "Sở"}),
                await tinh.call("noSuchOperation"),
                await stranger.send_edoc(document("H49")),
                await stranger.call("getReceivedEdocList"),
                await stranger.call("getAgenciesList"),
            ]
            for said in answers:
                assert said.body.isascii()
                assert said.json.keys() == {"status", "ErrorCode", "ErrorDesc", "DocId", "data"}
                assert (said.json["status"], said.json["DocId"], said.json["data"]) == ("FAIL", "", "")
                assert said.code != "0"
                assert not 300 <= said.status < 400
            assert "Sai SystemId" in answers[-1].json["ErrorDesc"]

    run(story())


def test_a_refused_download_is_empty_and_a_good_one_is_the_octets(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, _):
            bo, tinh = connected(ministry, province)
            packet = document("H49.22")
            await bo.send_edoc(packet, **{"from": "G14"})
            docket = (await the_row(tinh))["docId"]

            said = await tinh.download_edoc(docId=docket, filePath="x")
            assert (said.body, said.headers["content-length"]) == (packet, str(len(packet)))
            for refused in (
                await tinh.download_edoc(docId="x", filePath="x"),
                await province.sdk("tinh", "wrong").download_edoc(docId=docket, filePath="x"),
                await bo.ask(b"GET /vxp/downloadEdoc HTTP/1.1\r\nHost: a\r\n\r\n"),
            ):
                assert (refused.body, refused.headers["content-length"]) == (b"", "0")

    run(story())


def test_a_header_block_of_128_kib_is_taken(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, _):
            bo, tinh = connected(ministry, province)
            recipients = '["' + '","'.join(f"H49.22.{number:04d}" for number in range(4_600)) + '"]'
            packet = document("H49.22")
            request = bo.edoc_request(packet, {"from": "G14", "to": recipients, "hash-file": unpadded_hex(packet)})
            assert request.index(b"\r\n\r\n") > 128 * 1024
            assert (await bo.ask(request)).ok
            await waits(tinh, 1)

    run(story())


def test_a_program_that_always_sends_its_system_id_as_from_is_served(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, _):
            bo, tinh = connected(ministry, province)
            assert (await bo.send_edoc(document("H49.22"), **{"from": "bo"})).ok
            assert (await waits(tinh, 1))[0]["from"] == "G14"

    run(story())


def test_one_packet_for_two_units_of_a_system_is_two_rows_done_one_by_one(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, _):
            bo, tinh = connected(ministry, province)
            packet = document("H49.22", "000.05.22.H49")
            said = await bo.send_edoc(packet, **{"from": "G14"})
            found = await waits(tinh, 2)
            assert {row["to"] for row in found} == {"H49.22", "H49.22.05"}
            await tinh.call("updateStatus", docid=found[0]["docId"], status="done")
            assert await rows(tinh) == found[1:]
            listed = await bo.call("getSentEdocList", docId=said.json["DocId"])
            assert {(row["receiverDocId"], row["toCode"]) for row in listed.json["data"]} == {
                (row["docId"], row["to"]) for row in found
            }

    run(story())


def test_counts_tell_documents_and_statuses_apart(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, _):
            bo, tinh = connected(ministry, province)
            for number in range(3):
                await bo.send_edoc(document("H49.22", number=str(number)), **{"from": "G14"})
            await waits(tinh, 3)
            documents, statuses = await tinh.call("countReceiveEdoc"), await tinh.call("countReceiveStatus")
            assert (documents.json["count"], statuses.json["count"]) == (3, 0)

    run(story())


def test_a_list_of_many_pages_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.flow.inbox.vxp_inbox.PAGE", 3)

    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, _):
            bo, tinh = connected(ministry, province)
            for number in range(10):
                to = ("H49.22", "H49.22.05", "H49")[number % 3]
                await bo.send_edoc(document(to, number=str(number)), **{"from": "G14"})
            found = await waits(tinh, 10)
            assert len({row["docId"] for row in found}) == 10
            shown = await bo.call("getSentEdocList", messagetype="edoc")
            assert [row["notation"] for row in shown.json["data"]] == [f"{n}/BM-VP" for n in reversed(range(10))]

    run(story())


def test_a_left_over_docid_of_a_received_packet_does_not_empty_the_sent_list(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, _):
            bo, tinh = connected(ministry, province)
            await bo.send_edoc(document("H49.22", number="1"), **{"from": "G14"})
            await tinh.send_edoc(document("G14", sender="H49.22", number="2"), **{"from": "H49.22"})
            await fetched(tinh, (await the_row(tinh))["docId"])
            shown = await tinh.call("getSentEdocList", messagetype="edoc")
            assert [row["notation"] for row in shown.json["data"]] == ["2/BM-VP"]

    run(story())


def with_closed_unit(mesh: SmallMesh, node_id: str, code: str) -> None:
    directory = mesh[node_id].ports.directory.current()
    zone = directory.zone_of(parse_code(code))
    assert zone is not None
    zone.units[code] = Unit(code, "Phường đã nhập", valid_to_ms=1)  # type: ignore[index]  # a dict in tests


def test_refusals_have_the_codes_that_clients_know(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, mesh):
            bo, _ = connected(ministry, province)
            with_closed_unit(mesh, "g14", "H49.22.06")
            good = document("H49.22")

            async def code(packet: bytes, sender: str = "G14", **more: str) -> str:
                return (await bo.send_edoc(packet, **{"from": sender, **more})).code

            assert await code(b"khong phai xml") == "10"
            assert await code(good, **{"hash-file": unpadded_hex(b"other")}) == "10"
            assert (await ministry.sdk("bo", "wrong").send_edoc(good)).code == "15"
            assert (await ministry.sdk("nobody", "wrong").send_edoc(good)).code == "15"
            assert await code(document("H49.77")) == "18"
            assert await code(document("H49.22", "H49.77")) == "18", "all or nothing: nobody is left out in silence"
            assert await code(document("H49.22.06", "H49.77")) == "18"
            assert await code(good, sender="H37") == "19"
            assert await code(document("H49.22", sender="H37")) == "19"
            assert await code(good.replace(b"<edXML ", b"<!DOCTYPE a>\r\n<edXML ", 1)) == "22"
            assert await code(b"<?xml version='1.0'?><html/>") == "22"
            assert await code(document("H49.22.06")) == "23"
            assert (await bo.call("getEdoc", docId="0" * 32, filePath="x")).code == "21"
            assert await sent_count(ministry, "bo") == 0

    run(story())


def test_what_is_not_utf_8_is_not_given_to_a_library_that_would_damage_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, _):
            bo, tinh = connected(ministry, province)
            packet = document("H49.22").decode().replace('encoding="UTF-8"', 'encoding="UTF-16"').encode("utf-16")
            assert (await bo.send_edoc(packet, **{"from": "G14"})).ok
            docket = (await the_row(tinh))["docId"]
            said = await tinh.call("getEdoc", docId=docket, filePath="x")
            assert "UTF-8" in said.json["ErrorDesc"]
            assert said.code == "10"
            assert (await tinh.download_edoc(docId=docket, filePath="x")).body == packet

    run(story())


@pytest.mark.parametrize("text", ["Quyết định về việc", "Quyết định".encode().decode(), "Quyê\u0301t đi\u0323nh 😀"])
def test_accents_go_through_octet_by_octet(tmp_path: Path, text: str) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, _):
            bo, tinh = connected(ministry, province)
            packet = compose_document(
                sender="G14", sender_name=text, recipients=[("H49.22", text)], document_id="d", number="1",
                notation="A", subject=text, date="2026/11/22",
            )  # fmt: skip
            said = await bo.send_edoc(packet, **{"from": "G14"})
            assert await fetched(tinh, (await the_row(tinh))["docId"]) == packet
            shown = await bo.call("getSentEdocList", docId=said.json["DocId"])
            assert shown.json["data"][0]["title"] == text

    run(story())


def test_from_and_to_may_be_aliases_and_one_that_has_ended_is_a_closed_code(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, mesh):
            bo, tinh = connected(ministry, province)
            aliases = [Alias("G14.99", "G14"), Alias("H49.99", "H49.22"), Alias("H49.98", "H49.22", 0, 1)]
            source = mesh["g14"].ports.directory
            before = source.directory
            zones = [
                replace(z, aliases={a.code: a for a in aliases if a.code[:3] == z.prefix.text})
                for z in before.zones.values()
            ]
            source.directory = directory_of(2, 0, list(before.nodes.values()), zones)

            packet = document("000.00.99.H49", sender="G14.99")
            sent = await bo.send_edoc(packet, **{"from": "000.00.99.G14"})
            assert sent.ok
            [row] = await waits(tinh, 1)
            assert (row["from"], row["to"]) == ("G14", "H49.22")
            assert (await fetched(tinh, row["docId"])) == packet
            ended = await bo.send_edoc(document("H49.98", sender="G14"), **{"from": "G14"})
            assert (ended.ok, ended.code) == (False, "23")
            foreign = await tinh.send_edoc(document("G14", sender="H49"), **{"from": "G14.99"})
            assert not foreign.ok

    run(story())
