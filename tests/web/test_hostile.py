"""A client that means harm, and what it gets: a refusal in the library's own words, or a closed connection. Never another's document."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from node.model.policy import Policy
from node.web import body, protocol
from node.web.protocol import HEADER_BYTES_MAX
from node.web.throttle import Brake
from tests.papers import document
from tests.small_mesh import eventually, small_mesh
from tests.web.sdk import PREFIX, Said, Sdk, built, gson, read_answer, sign, unpadded_hex
from tests.web.support import Bridged, bridged, run, two_bridges
from tests.web.test_bridge_story import fetched, rows, the_row


def alter(request: bytes, old: str, new: str) -> bytes:
    assert old.encode() in request, old
    return request.replace(old.encode(), new.encode(), 1)


async def one_document(ministry: Bridged, province: Bridged) -> tuple[Sdk, str]:
    """Send a document to H49.22; return its system and docket."""
    bo, tinh = ministry.system("bo", "G14"), province.system("tinh", "H49.22")
    assert (await bo.send_edoc(document("H49.22"), **{"from": "G14"})).ok
    return tinh, (await the_row(tinh))["docId"]


async def raw(bridge: Bridged, octets: bytes, *, then_close: bool = False) -> bytes:
    """Write octets; return everything that comes until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", bridge.door.port)
    writer.write(octets)
    if then_close:
        writer.write_eof()
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"XroadVnpt-docId":"', '"XroadVnpt-docId":"x'),
        ('"XroadVnpt-systemid":"tinh"', '"XroadVnpt-systemid":"khac"'),
        (f"{PREFIX}hash-header: ", f"{PREFIX}hash-header: 0"),
        (f"{PREFIX}sign-header: {{", f"{PREFIX}sign-header: {{ "),
        (f"{PREFIX}systemid: tinh", f"{PREFIX}systemid: khac"),
        (f"{PREFIX}systemid: tinh", f"{PREFIX}systemid: tinh\r\n{PREFIX}systemid: khac"),
        (f"{PREFIX}sign-header: ", f"{PREFIX}sign-header: {{}}\r\n{PREFIX}sign-header: "),
        (f"{PREFIX}sign-header: ", "X: "),
        (f"{PREFIX}hash-header: ", "X: "),
    ],
)
def test_an_altered_or_missing_signature_is_refused(tmp_path: Path, old: str, new: str) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, _):
            tinh, docket = await one_document(ministry, province)
            province.system("khac", "H49.22.06")
            request = alter(tinh.request("getEdoc", {"docId": docket, "filePath": "x"}, b"{}"), old, new)
            said = await tinh.ask(request)
            assert (said.ok, said.code, said.json["data"]) == (False, "15", "")

    run(story())


def test_arguments_beside_the_signed_ones_have_no_effect(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, _):
            tinh, docket = await one_document(ministry, province)
            unsigned = tinh.request("updateStatus", {"docid": docket}, b"{}")
            unsigned = alter(unsigned, "User-Agent", f"{PREFIX}status: done\r\nUser-Agent")
            said = await tinh.ask(unsigned)
            assert (said.ok, said.code) == (False, "10")

            request = tinh.request("getEdoc", {"docId": docket, "filePath": "x"}, b"{}")
            other = alter(request, f"{PREFIX}docId: {docket}", f"{PREFIX}docId: {'0' * 32}")
            assert (await tinh.ask(other)).ok, "the signed one counts"
            assert len(await rows(tinh)) == 1

    run(story())


