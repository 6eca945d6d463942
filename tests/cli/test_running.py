"""The commands that need a running node, against one: `truc serve` in a process of its own, with two of its units writing to each other."""

import json
import time
from pathlib import Path

import pytest

from node.edxml.compose import compose_document
from node.edxml.reader import read_header
from node.model.envelope import PacketKind
from tests.cli.conftest import Truc
from tests.ports import free_ports

ARRIVAL_S = 15.0
REPORT = ("status", "report")


def letter(folder: Path, document_id: str, *recipients: str, sender: str = "000.00.01.H37") -> Path:
    """A document as a file."""
    path = folder / f"{document_id}.edxml"
    path.write_bytes(
        compose_document(
            sender=sender,
            sender_name="Sở Mẫu",
            recipients=[(code, "Nơi nhận") for code in recipients],
            document_id=document_id,
            number="12",
            notation="SM-VP",
            subject="V/v thử [bold]dấu ngoặc[/bold]",
            date="2026/11/22",
            priority=3,
            attachments=[("Phụ lục.pdf", b"%PDF-1.4 x")],
        )
    )
    return path


def entry_of(truc: Truc, credential: Path, packet_id: str) -> dict[str, object]:
    """Wait until a packet stands in the inbox."""
    end_s = time.monotonic() + ARRIVAL_S
    while time.monotonic() < end_s:
        entries = truc("inbox", "--as", credential, "--json").document["entries"]
        for entry in entries:
            if entry["packet_id"] == packet_id:
                return dict(entry)
    raise AssertionError("it did not arrive")


def arrival_of(truc: Truc, credential: Path, packet_id: str) -> None:
    """Wait until the sender sees the 01 that the node reports by itself."""
    end_s = time.monotonic() + ARRIVAL_S
    while time.monotonic() < end_s:
        view = truc("track", "--as", credential, packet_id, "--json").document
        if all(one["status_code"] for one in view["deliveries"]):
            return
    raise AssertionError("nobody reports that it has arrived")


def test_a_document_from_hand_to_hand_and_its_status_back(truc: Truc, so: Path, xa: Path, tmp_path: Path) -> None:
    path = letter(tmp_path, "d-1", "000.03.25.H37")
    submitted = truc("submit", "--as", so, path, "--json")
    result = submitted.document["results"][0]
    entry = entry_of(truc, xa, result["packet_id"])
    shown = truc("inbox", "--as", xa).out
    fetched = truc("fetch", "--as", xa, result["packet_id"][:10], "-d", tmp_path / "out", "--json").document["fetched"][
        0
    ]

    assert (submitted.code, result["reason"], result["recipients_served"]) == (0, None, 1)
    assert (entry["lane"], entry["sender_unit"], entry["document_code"]) == ("hoa_toc", "H37.01", "12/SM-VP")
    assert "HỎA TỐC 12/SM-VP V/v thử [bold]dấu ngoặc[/bold]" in shown
    assert Path(fetched["file"]).read_bytes() == path.read_bytes()

    reported = truc("status", "send", "--as", xa, result["packet_id"], "03", "--note", "Đã vào sổ", "--json")
    assert (reported.code, reported.document["status_name"]) == (0, "đã tiếp nhận")
    acknowledged = [truc("ack", "--as", xa, result["packet_id"], "--json").document["acknowledged"] for _ in range(2)]
    assert acknowledged == [1, 0]

    status_entry = entry_of(truc, so, reported.document["result"]["packet_id"])
    status = truc("fetch", "--as", so, status_entry["packet_id"], "-o", tmp_path / "s.edxml", "--json")
    header = read_header((tmp_path / "s.edxml").read_bytes())
    assert status.code == 0
    assert (header.kind, header.status_code, header.status_description) == (PacketKind.STATUS, "03", "Đã vào sổ")
    assert header.recipients == ("H37.01",) or header.recipients == ("000.00.01.H37",)


