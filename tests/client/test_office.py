"""The synchronous client against real nodes."""

import asyncio
import io
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from node.access.credential import Credential
from node.client import Broken, Deferred, Denied, Office, Patience, Reason, Rejected, RulesBroken
from node.model.delivery import State
from node.net.client_submit import WHOLE_BYTES_MAX
from node.office.naming import submission_id_of
from tests.client.conftest import credential_of
from tests.edxml.packets import changed
from tests.papers import document
from tests.real_mesh import ROOT, RealMesh, wait_for

LARGE = os.urandom(WHOLE_BYTES_MAX)


@pytest.fixture
def g14(pair: RealMesh) -> Path:
    return credential_of(pair, "g14")


@pytest.fixture
def h49(pair: RealMesh) -> Path:
    return credential_of(pair, "h49")


class Dribble(io.RawIOBase):
    """A stream like a pipe: it gives little at a time and cannot be read twice."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, 100_000))


def test_octets_a_file_and_a_stream_are_the_same_submission_under_the_same_name(g14: Path, tmp_path: Path) -> None:
    packet = document("H49.22", number="b1")
    path = tmp_path / "goi-tin"
    path.write_bytes(packet)
    with Office(g14) as office:
        results = [office.submit(packet), office.submit(path), office.submit(io.BytesIO(packet))]

    assert len({one.packet_id for one in results}) == 1
    assert results[0].submission_id == submission_id_of(path), "as the command names it"


def test_a_large_packet_comes_back_octet_by_octet_from_a_stream_and_says_how_far_it_is(
    g14: Path, h49: Path, tmp_path: Path
) -> None:
    packet = document("H49.22", number="b2", attachments=[("Phụ lục.pdf", LARGE)])
    told: list[tuple[int, int]] = []
    came: list[tuple[int, int]] = []
    with Office(g14) as office, Office(h49) as recipient:
        sent = office.submit(Dribble(packet), progress=lambda done, total: told.append((done, total)))  # type: ignore[arg-type]
        wait_for(lambda: arrived(recipient, sent.packet_id), 20, "arrival")
        aim = tmp_path / "đến.edxml"
        recipient.fetch_to(sent.packet_id, aim, lease_ms=-1, progress=lambda done, total: came.append((done, total)))
        fetched = recipient.fetch(sent.packet_id)
        with pytest.raises(Broken) as there:
            recipient.fetch_to(sent.packet_id, aim, lease_ms=-1)
        acknowledged = [recipient.acknowledge([sent.packet_id]) for _ in range(2)]

    assert aim.read_bytes() == fetched.packet == packet
    assert told[-1] == came[-1] == (len(packet), len(packet))
    assert told == sorted(told)
    assert there.value.reason is Reason.ALREADY_EXISTS
    assert acknowledged == [1, 0]


def arrived(office: Office, packet_id: bytes) -> bool:
    return any(entry.packet_id == packet_id for entry in office.inbox())


def test_an_inbox_of_many_pages_is_gone_through_while_it_is_emptied(g14: Path, h49: Path) -> None:
    with Office(g14) as office, Office(h49) as recipient:
        sent = {office.submit(document("H49.22.05", number=f"p{n}")).packet_id for n in range(7)}
        wait_for(lambda: sent <= {entry.packet_id for entry in recipient.inbox("000.05.22.H49")}, 20, "arrival")
        seen = []
        for entry in recipient.inbox("H49.22.05", page_entries=2):
            seen.append(entry.packet_id)
            recipient.acknowledge(entry.packet_id, "000.05.22.H49")

    assert set(seen) == sent
    assert len(seen) == 7


def test_a_status_reaches_the_author_and_the_dossier_once(g14: Path, h49: Path) -> None:
    with Office(g14) as office, Office(h49) as recipient:
        sent = office.submit(document("H49.22", number="s1"), submission_id="trạng thái")
        wait_for(lambda: arrived(recipient, sent.packet_id), 20, "arrival")
        first, again = (recipient.send_status(sent.packet_id, "06", "Đã xử lý xong", unit="H49.22") for _ in range(2))
        for code, note in (("02", " "), ("77", "không có mã này")):
            with pytest.raises(Rejected) as wrong:
                recipient.send_status(sent.packet_id, code, note)
            assert wrong.value.reason is Reason.REQUEST_INVALID
        wait_for(lambda: office.track(submission_id="trạng thái").deliveries[0].status_code == "06", 20, "06")
        view = office.track(packet_id=sent.packet_id)
        life = office.dossier(unit="G14", document_id=view.document_id)

    assert again.packet_id == first.packet_id
    assert view.deliveries[0].state is State.DELIVERED
    assert [one.description for one in view.deliveries[0].statuses] == ["Đã xử lý xong"]
    assert [one.status_code for one in life.entries][-1] == "06"


def test_units_are_found_without_accents(g14: Path) -> None:
    with Office(g14) as office:
        assert "H49.22" in {one.code for one in office.search_units("don vi mau H49.22")}


def test_a_packet_that_breaks_the_rules_is_raised_with_what_was_found(g14: Path) -> None:
    with Office(g14) as office, pytest.raises(RulesBroken) as broken:
        office.submit(changed(document("H49.22", number="r1"), ("<edXML:SteeringType>0", "<edXML:SteeringType>")))

    assert broken.value.reason is Reason.PACKET_BREAKS_RULES
    assert "EDXML-060" in [one.code for one in broken.value.findings]
    assert all(one.sentence for one in broken.value.findings)


def test_a_refused_packet_is_never_a_result(g14: Path, tmp_path: Path) -> None:
    with Office(g14) as office:
        for packet, reason in (
            (document("H49.99", "H49.22", number="r2"), Reason.NOT_ALL_SERVED),
            (document("G14", sender="H49", number="r3"), Reason.UNIT_NOT_OWNED),
            (b"hello", Reason.PACKET_NOT_XML),
        ):
            with pytest.raises((Rejected, Denied)) as refused:
                office.submit(packet, all_or_nothing=True)
            assert refused.value.reason is reason
        office.submit(document("H49.22", number="r4"), submission_id="r4")
        with pytest.raises(Rejected) as reused:
            office.submit(document("H49.22", number="r5"), submission_id="r4")
        with pytest.raises(Rejected) as absent:
            office.submit(tmp_path / "không có.edxml")
        with pytest.raises(Rejected) as unknown:
            office.track(document_id="không có")
        with pytest.raises(Rejected) as no_code:
            next(office.inbox("không phải mã"))

    assert reused.value.reason is Reason.ID_REUSED
    assert absent.value.reason is Reason.REQUEST_INVALID
    assert unknown.value.reason is Reason.NOT_FOUND
    assert no_code.value.reason is Reason.CODE_MALFORMED


def test_a_wrong_secret_and_a_missing_file_are_denied(pair: RealMesh, tmp_path: Path) -> None:
    right = pair["g14"].credential
    with (
        Office(Credential(right.address, right.certificate_pem, right.system, "sai")) as office,
        pytest.raises(Denied) as wrong,
    ):
        office.submit(document("H49.22"))
    with pytest.raises(Denied) as missing:
        Office(str(tmp_path / "qlvb.json"))

    assert wrong.value.reason is Reason.CREDENTIAL_WRONG
    assert missing.value.reason is Reason.CREDENTIAL_MISSING


def test_many_threads_share_one_office(g14: Path) -> None:
    packets = [document("H49.22", number=f"t{n}") for n in range(40)]
    with Office(g14) as office, ThreadPoolExecutor(8) as threads:
        first = list(threads.map(office.submit, packets))
        again = list(threads.map(office.submit, packets))

    assert len({one.packet_id for one in first}) == 40
    assert again == first


def test_a_closed_office_says_so_and_its_thread_has_ended(g14: Path) -> None:
    before = threading.active_count()
    office = Office(g14)
    office.search_units("H49")
    office.close()
    office.close()

    assert threading.active_count() == before
    with pytest.raises(RuntimeError, match="closed"):
        office.search_units("H49")


def test_whoever_waits_is_told_when_another_thread_closes_the_office(pair: RealMesh) -> None:
    right = pair["g14"].credential
    nowhere = Credential("127.0.0.1:1", right.certificate_pem, right.system, right.secret)
    office = Office(nowhere, patience=Patience(limit_s=600, first_pause_s=300, longest_pause_s=300))
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(office.search_units, "H49")
        wait_for(lambda: bool(asyncio.all_tasks(office._loop)), 10, "the call")
        office.close()
        with pytest.raises(RuntimeError, match="closed meanwhile"):
            waiting.result(10)


def test_a_progress_callback_must_not_call_its_own_office(g14: Path) -> None:
    packet = document("H49.22", number="cb", attachments=[("a.pdf", LARGE)])
    with Office(g14) as office:
        with pytest.raises(RuntimeError, match="progress callback"):
            office.submit(packet, progress=lambda done, total: office.close())
        assert office.submit(packet).packet_id, "nothing is broken"


def test_a_program_may_end_without_closing_its_office(g14: Path) -> None:
    program = f"from node.client import Office\nprint(len(Office({str(g14)!r}).search_units('H49')))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 0


def test_a_node_that_is_killed_and_comes_back_is_waited_for_and_gets_the_packet_once(
    pair: RealMesh, g14: Path, h49: Path
) -> None:
    node, packet = pair["g14"], document("H49.22", number="k1")
    with Office(g14, patience=Patience(limit_s=60, longest_pause_s=1)) as office:
        first = office.submit(packet)
        node.kill()
        with Office(g14, patience=Patience(limit_s=0)) as hasty, pytest.raises(Deferred) as away:
            hasty.submit(packet)
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(office.submit, packet)
            node.start()
            again = waiting.result(60)

    assert away.value.reason is Reason.PEER_UNREACHABLE
    assert again == first
    with Office(h49) as recipient:
        wait_for(lambda: arrived(recipient, first.packet_id), 20, "arrival")
        assert [one.packet_id for one in recipient.inbox()].count(first.packet_id) == 1