def test_another_systems_documents_are_out_of_reach(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, _):
            _, docket = await one_document(ministry, province)
            sent = await ministry.sdk("bo", ministry.secret("bo")).call("getSentEdocList")
            ids = [sent.json["data"][0]["senderDocId"], docket]
            thief = province.system("thief", "H49", "H49.22.05")
            other_sender = ministry.system("other", "G14.01")
            for docid in ids:
                for sdk in (thief, other_sender):
                    assert not (await sdk.call("getEdoc", docId=docid, filePath="x")).ok
                    assert (await sdk.download_edoc(docId=docid, filePath="x")).body == b""
                    assert not (await sdk.call("updateStatus", docid=docid, status="done")).ok
                    assert not (await sdk.call("getSentEdocList", docId=docid)).ok
            assert await rows(thief) == []
            assert (await other_sender.call("getSentEdocList", docId="", docid="")).json["data"] == []

    run(story())


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..", "/", "a/../b", "%2e%2e%2f", "\\..\\", "null", "-" * 36, "0" * 31, "x" * 5_000]
)
def test_paths_in_docid_and_filepath_come_to_nothing(tmp_path: Path, name: str) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, _):
            tinh, docket = await one_document(ministry, province)
            for path in ("", name):
                said = await tinh.call("getEdoc", docId=name, filePath=path)
                assert (said.ok, said.code) == (False, "21")
            assert (await tinh.download_edoc(docId=name, filePath=name)).body == b""
            assert not (await tinh.call("updateStatus", docid=name, status="done")).ok
            assert await fetched(tinh, docket) == document("H49.22")
            for place in (f"/vxp/../{name}", f"/vxp/{name}", "/", "/vxp", "//vxp//getEdoc", "/VXP/getEdoc"):
                if place.isascii() and " " not in place and "\\" not in place:
                    said = await tinh.ask(built(f"POST {place} HTTP/1.1", [], b"{}"))
                    assert (said.status, said.code) == (404, "10")
                    assert "location" not in said.headers

    run(story())


def test_line_ends_in_signed_arguments_do_not_make_header_fields(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, _):
            tinh, docket = await one_document(ministry, province)
            text = gson([(PREFIX + "systemid", "tinh"), (PREFIX + "docId", docket + "\r\nX: 1\r\n\r\n<html>")])
            fields = [
                (PREFIX + "systemid", "tinh"),
                (PREFIX + "sign-header", text),
                (PREFIX + "hash-header", sign(tinh.secret, text)),
            ]
            said = await tinh.ask(built("POST /vxp/getEdoc HTTP/1.1", fields, b"{}"))
            assert (said.ok, said.code) == (False, "21")
            assert "x" not in said.headers

    run(story())


def test_a_header_block_without_end_is_refused_in_json_and_the_connection_closed(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (_, province, _mesh):
            endless = b"POST /vxp/getReceivedEdocList HTTP/1.1\r\nX: " + b"a" * (HEADER_BYTES_MAX + 600_000)
            answer = await raw(province, endless)
            # The server may close while we still write; then nothing of the answer is left to read.
            assert answer == b"" or json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == "FAIL"
            assert (await province.system("tinh", "H49").call("countReceiveEdoc")).ok

    run(story())


@pytest.mark.parametrize(
    "octets",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50) + b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /vxp/getEdoc HTTP/1.1\r\nHost : a\r\n\r\n",
        b"POST /vxp/getEdoc HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /vxp/getEdoc HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /vxp/getEdoc HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\0" * 100 + b"\r\n\r\n",
    ],
)
def test_what_is_not_http_gets_json_and_a_closed_connection(tmp_path: Path, octets: bytes) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (_, province, _mesh):
            head, _, said = (await raw(province, octets)).partition(b"\r\n\r\n")
            assert head.split()[1] in (b"400", b"404")
            assert b"connection: close" in head
            assert json.loads(said)["ErrorCode"] == "10"

    run(story())


def test_an_offer_of_http_2_is_passed_over_and_the_connection_lives_on(tmp_path: Path) -> None:
    """The Java runtime's newer client makes one with its first request."""

    async def story() -> None:
        async with two_bridges(tmp_path) as (_, province, _mesh):
            tinh = province.system("tinh", "H49")
            plain = tinh.request("countReceiveEdoc", {}, b"{}")
            offering = alter(
                plain,
                "Connection: Keep-Alive",
                "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAA",
            )
            reader, writer = await tinh.connect()
            for request in (offering, plain, offering):
                writer.write(request)
                assert (await read_answer(reader)).ok
            writer.close()

    run(story())