def test_a_status_after_the_acknowledgement_carries_the_documents_own_words(
    truc: Truc, so: Path, xa: Path, tmp_path: Path
) -> None:
    path = letter(tmp_path, "d-date", "000.03.25.H37")
    packet_id = truc("submit", "--as", so, path, "--json").document["results"][0]["packet_id"]
    entry_of(truc, xa, packet_id)
    truc("ack", "--as", xa, packet_id)
    first = truc("status", "send", "--as", xa, packet_id, "06", "--json").document["result"]
    again = truc("status", "send", "--as", xa, packet_id, "06", "--json").document["result"]
    entry_of(truc, so, first["packet_id"])
    truc("fetch", "--as", so, first["packet_id"], "-o", tmp_path / "s.edxml")
    header = read_header((tmp_path / "s.edxml").read_bytes())
    about = header.response_for[0]

    assert again["packet_id"] == first["packet_id"], "the same report again is the same report"
    assert (header.sender, about.organ_id) == ("000.03.25.H37", "000.00.01.H37"), "codes as the document wrote them"
    assert (about.document_id, about.code, about.promulgation_date) == ("d-date", "12/SM-VP", "2026/11/22")


def test_a_packet_is_tracked_by_any_of_its_names_and_its_receipt_is_verified_again(
    truc: Truc, node: Path, so: Path, xa: Path, tmp_path: Path
) -> None:
    path = letter(tmp_path, "d-2", "H37.25.03")
    result = truc("submit", "--as", so, path, "--id", "lan-gui-2", "--json").document["results"][0]
    entry_of(truc, xa, result["packet_id"])
    views = [truc("track", "--as", so, name, "--json").document for name in (result["packet_id"], "lan-gui-2", "d-2")]
    proved = truc("track", "--as", so, "d-2", "--home", node, "--json").document["deliveries"][0]
    watched = truc("track", "--as", so, "d-2", "--watch")

    assert views[0] == views[1] == views[2]
    delivery = views[0]["deliveries"][0]
    assert (delivery["state"], delivery["state_name"], delivery["receipt_verified_by"]) == (
        "delivered",
        "đã đến",
        "node",
    )
    assert (proved["receipt_verified_by"], proved["receipt"]["signer_node"]) == ("self", "h37")
    assert delivery["end_time"].endswith("+07:00")
    assert "đã đến" in watched.out
    unknown = truc("track", "--as", so, "khong-co", "--json")
    assert (unknown.code, unknown.reason) == (65, "NOT_FOUND")


def test_submitting_the_same_file_again_is_harmless(truc: Truc, so: Path, tmp_path: Path) -> None:
    path = letter(tmp_path, "d-3", "H37.25.03")
    first, again = (truc("submit", "--as", so, path, "--json").document["results"][0] for _ in range(2))
    other = truc("submit", "--as", so, letter(tmp_path, "d-4", "H37.25.03"), "--id", first["submission_id"], "--json")

    assert first == again
    assert other.code == 65
    assert other.document["results"][0]["reason"] == "ID_REUSED"


def test_an_unknown_recipient_is_named_and_the_others_are_served(truc: Truc, so: Path, tmp_path: Path) -> None:
    path = letter(tmp_path, "d-5", "H37.25.03", "H37.99")
    served = truc("submit", "--as", so, path)
    refused = truc("submit", "--as", so, path, "--id", "tat-ca", "--all-or-nothing", "--json")

    assert served.code == 0
    assert "H37.99" in served.out
    assert "Không có đơn vị nào mang mã này" in served.out
    assert (refused.code, refused.document["results"][0]["reason"]) == (65, "NOT_ALL_SERVED")


def test_what_is_refused_has_the_exit_code_of_whoever_must_act(truc: Truc, xa: Path, so: Path, tmp_path: Path) -> None:
    foreign = truc("submit", "--as", xa, letter(tmp_path, "d-6", "H37.25.03"))
    (tmp_path / "junk.edxml").write_text("không phải XML")
    junk = truc("submit", "--as", so, tmp_path / "junk.edxml", "--json")
    absent = truc("submit", "--as", so, tmp_path / "absent.edxml", "--json")

    assert foreign.code == 77
    assert "UNIT_NOT_OWNED" in foreign.out
    assert (junk.code, junk.document["results"][0]["reason"]) == (65, "PACKET_NOT_XML")
    assert (absent.code, absent.reason) == (65, "REQUEST_INVALID")


