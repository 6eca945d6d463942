"""Taking back: a clerk withdraws a document that was sent, by either road, updates it, replaces it. Against a running node."""

import time
from pathlib import Path
from typing import Any

import pytest

from node.cli.packet_new import EXAMPLE
from node.edxml.document import read_packet
from node.model.packet import Packet, Receiver
from tests.cli.conftest import Truc
from tests.cli.test_running import ARRIVAL_S, entry_of, letter

REASON = "Ban hành nhầm"
DOCUMENT_IDS = iter(f"lấy lại {number}" for number in range(100))


@pytest.fixture
def sent(truc: Truc, so: Path, xa: Path, tmp_path: Path) -> tuple[Path, str]:
    """A document that the commune has fetched, so that it is asked before it is taken back: its file and its packet id."""
    path = letter(tmp_path, next(DOCUMENT_IDS), "H37.25.03")
    result = truc("submit", "--as", so, path, "--json").document["results"][0]
    entry_of(truc, xa, result["packet_id"])
    assert truc("fetch", "--as", xa, result["packet_id"], "-o", tmp_path / "da-nhan.edxml").code == 0
    return path, result["packet_id"]


def done(truc: Truc, *words: Any) -> dict[str, Any]:
    """Run a command that submits one packet; return its result."""
    outcome = truc(*words, "--json")
    assert outcome.code == 0, outcome.out
    [result] = outcome.document["results"]
    return dict(result)


def arrived(truc: Truc, credential: Path, packet_id: str, folder: Path) -> tuple[dict[str, Any], Packet]:
    entry = entry_of(truc, credential, packet_id)
    path = folder / f"{packet_id}.edxml"
    truc("fetch", "--as", credential, packet_id, "-o", path)
    return entry, read_packet(path)


@pytest.mark.parametrize("named_by", ["file", "packet id", "document id"])
def test_a_withdrawal_says_what_is_withdrawn_and_why(
    truc: Truc,
    so: Path,
    xa: Path,
    sent: tuple[Path, str],
    tmp_path: Path,
    named_by: str,
) -> None:
    path, packet_id = sent
    name = {"file": path, "packet id": packet_id, "document id": path.stem}[named_by]
    result = done(truc, "withdraw", "--as", so, name, "--reason", REASON)
    entry, packet = arrived(truc, xa, result["packet_id"], tmp_path)
    assert (entry["business_type"], entry["document_id"], entry["document_code"]) == (1, path.stem, "12/SM-VP")
    assert packet.bussiness is not None
    assert packet.bussiness.bussiness_doc_reason == REASON
    assert packet.bussiness.document_id == packet.header.document_id == path.stem
    assert packet.attachments == ()
    assert packet.header.sender is not None
    assert packet.header.sender.organ_name == "Sở Mẫu"


def test_what_nobody_has_read_is_taken_back_at_once_and_track_says_so(
    truc: Truc, so: Path, xa: Path, tmp_path: Path
) -> None:
    path = letter(tmp_path, next(DOCUMENT_IDS), "H37.25.03")
    packet_id = truc("submit", "--as", so, path, "--json").document["results"][0]["packet_id"]
    entry_of(truc, xa, packet_id)
    request = done(truc, "withdraw", "--as", so, packet_id, "--reason", REASON)
    end_s = time.monotonic() + ARRIVAL_S
    while truc("track", "--as", so, packet_id, "--json").document["deliveries"][0]["life"] != "withdrawn":
        assert time.monotonic() < end_s

    [delivery] = truc("track", "--as", so, packet_id, "--json").document["deliveries"]
    assert (delivery["life_name"], delivery["life_packet_id"]) == ("đã thu hồi", request["packet_id"])
    assert f"văn bản đã thu hồi (gói {request['packet_id'][:10]})" in truc("track", "--as", so, packet_id).out
    left = [one["packet_id"] for one in truc("inbox", "--as", xa, "--json").document["entries"]]
    assert not {packet_id, request["packet_id"]} & set(left)
    gone = truc("fetch", "--as", xa, packet_id, "-o", tmp_path / "x.edxml", "--json")
    assert (gone.code, gone.reason) == (65, "NOT_FOUND")