def test_a_header_block_that_comes_whole_is_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEADER_BYTES_MAX", 4_000)

    async def story() -> None:
        async with two_bridges(tmp_path) as (_, province, _mesh):
            request = province.system("tinh", "H49").request("countReceiveEdoc", {}, b"{}")
            fits = alter(request, "User-Agent", "X: " + "a" * 1_000 + "\r\nUser-Agent")
            too_large = alter(request, "User-Agent", "X: " + "a" * 4_000 + "\r\nUser-Agent")
            assert (await province.sdk("tinh", "").ask(fits)).code == "0"
            head, _, said = (await raw(province, too_large)).partition(b"\r\n\r\n")
            assert (head.split()[1], json.loads(said)["ErrorCode"]) == (b"400", "10")

    run(story())


def test_nothing_is_read_behind_a_request_that_ends_the_connection(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, _):
            tinh, docket = await one_document(ministry, province)
            last = alter(tinh.request("countReceiveEdoc", {}, b"{}"), "Connection: Keep-Alive", "Connection: close")
            behind = tinh.request("updateStatus", {"docid": docket, "status": "done"}, b"{}")
            answer = await raw(province, last + behind)
            assert answer.count(b"HTTP/1.1 ") == 1
            assert len(await rows(tinh)) == 1

    run(story())


def smuggled(inner: bytes) -> list[bytes]:
    """One request that a proxy and we might see as two, in the known ways."""
    chunked = b"0\r\n\r\n" + inner
    line = b"POST /vxp/countReceiveEdoc HTTP/1.1\r\nHost: a\r\n"
    return [
        line + b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % len(chunked) + chunked,
        line + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + chunked,
        line + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + chunked,
        line + b"Transfer-Encoding: xchunked\r\n\r\n" + chunked,
        line + b"Transfer-Encoding : chunked\r\n\r\n" + chunked,
        line + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(inner) + inner,
        line + b"Content-Length: +0\r\n\r\n" + inner,
        line + b"Content-Length: 0, %d\r\n\r\n" % len(inner) + inner,
    ]


@pytest.mark.parametrize("way", range(8))
def test_a_smuggled_request_is_never_carried_out(tmp_path: Path, way: int) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, _):
            tinh, docket = await one_document(ministry, province)
            inner = tinh.request("updateStatus", {"docid": docket, "status": "done"}, b"{}")
            answer = await raw(province, smuggled(inner)[way])
            assert answer.count(b"HTTP/1.1 ") == 1, "one answer, then the connection is closed"
            assert answer.startswith(b"HTTP/1.1 400 ")
            assert len(await rows(tinh)) == 1

    run(story())


def test_what_is_too_large_is_refused_whether_its_length_is_told_or_not(tmp_path: Path) -> None:
    async def story() -> None:
        async with small_mesh(Policy(packet_bytes_max=200_000)) as mesh, bridged(mesh["g14"], tmp_path) as ministry:
            bo = ministry.system("bo", "G14")
            packet = document("H49.22", attachments=[("a.pdf", bytes(400_000))])
            said = await bo.send_edoc(packet, **{"from": "G14"})
            assert (said.ok, said.code) == (False, "10")
            request = bo.edoc_request(packet, {"hash-file": unpadded_hex(packet)})
            head, _, octets = request.partition(b"\r\n\r\n")
            length = f"Content-Length: {len(octets)}".encode()
            chunked = head.replace(length, b"Transfer-Encoding: chunked")
            said = await bo.ask(chunked + b"\r\n\r\n%x\r\n" % len(octets) + octets + b"\r\n0\r\n\r\n")
            assert (said.ok, said.code) == (False, "10")
            said = await bo.ask(bo.request("updateStatus", {"docid": "x", "status": "done"}, b"x" * 100_000))
            assert (said.ok, said.code) == (False, "10")

    run(story())


def test_a_slow_body_is_given_up_and_nothing_of_it_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body.Body.__init__, "__kwdefaults__", {"piece_time_s": 0.2, "grace_s": 60.0})

    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, _, mesh):
            bo = ministry.system("bo", "G14")
            packet = document("H49.22", attachments=[("a.pdf", bytes(3_000_000))])
            request = bo.edoc_request(packet, {"hash-file": unpadded_hex(packet)})
            answer = await raw(ministry, request[:2_500_000])
            assert json.loads(answer.partition(b"\r\n\r\n")[2])["ErrorCode"] == "10"
            assert b"connection: close" in answer
            assert (await bo.call("getSentEdocList")).json["data"] == []
            assert mesh["g14"].ports.bodies._spool == {}  # type: ignore[attr-defined]  # in memory in tests

    run(story())