def test_fetch_never_overwrites_unasked(truc: Truc, so: Path, xa: Path, tmp_path: Path) -> None:
    path = letter(tmp_path, "d-7", "H37.25.03")
    packet_id = truc("submit", "--as", so, path, "--json").document["results"][0]["packet_id"]
    entry_of(truc, xa, packet_id)
    (tmp_path / "mine").write_text("của tôi")
    refused = truc("fetch", "--as", xa, packet_id, "-o", tmp_path / "mine", "--json")

    assert (refused.code, refused.reason) == (78, "ALREADY_EXISTS")
    assert (tmp_path / "mine").read_text() == "của tôi"
    assert truc("fetch", "--as", xa, packet_id, "-o", tmp_path / "mine", "--force").code == 0
    assert (tmp_path / "mine").read_bytes() == path.read_bytes()
    assert not list(tmp_path.glob("*.new"))


def test_fetch_all_brings_everything_and_skips_what_is_here_or_leased(
    truc: Truc, so: Path, xa: Path, tmp_path: Path
) -> None:
    packet_id = truc("submit", "--as", so, letter(tmp_path, "d-8", "H37.25.03"), "--json").document["results"][0][
        "packet_id"
    ]
    entry_of(truc, xa, packet_id)
    waiting = truc("inbox", "--as", xa, "--json").document["entries"]
    first = truc("fetch", "--as", xa, "--all", "-d", tmp_path / "all", "--json").document
    again = truc("fetch", "--as", xa, "--all", "-d", tmp_path / "other", "--json").document

    assert len(first["fetched"]) + len(first["skipped"]) == len(waiting)
    assert packet_id in [one["packet_id"] for one in first["fetched"]]
    assert again["fetched"] == []
    assert {one["reason"] for one in again["skipped"]} == {"LEASED"}


def test_a_packet_of_others_cannot_be_had(truc: Truc, so: Path, xa: Path, tmp_path: Path) -> None:
    submitted = truc("submit", "--as", so, letter(tmp_path, "d-9a", "H37.01"), "--json").document["results"][0]
    entry_of(truc, so, submitted["packet_id"])
    by_id = truc("fetch", "--as", xa, submitted["packet_id"], "-d", tmp_path, "--json")
    packet_id = truc("submit", "--as", so, letter(tmp_path, "d-9", "H37.25.03"), "--json").document["results"][0][
        "packet_id"
    ]
    entry_of(truc, xa, packet_id)
    by_digits = truc("ack", "--as", so, packet_id[:12], "--json")
    by_unit = truc("inbox", "--as", so, "--unit", "H37.25.03", "--json")
    no_digits = truc("ack", "--as", so, "xyz", "--json")

    assert (by_id.code, by_id.reason) == (65, "NOT_FOUND")
    assert (by_digits.code, by_digits.reason) == (65, "NOT_FOUND")
    assert (by_unit.code, by_unit.reason) == (77, "UNIT_NOT_OWNED")
    assert (no_digits.code, no_digits.reason) == (65, "REQUEST_INVALID")


def test_a_sender_gets_back_the_octets_of_what_it_sent(truc: Truc, so: Path, tmp_path: Path) -> None:
    path = letter(tmp_path, "d-10", "H37.25.03")
    packet_id = truc("submit", "--as", so, path, "--json").document["results"][0]["packet_id"]
    fetched = truc("fetch", "--as", so, packet_id, "-o", tmp_path / "again.edxml", "--json").document["fetched"][0]

    assert (tmp_path / "again.edxml").read_bytes() == path.read_bytes()
    assert (fetched["unit"], fetched["lease_until_ms"], fetched["signed_receipt"]) == ("H37.01", 0, None)