def test_the_same_withdrawal_again_is_the_same_submission(truc: Truc, so: Path, sent: tuple[Path, str]) -> None:
    words = ("withdraw", "--as", so, sent[1], "--reason", REASON)
    assert done(truc, *words)["packet_id"] == done(truc, *words)["packet_id"]
    assert done(truc, *words[:-1], "Lý do khác")["packet_id"] != done(truc, *words)["packet_id"]


def test_a_withdrawal_by_status_asks_each_recipient(
    truc: Truc,
    so: Path,
    xa: Path,
    sent: tuple[Path, str],
    tmp_path: Path,
) -> None:
    result = done(truc, "withdraw", "--as", so, sent[1], "--reason", REASON, "--by-status")
    assert result["document"] == "H37.25.03"
    entry, packet = arrived(truc, xa, result["packet_id"], tmp_path)
    assert (entry["kind"], entry["status_code"], packet.header.description) == ("status", "13", REASON)
    [about] = packet.header.response_for
    assert (about.organ_id, about.document_id, about.code) == ("H37.25.03", sent[0].stem, "12/SM-VP")
    assert about.promulgation_date == "2026/11/22"


def test_a_withdrawal_needs_a_reason_and_a_recipient_to_whom_it_went(
    truc: Truc,
    so: Path,
    sent: tuple[Path, str],
) -> None:
    assert truc("withdraw", "--as", so, sent[1], "--reason", " ").code == 2
    elsewhere = truc("withdraw", "--as", so, sent[1], "--reason", REASON, "--to", "H37.01", "--json")
    assert (elsewhere.code, elsewhere.reason) == (65, "RECIPIENT_UNKNOWN")
    for name in ("không có", "H37.01,2026/10/05,1/X" + "x" * 300):
        unknown = truc("withdraw", "--as", so, name, "--reason", REASON, "--json")
        assert (unknown.code, unknown.reason) == (65, "NOT_FOUND")


def test_a_status_cannot_be_withdrawn(truc: Truc, so: Path, tmp_path: Path) -> None:
    status = Path(__file__).parents[1] / "samples" / "30_status_01.edxml"
    refused = truc("withdraw", "--as", so, status, "--reason", REASON, "--json")
    assert (refused.code, refused.reason) == (65, "REQUEST_INVALID")


def test_an_update_of_a_file_brings_the_document_with_its_attachments_to_whom_it_adds(
    truc: Truc,
    so: Path,
    xa: Path,
    sent: tuple[Path, str],
    tmp_path: Path,
) -> None:
    path, _ = sent
    words = (
        "--subject",
        "Trích yếu mới",
        "--due",
        "31/12/2026",
        "--priority",
        "khẩn",
        "--add",
        "H37.01=Sở",
        "--reason",
        "Sửa",
    )
    result = done(truc, "update", "--as", so, path, *words)
    entry, packet = arrived(truc, xa, result["packet_id"], tmp_path)
    original = read_packet(path)
    assert (entry["business_type"], packet.header.subject, packet.header.due_date) == (2, "Trích yếu mới", "2026/12/31")
    assert [one.organ_id for one in packet.header.to] == ["H37.25.03", "H37.01"]
    assert packet.bussiness is not None
    [info] = packet.bussiness.bussiness_document_infos
    assert (info.document_info, info.document_receiver) == ("1", "1")
    assert info.receiver_list is not None
    assert info.receiver_list.receivers == (Receiver("H37.01", "1"),)
    assert packet.attachments == original.attachments
    assert packet.references == original.references


