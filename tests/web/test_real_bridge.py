"""Bridges of real processes: over http on loopback and https, through kill -9, and with memory that does not grow with a document."""

import base64
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from node.access.tls_files import TlsFiles
from node.errors import Broken
from node.model.reason import Reason
from tests.mesh.support import QUICK, eventually, run
from tests.papers import document, status_about
from tests.real_mesh import MINISTRY, NO_ARRIVALS, PROVINCE
from tests.web.real_bridge import bridged_mesh, certificate
from tests.web.sdk import Sdk, unpadded_hex

ONE_MIB = 1024 * 1024
OWN_STATUSES = QUICK + NO_ARRIVALS
"""Software that uses the library reports 01 itself."""


async def row_of(sdk: Sdk, kind: str = "edoc") -> dict[str, str]:
    async def one() -> dict[str, str] | None:
        said = await sdk.call("getReceivedEdocList", servicetype="eDoc", messagetype=kind)
        return next(iter(said.json["data"]), None)

    found = await eventually(one)
    assert found is not None
    return found


async def whole_way(bo: Sdk, tinh: Sdk) -> None:
    packet = document("H49.22.05", number="9", attachments=[("công văn.pdf", b"%PDF-1.7")])
    sent = await bo.send_edoc(packet, **{"from": "G14"})
    assert sent.ok, sent.json
    row = await row_of(tinh)
    said = await tinh.call("getEdoc", docId=row["docId"], filePath="xml")
    assert base64.b64decode(said.json["data"]) == packet
    assert (await tinh.call("updateStatus", docid=row["docId"], status="done")).ok
    report = status_about("9", "03", sender="H49.22.05")
    assert (await tinh.send_edoc(report, messagetype="status", **{"from": "H49.22.05"})).ok
    back = await row_of(bo, "status")
    assert (await bo.download_edoc(docId=back["docId"], filePath="xml")).body == report

    async def shown() -> bool:
        said = await bo.call("getSentEdocList", docId=sent.json["DocId"])
        return [(one["sendStatus"], one["receiveStatus"]) for one in said.json["data"]] == [("done", "processing")]

    await eventually(shown)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_documents_and_statuses_go_both_ways_between_real_nodes(tmp_path: Path, scheme: str) -> None:
    tls = certificate(tmp_path) if scheme == "https" else None
    with bridged_mesh(tmp_path / "mesh", [MINISTRY, PROVINCE], tls=tls, toml=OWN_STATUSES) as mesh:
        trusted = tls.trusted() if tls else None
        bo = mesh.system("g14", "bo", "G14", tls=trusted)
        tinh = mesh.system("h49", "tinh", "H49.22.05", tls=trusted)
        run(whole_way(bo, tinh))
        if tls:
            stranger = Sdk(bo.port, "bo", bo.secret, ssl.create_default_context())
            with pytest.raises(ssl.SSLCertVerificationError):
                run(stranger.call("countReceiveEdoc"))
        for node in ("g14", "h49"):
            assert mesh[node].stop() == 0
            # A client that holds on to its connection while the node stops is let go of after the grace, and uvicorn says so.
            log = [one for one in mesh[node].log().splitlines() if "timeout graceful shutdown exceeded" not in one]
            for mistake in ("call.failed", "library.reported", "Traceback"):
                assert not any(mistake in one for one in log), log
            for secret in (bo.secret, tinh.secret):
                for path in mesh[node].home.rglob("*"):
                    assert not path.is_file() or secret.encode() not in path.read_bytes(), path


def test_what_was_answered_survives_a_kill_and_its_repeat_gets_the_same_docid(tmp_path: Path) -> None:
    with bridged_mesh(tmp_path, [MINISTRY, PROVINCE], toml=OWN_STATUSES) as mesh:
        bo, tinh = mesh.system("g14", "bo", "G14"), mesh.system("h49", "tinh", "H49.22")
        requests = []
        for number in range(5):
            packet = document("H49.22", number=str(number))
            arguments = {"from": "G14", "hash-file": unpadded_hex(packet), "messagetype": "edoc"}
            requests.append(bo.edoc_request(packet, arguments))
        ids = [run(bo.ask(request)).json["DocId"] for request in requests]
        mesh["g14"].kill()
        mesh.start("g14")
        assert [run(bo.ask(request)).json["DocId"] for request in requests] == ids

        async def waiting(count: int) -> list[dict[str, str]]:
            async def all_here() -> list[dict[str, str]] | None:
                said = await tinh.call("getReceivedEdocList", messagetype="edoc")
                return said.json["data"] if len(said.json["data"]) == count else None

            return await eventually(all_here) or []

        found = run(waiting(5))
        run(tinh.call("updateStatus", docid=found[0]["docId"], status="done"))
        run(tinh.call("updateStatus", docid=found[1]["docId"], status="fail"))
        mesh["h49"].kill()
        mesh.start("h49")
        kept = run(waiting(4))
        assert [row["docId"] for row in kept] == [row["docId"] for row in found[1:]]
        assert [row["status"] for row in kept] == ["fail", "initial", "initial", "initial"]


@pytest.mark.slow
def test_a_packet_of_50_mb_goes_through_with_little_memory(tmp_path: Path) -> None:
    with bridged_mesh(tmp_path, [MINISTRY, PROVINCE], toml=OWN_STATUSES) as mesh:
        bo, tinh = mesh.system("g14", "bo", "G14"), mesh.system("h49", "tinh", "H49.22")
        run(whole_way(bo, mesh.system("h49", "warm", "H49.22.05")))
        packet = document("H49.22", number="50", attachments=[("lớn.pdf", bytes(range(256)) * 146_000)])
        assert len(packet) > 49 * 1000 * 1000

        async def growth(node_id: str, work: Callable[[], Awaitable[None]]) -> float:
            node = mesh[node_id]
            assert node.process is not None
            Path(f"/proc/{node.process.pid}/clear_refs").write_text("5", "ascii")
            before = node.resident_bytes()
            await work()
            return (node.resident_bytes("VmHWM") - before) / ONE_MIB

        async def send() -> None:
            assert (await bo.send_edoc(packet, **{"from": "G14"})).ok

        async def get() -> None:
            said = await tinh.call("getEdoc", docId=(await row_of(tinh))["docId"], filePath="x")
            assert base64.b64decode(said.json["data"]) == packet

        async def story() -> tuple[float, float]:
            sent = await growth("g14", send)
            await row_of(tinh)
            return sent, await growth("h49", get)

        sent, got = run(story(), 110)
        assert sent <= 64, f"sendEdoc: {sent:.0f} MiB"
        assert got <= 64, f"getEdoc: {got:.0f} MiB"


def test_files_that_do_not_make_a_certificate_are_named(tmp_path: Path) -> None:
    good, other = certificate(tmp_path), tmp_path / "other"
    other.mkdir()
    strange = certificate(other)
    cases = [
        (TlsFiles(good.certificate, strange.key), Reason.KEY_UNUSABLE),
        (TlsFiles(good.key, good.key), Reason.KEY_UNUSABLE),
        (TlsFiles(tmp_path / "absent", good.key), Reason.KEY_FILE_MISSING),
        (TlsFiles(good.certificate, tmp_path / "absent"), Reason.KEY_FILE_MISSING),
    ]
    for files, reason in cases:
        with pytest.raises(Broken) as refused:
            files.context()
        assert refused.value.reason is reason
    good.key.chmod(0o640)
    with pytest.raises(Broken) as refused:
        TlsFiles(good.certificate, good.key).context()
    assert refused.value.reason is Reason.KEY_FILE_EXPOSED