def test_both_sides_see_the_deadlines_and_what_is_overdue(truc: Truc, so: Path, xa: Path, tmp_path: Path) -> None:
    path = letter(tmp_path, "d-11", "H37.25.03")
    dated = path.read_bytes().replace(b"2026/11/22", b"2020/01/02")
    due = b"<edXML:DueDate>2020/01/03</edXML:DueDate>"
    path.write_bytes(dated.replace(b"<edXML:OtherInfo>", due + b"<edXML:OtherInfo>"))
    packet_id = truc("submit", "--as", so, path, "--json").document["results"][0]["packet_id"]
    entry = entry_of(truc, xa, packet_id)
    late = truc("inbox", "--as", xa, "--overdue", "--json").document["entries"]
    view = truc("track", "--as", so, "d-11", "--json").document

    assert [(one["kind"], one["overdue"]) for one in entry["deadlines"]] == [
        ("receipt", False),
        ("register", False),
        ("due", True),
    ]
    assert [one["packet_id"] for one in late if one["packet_id"] == packet_id] == [packet_id]
    assert all(any(each["overdue"] for each in one["deadlines"]) for one in late)
    assert [(one["kind"], one["overdue"]) for one in view["deadlines"]] == [("send", True)]
    assert [one["kind"] for one in view["deliveries"][0]["deadlines"]] == ["receipt", "register", "due"]
    assert "QUÁ HẠN trả lời" in truc("inbox", "--as", xa, "--overdue").out
    assert "1/1 nơi nhận quá hạn: UBND xã Hoa Hồi" in truc("track", "--as", so, "d-11").out

    truc("status", "send", "--as", xa, packet_id, "06")
    met = entry_of(truc, xa, packet_id)["deadlines"]
    assert all(one["met_at_ms"] for one in met)
    assert [one["overdue"] for one in met] == [False, False, True], "late stays late"
    assert packet_id not in [
        one["packet_id"] for one in truc("inbox", "--as", xa, "--overdue", "--json").document["entries"]
    ]
    assert "trả lời muộn" in truc("track", "--as", so, "d-11").out


def test_the_operator_sees_how_completely_recipients_report(
    truc: Truc, node: Path, so: Path, xa: Path, tmp_path: Path
) -> None:
    packet_id = truc("submit", "--as", so, letter(tmp_path, "d-12", "H37.25.03"), "--json").document["results"][0][
        "packet_id"
    ]
    arrival_of(truc, so, packet_id)
    before = truc(*REPORT, node, "--json").document
    for code in ("03", "05", "06"):
        truc("status", "send", "--as", xa, packet_id, code)
    after = truc(*REPORT, node, "--json").document

    def of_commune(document: dict[str, list[dict[str, object]]]) -> dict[str, int]:
        return next(one for one in document["units"] if one["unit"] == "H37.25.03")  # type: ignore[return-value]

    assert of_commune(after)["full"] == of_commune(before)["full"] + 1
    assert of_commune(after)["arrival_only"] == of_commune(before)["arrival_only"] - 1
    assert of_commune(after)["total"] == of_commune(before)["total"]
    assert "UBND xã Hoa Hồi" in truc(*REPORT, node).out
    long_ago = truc(*REPORT, node, "--from", "01/01/2020", "--to", "2020-12-31", "--json").document
    assert (long_ago["units"], long_ago["from"], long_ago["to"]) == ([], "2020-01-01", "2020-12-31")
    assert truc(*REPORT, node, "--from", "2020-12-31", "--to", "2020-01-01").code == 2


def test_credentials_that_are_missing_exposed_or_wrong(truc: Truc, so: Path, tmp_path: Path) -> None:
    (tmp_path / "exposed.json").write_bytes(so.read_bytes())
    (tmp_path / "exposed.json").chmod(0o644)
    forged = json.loads(so.read_text()) | {"secret": "x" * 43}
    (tmp_path / "forged.json").touch(0o600)
    (tmp_path / "forged.json").write_text(json.dumps(forged))

    assert truc("inbox", "--as", tmp_path / "absent.json", "--json").reason == "CREDENTIAL_MISSING"
    assert truc("inbox", "--as", tmp_path / "exposed.json", "--json").reason == "KEY_FILE_EXPOSED"
    wrong = truc("inbox", "--as", tmp_path / "forged.json", "--json")
    assert (wrong.code, wrong.reason) == (77, "CREDENTIAL_WRONG")


def test_what_is_advised_next_can_be_typed_as_it_stands(truc: Truc, so: Path, tmp_path: Path) -> None:
    sent = truc("submit", "--as", so, letter(tmp_path, "buoc-tiep", "H37.01"))
    advised = next(line.split() for line in sent.out.splitlines() if "truc track" in line)
    entry_of(truc, so, advised[-1])
    fetched = truc("fetch", "--as", so, advised[-1], "-o", tmp_path / "về.edxml")
    then = next(line.split() for line in fetched.out.splitlines() if "truc ack" in line)

    assert (truc(*advised[1:]).code, truc(*then[1:]).code) == (0, 0)