def test_a_body_that_drips_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body.Body.__init__, "__kwdefaults__", {"piece_time_s": 30.0, "grace_s": 0.0})
    monkeypatch.setattr(body, "RATE_BYTES_S_MIN", 10**9)

    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, _, _mesh):
            bo = ministry.system("bo", "G14")
            packet = document("H49.22")
            request = bo.edoc_request(packet, {"hash-file": unpadded_hex(packet)})
            reader, writer = await bo.connect()
            writer.write(request[:-100])
            said = await read_answer(reader)
            writer.close()
            assert (said.ok, said.code, said.headers["connection"]) == (False, "10", "close")

    run(story())


@pytest.mark.parametrize("octets", [b"", b"POST /vxp/getEdoc HT", b"POST /vxp/getEdoc HTTP/1.1\r\nX: a\r\n"])
def test_who_connects_and_says_too_little_is_cut_off(
    tmp_path: Path, octets: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEADER_TIME_S", 0.2)

    async def story() -> None:
        async with two_bridges(tmp_path) as (_, province, _mesh):
            assert await raw(province, octets) == b""

    run(story())


def test_one_address_with_all_the_connections_it_can_make_leaves_room_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "CONNECTIONS_MAX", 40)

    async def story() -> None:
        async with two_bridges(tmp_path) as (_, province, _mesh):
            tinh = province.system("tinh", "H49")
            idle = [
                await asyncio.open_connection("127.0.0.1", province.door.port, local_addr=("127.0.0.2", 0))
                for _ in range(60)
            ]
            for _ in range(5):
                assert (await tinh.call("countReceiveEdoc")).ok
            for _, writer in idle:
                writer.close()

    run(story())


def test_too_many_connections_are_cut_off_and_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "CONNECTIONS_MAX", 5)

    async def story() -> None:
        async with two_bridges(tmp_path) as (_, province, _mesh):
            tinh = province.system("tinh", "H49")
            idle = [await tinh.connect() for _ in range(5)]
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await tinh.call("countReceiveEdoc")
            idle[0][1].close()

            async def served() -> bool:
                try:
                    return (await tinh.call("countReceiveEdoc")).ok
                except (ConnectionError, asyncio.IncompleteReadError):
                    return False

            await eventually(served)
            for _, writer in idle:
                writer.close()

    run(story())