def test_an_update_can_drop_a_recipient_but_not_all_of_them(
    truc: Truc,
    so: Path,
    xa: Path,
    tmp_path: Path,
) -> None:
    path = letter(tmp_path, next(DOCUMENT_IDS), "H37.25.03", "H37.01")
    packet_id = truc("submit", "--as", so, path, "--json").document["results"][0]["packet_id"]
    result = done(truc, "update", "--as", so, packet_id, "--drop", "000.00.01.H37")
    _, packet = arrived(truc, xa, result["packet_id"], tmp_path)
    assert [one.organ_id for one in packet.header.to] == ["H37.25.03"]
    assert packet.bussiness is not None
    assert packet.bussiness.bussiness_document_infos[0].receiver_list is not None
    assert packet.bussiness.bussiness_document_infos[0].receiver_list.receivers == (Receiver("H37.01", "0"),)
    bare = truc("update", "--as", so, packet_id, "--add", "H37.01", "--json")
    assert (bare.code, bare.reason) == (65, "REQUEST_INVALID")
    everybody = truc("update", "--as", so, packet_id, "--drop", "H37.01", "--drop", "H37.25.03", "--json")
    assert (everybody.code, everybody.reason) == (65, "PACKET_NO_RECIPIENT")
    assert truc("update", "--as", so, packet_id).code == 2


def test_a_replacement_names_the_old_documents_and_goes_where_they_had_gone(
    truc: Truc,
    so: Path,
    xa: Path,
    sent: tuple[Path, str],
    tmp_path: Path,
) -> None:
    path, packet_id = sent
    (tmp_path / "cong-van.pdf").write_bytes(b"%PDF-1.4")
    lines = EXAMPLE.replace("H99.01", "H37.01").replace("# tep_dinh_kem", "tep_dinh_kem").splitlines()
    form = tmp_path / "moi.toml"
    form.write_text("\n".join(line for line in lines if not line.startswith("noi_nhan =")), "utf-8")
    result = done(truc, "replace", "--as", so, packet_id, "--with", form, "--reason", "Sai thẩm quyền")
    entry, packet = arrived(truc, xa, result["packet_id"], tmp_path)
    assert (entry["business_type"], packet.header.document_id) == (3, "H37.01,2026/10/05,123/UBND-VX")
    assert [one.organ_id for one in packet.header.to] == ["H37.25.03"]
    assert packet.bussiness is not None
    [replaced] = packet.bussiness.replacement_info_lists[0].replacement_infos
    assert replaced.document_id == path.stem
    assert replaced.organ_id_list is not None
    assert replaced.organ_id_list.organ_ids == ("H37.25.03",)
    assert [one.attachment_name for one in packet.attachments] == ["cong-van.pdf"]


def test_what_the_rules_refuse_is_not_sent_and_the_findings_are_shown(
    truc: Truc,
    so: Path,
    sent: tuple[Path, str],
) -> None:
    words = ("update", "--as", so, sent[1], "--subject", "(Mật) Việc mới")
    refused = truc(*words, "--json")
    [result] = refused.document["results"]
    assert (refused.code, result["reason"], result["findings"][0]["code"]) == (65, "PACKET_BREAKS_RULES", "EDXML-002")
    shown = truc(*words)
    assert "EDXML-002" in shown.out
    assert "Có dấu độ mật" in shown.out


def test_submitting_shows_findings_and_tracking_shows_them_again(
    truc: Truc,
    so: Path,
    tmp_path: Path,
) -> None:
    path = letter(tmp_path, next(DOCUMENT_IDS), "H37.25.03")
    submitted = truc("submit", "--as", so, path)
    assert submitted.code == 0
    assert "EDXML-080" in submitted.out
    [result] = truc("submit", "--as", so, path, "--json").document["results"]
    tracked = truc("track", "--as", so, result["packet_id"], "--json").document
    assert tracked["findings"] == result["findings"] != []
    assert "EDXML-080" in truc("track", "--as", so, result["packet_id"]).out
    broken = path.with_name("hong.edxml")
    broken.write_bytes(path.read_bytes().replace(b"<edXML:SteeringType>0", b"<edXML:SteeringType>x"))
    refused = truc("submit", "--as", so, broken)
    assert refused.code == 65
    assert "EDXML-060" in refused.out


def test_a_refusal_needs_a_reason(truc: Truc, so: Path, xa: Path, sent: tuple[Path, str]) -> None:
    entry_of(truc, xa, sent[1])
    assert truc("status", "send", "--as", xa, sent[1], "02").code == 2
    assert truc("status", "send", "--as", xa, sent[1], "02", "--note", "Sai thẩm quyền").code == 0