def test_the_variable_stands_for_the_credential(truc: Truc, so: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUC_SYSTEM", str(so))

    assert truc("inbox").code == 0
    assert truc("unit", "search", "hoa hoi", "--json").document["units"][0]["code"] == "H37.25.03"


def test_the_operator_looks_at_a_running_node(truc: Truc, node: Path) -> None:
    seen = truc("doctor", node, "--json")
    names = {check["name"]: check["state"] for check in seen.document["checks"]}
    unknown = truc("peer", "hold", node, "nobody", "--json")

    assert seen.code == 0
    assert (names["running"], names["outbox"], names["peers"]) == ("fine", "fine", "fine")
    assert truc("outbox", node, "--json").document == {"entries": [], "more": False}
    assert truc("peer", "list", node, "--json").document == {"peers": []}
    assert (unknown.code, unknown.reason) == (65, "NOT_FOUND")
    assert "Hộp đi trống" in truc("outbox", node).out
    assert truc("outbox", node, "--quarantine", "--json").document == {"entries": [], "more": False}
    assert "Không có gì bị giữ lại" in truc("outbox", node, "--quarantine").out
    assert truc("outbox", node, "--release", "0123456789abcdef").code == 65
    assert truc("outbox", node, "--release", "").code == truc("outbox", node, "--peer", " ").code == 2
    nobodys, own = truc("outbox", node, "--peer", "khong", "--json"), truc("peer", "hold", node, "h37", "--json")
    assert (nobodys.code, nobodys.reason) == (65, "NOT_FOUND")
    assert (own.code, own.reason) == (65, "REQUEST_INVALID")


def test_the_operator_holds_a_packet_and_lets_it_go(truc: Truc, so: Path, node: Path, tmp_path: Path) -> None:
    assert "Không gói tin nào" in truc("hold", "list", node).out
    assert truc("hold", "set", node, "abc", "--reason", "vụ 12", "--json").reason == "REQUEST_INVALID"
    assert truc("hold", "set", node, "0" * 32, "--reason", "vụ 12", "--json").reason == "NOT_FOUND"
    assert truc("hold", "lift", node, "0" * 32, "--json").reason == "NOT_FOUND"


def test_the_health_of_a_running_node_is_one_line_and_an_exit_code(truc: Truc, node: Path) -> None:
    well = truc("health", node)
    seen = truc("health", node, "--json").document

    assert well.code == 0
    assert "khỏe, danh bạ phiên bản" in well.out
    assert "không khỏe" not in well.out
    assert (seen["healthy"], [one for one in seen["findings"] if one["grave"]]) == (True, [])


def test_a_second_process_in_the_same_home_is_refused(truc: Truc, node: Path) -> None:
    second = truc("serve", node, "--json")

    assert (second.code, second.reason) == (78, "HOME_IN_USE")


def test_a_port_that_is_taken_is_named(truc: Truc, node: Path, tmp_path: Path) -> None:
    taken = truc("node", "show", node, "--json").document["office"]
    truc(
        "node",
        "create",
        tmp_path / "n",
        "--id",
        "n",
        "--name",
        "N",
        "--mesh",
        "127.0.0.1:0",
        "--advertise",
        "",
        "--office",
        taken,
    )
    refused = truc("serve", tmp_path / "n", "--json")
    seen = truc("doctor", tmp_path / "n", "--json").document["checks"]

    assert (refused.code, refused.reason) == (78, "PORT_IN_USE")
    assert taken in refused.document["error"]["detail"]
    assert [check["state"] for check in seen if check["name"] == "port"] == ["wrong"]


def test_a_node_that_does_not_run_is_told_as_such(truc: Truc, tmp_path: Path) -> None:
    truc("node", "create", tmp_path / "n", "--id", "n", "--name", "N", "--office", f"127.0.0.1:{free_ports(1)[0]}")
    silent = truc("outbox", tmp_path / "n", "--json")
    unwell = truc("health", tmp_path / "n", "--json")

    assert (silent.code, silent.reason) == (unwell.code, unwell.reason) == (75, "PEER_UNREACHABLE")
    assert "truc serve" in silent.document["error"]["advice"]


def test_a_running_node_does_not_get_its_directory_behind_its_back(truc: Truc, node: Path) -> None:
    before = sorted((node / "directory").rglob("*"))
    refused = truc("node", "update", node, node.parent / "danh-ba" / "public", "--json")

    assert (refused.code, refused.reason) == (78, "HOME_IN_USE")
    assert "--refresh" in refused.document["error"]["advice"]
    assert sorted((node / "directory").rglob("*")) == before