class Log:
    """Catches what the web room tells its operator."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lines: list[dict[str, Any]] = []
        monkeypatch.setattr("node.web.throttle.log", self)

    def warning(self, event: str, **fields: Any) -> None:
        self.lines.append({"event": event, **fields})


def test_guessing_is_slowed_and_told_and_locks_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(monkeypatch)
    waited, now_s = list[float](), [1_000.0]

    async def noted(seconds: float) -> None:
        waited.append(seconds)

    async def story() -> None:
        brake = Brake(sleep=noted, monotonic_s=lambda: now_s[0])
        async with small_mesh() as mesh, bridged(mesh["h49"], tmp_path, brake=brake) as province:
            tinh = province.system("tinh", "H49")
            for number in range(40):
                assert (await province.sdk("tinh", f"guess {number}").call("countReceiveEdoc")).code == "15"
            assert (await tinh.call("countReceiveEdoc")).ok
            assert len(waited) == 40, "who is right does not wait"
            now_s[0] += 601
            await province.sdk("another", "guess").call("countReceiveEdoc")

    run(story())
    assert waited[:40] == sorted(waited[:40])
    assert (waited[0], waited[39], waited[40]) == (0.25, 8.0, 0.25)
    assert [(line["event"], line["system"], line["count"]) for line in log.lines] == [
        *[("caller.refused", "tinh", count) for count in (1, 2, 4, 8, 16, 32)],
        ("caller.refused", "another", 1),
    ]
    assert all(line["address"] == "127.0.0.1" and line["reason"] == "CREDENTIAL_WRONG" for line in log.lines)


def test_a_revoked_system_is_refused_at_once_and_a_replaced_secret_within_a_second(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (_, province, _mesh):
            old = province.system("tinh", "H49")
            assert (await old.call("countReceiveEdoc")).ok
            new = province.sdk("tinh", province.secret("tinh"))
            assert (await new.call("countReceiveEdoc")).ok, "a new one counts at once"
            assert (await old.call("countReceiveEdoc")).code == "15"
            newest = province.sdk("tinh", province.secret("tinh"))
            province.now_s[0] += 1.0
            assert (await new.call("countReceiveEdoc")).code == "15"
            assert (await newest.call("countReceiveEdoc")).ok
            new = newest
            province.context.systems.revoke("tinh")
            assert (await new.call("countReceiveEdoc")).code == "15"

    run(story())


def test_a_secret_file_that_was_damaged_or_moved_opens_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (_, province, _mesh):
            tinh, other = province.system("tinh", "H49"), province.system("other", "H49.22")
            folder = tmp_path / "h49" / "systems"
            (folder / "tinh.vxp").write_bytes((folder / "other.vxp").read_bytes())
            province.now_s[0] += 1.0
            assert (await tinh.call("countReceiveEdoc")).code == "15"
            assert (await province.sdk("tinh", other.secret).call("countReceiveEdoc")).code == "15"
            assert (await other.call("countReceiveEdoc")).ok
            (folder / "other.vxp").chmod(0o644)
            (folder / "other.vxp").touch()
            province.now_s[0] += 1.0
            assert (await other.call("countReceiveEdoc")).code == "15", "a file that others could read proves nothing"

    run(story())


async def world(ministry: Bridged, province: Bridged, bo: Sdk, tinh: Sdk) -> list[Any]:
    """Everything that a replay could change."""
    return [
        await rows(tinh),
        await rows(bo, "status"),
        (await bo.call("getSentEdocList", docId="", docid="", messagetype="edoc")).json["data"],
        (await tinh.call("getSentEdocList", docId="", docid="", messagetype="edoc")).json["data"],
        province.context.registrar._zone.joinpath("units", "H49").read_bytes(),
        [sorted(record.system.units) for record in province.context.systems.list()],
    ]


def test_everything_that_was_overheard_and_is_replayed_changes_nothing(tmp_path: Path) -> None:
    """The library has no nonce and one timestamp for days; so every request may come again, in any order, at any time."""

    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, _):
            bo, tinh = ministry.system("bo", "G14"), province.system("tinh", "H49")
            heard: list[tuple[Sdk, bytes]] = []
            for sdk in (bo, tinh):
                ask = sdk.ask

                async def overheard(
                    request: bytes, _sdk: Sdk = sdk, _ask: Callable[..., Any] = ask, **more: Any
                ) -> Said:
                    heard.append((_sdk, request))
                    return await _ask(request, **more)  # type: ignore[no-any-return]

                sdk.ask = overheard  # type: ignore[method-assign]
            await bo.send_edoc(document("H49", number="1"), **{"from": "G14"})
            await bo.send_edoc(document("H49", number="2"), **{"from": "G14"})

            async def both() -> bool:
                return len(await rows(tinh)) == 2

            await eventually(both)
            first, _ = await rows(tinh)
            await fetched(tinh, first["docId"])
            for word in ("fail", "processing", "done"):
                await tinh.call("updateStatus", docid=first["docId"], status=word)
            agency = {"code": "H49.90", "name": "Phòng mới", "pcode": "H49"}
            await tinh.register_agency(agency)
            await tinh.call("deleteAgency", AgencyCode="H49.90")
            await tinh.register_agency({**agency, "name": "Phòng mở lại"})
            for sdk in (bo, tinh):
                del sdk.ask
            before = await world(ministry, province, bo, tinh)
            for _ in range(2):
                for sdk, request in reversed(heard):
                    await sdk.ask(request)
                for sdk, request in heard:
                    await sdk.ask(request)

            assert await world(ministry, province, bo, tinh) == before
            assert [row["status"] for row in before[0]] == ["initial"]

    run(story(), 120)
