"""Life in the sandbox: who answers how, what days do when they pass, what is written to the vendor, and what the doors say."""

import asyncio
import itertools
import json
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from node.client import Office, RulesBroken
from node.edxml.judging import judge
from node.edxml.rules.units import canonical
from node.errors import Deferred, Rejected
from node.model.deadline import DeadlineKind
from node.model.delivery import State
from node.model.envelope import PacketKind
from node.model.life import LifeState
from node.model.office import DeliveryView, InboxEntry
from node.model.packet import ResponseFor
from node.model.policy import MIB
from node.model.reason import Reason
from node.sandbox.cast import COUNTERPARTS, VENDOR_UNITS, Counterpart
from node.sandbox.papers import Paper, Style, status_of, withdrawal
from node.sandbox.writing import packet_of
from tests.sandbox.conftest import Running, eventually

NUMBERS = itertools.count(1)
BY_CODE = {one.unit.code: one for one in COUNTERPARTS}
OWN = VENDOR_UNITS[0]


@pytest.fixture(scope="module")
def office(sandbox: Running) -> Office:
    return sandbox.office()


def letter(sandbox: Running, to: Counterpart) -> Paper:
    now_ms = sandbox.door.get("state")["now_ms"]
    return Paper(OWN, to.unit, str(next(NUMBERS)), "STN-VP", "V/v thử hộp cát", now_ms)


def sent(office: Office, paper: Paper) -> bytes:
    return office.submit(b"".join(packet_of(paper))).packet_id


def delivery(office: Office, packet_id: bytes) -> DeliveryView:
    return office.track(packet_id=packet_id).deliveries[0]


def statuses(office: Office, packet_id: bytes) -> list[str]:
    return [one.code for one in delivery(office, packet_id).statuses]


def arrived(sandbox: Running, office: Office, packet_id: bytes) -> None:
    """Wait until it is there, and let the seconds pass that a counterpart takes to answer."""
    eventually(lambda: "01" in statuses(office, packet_id))
    sandbox.door.post("advance", "10s")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("G99.01", ["01", "03", "04", "05", "06"]),
        ("G99.02", ["01", "02"]),
        ("H98.01", ["01", "03"]),
        ("H98.02", ["01", "03"]),
    ],
)
def test_counterparts_answer_by_themselves(sandbox: Running, office: Office, code: str, expected: list[str]) -> None:
    packet_id = sent(office, letter(sandbox, BY_CODE[code]))
    arrived(sandbox, office, packet_id)

    eventually(lambda: sorted(statuses(office, packet_id)) == expected)


def test_a_refusal_has_its_reason(sandbox: Running, office: Office) -> None:
    packet_id = sent(office, letter(sandbox, BY_CODE["G99.02"]))
    arrived(sandbox, office, packet_id)
    found = eventually(lambda: [one for one in delivery(office, packet_id).statuses if one.code == "02"])

    assert "thẩm quyền" in found[0].description


def test_days_pass_when_they_are_told_to(sandbox: Running, office: Office) -> None:
    slow, silent = BY_CODE["G99.04"], BY_CODE["G99.03"]
    at_pace, unanswered = sent(office, letter(sandbox, slow)), sent(office, letter(sandbox, silent))
    eventually(lambda: statuses(office, at_pace) == ["01"])
    sandbox.door.post("advance", "2h")
    eventually(lambda: statuses(office, at_pace) == ["01", "03", "04"])
    said = json.loads(sandbox.truc("sandbox", "advance", "3d", "--json").stdout)
    eventually(lambda: statuses(office, at_pace) == ["01", "03", "04", "05", "06"])

    assert said["ahead_ms"] >= 3 * 86_400_000
    assert delivery(office, unanswered).state is State.DELIVERED
    assert statuses(office, unanswered) == []
    now_ms = sandbox.door.get("state")["now_ms"]
    deadlines = {one.kind: one.is_overdue(now_ms) for one in delivery(office, unanswered).deadlines}
    assert deadlines[DeadlineKind.RECEIPT], "who keeps silent for three days is late"


def test_who_is_never_at_home_is_waited_for_and_then_given_up(sandbox: Running, office: Office) -> None:
    packet_id = sent(office, letter(sandbox, BY_CODE["H97.01"]))
    eventually(lambda: delivery(office, packet_id).reason is Reason.PEER_UNREACHABLE)
    assert delivery(office, packet_id).state is State.WAITING
    sandbox.door.post("advance", "31d")
    eventually(lambda: delivery(office, packet_id).state is State.FAILED)

    assert delivery(office, packet_id).reason is Reason.EXPIRED_UNCONFIRMED


def test_certificates_and_the_directory_do_not_run_out_with_the_sandboxs_years(
    sandbox: Running, office: Office
) -> None:
    sandbox.door.post("advance", "3650d")
    packet_id = sent(office, letter(sandbox, BY_CODE["G99.01"]))
    arrived(sandbox, office, packet_id)

    eventually(lambda: "06" in statuses(office, packet_id))
    with sandbox.office() as new_connection:
        assert new_connection.search_units("Làm Ngay")


@pytest.mark.parametrize("by_status", [False, True], ids=["packet", "status 13"])
@pytest.mark.parametrize(("code", "life"), [("H98.01", LifeState.WITHDRAWN), ("H98.02", LifeState.WITHDRAWAL_REFUSED)])
def test_withdrawals_are_agreed_to_or_refused(
    sandbox: Running, office: Office, code: str, life: LifeState, by_status: bool
) -> None:
    paper = letter(sandbox, BY_CODE[code])
    packet_id = sent(office, paper)
    arrived(sandbox, office, packet_id)
    eventually(lambda: "03" in statuses(office, packet_id))
    if by_status:
        about = ResponseFor(code, paper.code, paper.own_id, paper.date)
        office.submit(status_of(OWN, about, "13", "Gửi nhầm", paper.at_ms))
    else:
        sent(office, paper.about(withdrawal("Gửi nhầm"), "Thu hồi", paper.at_ms))

    eventually(lambda: delivery(office, packet_id).life is LifeState.WITHDRAWAL_ASKED)
    sandbox.door.post("advance", "10s")
    eventually(lambda: delivery(office, packet_id).life is life)


def inbox(office: Office) -> list[InboxEntry]:
    return list(office.inbox())


@pytest.mark.parametrize(
    ("kind", "business_types"),
    [
        ("new", [0]),
        ("old-code", [0]),
        ("update", [2]),
        ("withdraw", [1]),
        ("replace", [3]),
        ("minimal", [0]),
        ("full", [0]),
        ("characters", [0]),
        ("largest", [0]),
        ("odd", [0, 0, 0, 0]),
    ],
)
def test_what_is_asked_for_is_written_to_the_vendor(
    sandbox: Running, office: Office, kind: str, business_types: list[int]
) -> None:
    unit = VENDOR_UNITS[1]
    if kind in ("update", "withdraw", "replace"):  # of a document that the unit has read
        (before,) = sandbox.door.post("send", json.dumps({"kind": "new", "unit": unit.code}))["sent"]
        eventually(lambda: bytes.fromhex(before["packet_id"]) in [one.packet_id for one in inbox(office)])
        office.fetch(bytes.fromhex(before["packet_id"]), unit.code)
    said = sandbox.door.post("send", json.dumps({"kind": kind, "unit": unit.old_code}))["sent"]
    ids = [bytes.fromhex(one["packet_id"]) for one in said]
    eventually(lambda: {one.packet_id for one in inbox(office)} >= set(ids))
    entries = {one.packet_id: one for one in inbox(office)}

    assert [entries[one].business_type for one in ids] == business_types
    assert {entries[one].unit for one in ids} == {unit.code}
    for one in ids:
        packet, findings = judge(office.fetch(one, unit.code, lease_ms=-1).packet, None)
        assert {finding.code for finding in findings} == {"EDXML-080"}
        assert canonical(packet.header.to[0].organ_id) == unit.code


def test_whoever_writes_to_the_odd_one_gets_odd_packets(sandbox: Running, office: Office) -> None:
    before = {one.packet_id for one in inbox(office)}
    sent(office, letter(sandbox, BY_CODE["H98.04"]))

    def odd() -> list[InboxEntry]:
        new = [one for one in inbox(office) if one.packet_id not in before]
        return [one for one in new if one.sender_unit == "H98.04" and one.kind is PacketKind.DOCUMENT]

    eventually(lambda: len(odd()) == 4)
    assert max(one.packet_bytes for one in odd()) > 1.9 * MIB
    assert {one.unit for one in odd()} == {OWN.code}


def test_the_bridge_is_open_with_the_secret_that_was_printed(sandbox: Running) -> None:
    async def story() -> Any:
        return await sandbox.sdk().call("getReceivedEdocList", servicetype="eDoc", messagetype="edoc")

    assert asyncio.run(story()).ok


def test_a_registered_agency_reaches_the_other_nodes_by_itself(sandbox: Running) -> None:
    async def story() -> bool:
        agency = {"pcode": "H99.01", "code": "H99.01.07", "name": "Phòng Mới Lập (mẫu)"}
        return (await sandbox.sdk().register_agency(agency)).ok

    assert asyncio.run(story())
    with sandbox.ministry() as other:
        eventually(lambda: [one.code for one in other.search_units("Mới Lập")] == ["H99.01.07"])


def test_what_the_node_did_not_take_is_told_at_the_door(sandbox: Running, office: Office) -> None:
    paper = replace(letter(sandbox, BY_CODE["G99.01"]), style=Style.PLAIN)
    packet = b"".join(packet_of(paper)).replace(f">{paper.own_id}<".encode(), b"><")
    with pytest.raises(RulesBroken):
        office.submit(packet)
    last = sandbox.door.get("refused")["refused"][-1]

    assert last["reason"] == "PACKET_BREAKS_RULES"
    assert [one["code"] for one in last["findings"]] == ["EDXML-013"]
    assert OWN.code in last["units"]


@pytest.mark.parametrize(
    ("name", "body", "detail"),
    [
        ("advance", "2x", "a span"),
        ("advance", '{"to": "2d"}', "không có trường to; có: by"),
        ("advance", "", "hãy ghi 2d"),
        ("advance", "3651d", "a span"),
        ("send", "", "hãy ghi new"),
        ("send", "new H99.01 now", "thừa: now"),
        ("send", '{"kind": "bomb"}', "is none of"),
        ("send", '{"kind": "new", "unit": "G99.01"}', "none of the sandbox's test units"),
        ("send", '{"kind": "new", "unit": "../.."}', "not an identifier code"),
        ("send", "x" * 10_000, "a body of more than"),
        ("nowhere", "", "there is nothing here"),
    ],
)
def test_a_bad_order_is_refused_in_words(sandbox: Running, name: str, body: str, detail: str) -> None:
    with pytest.raises(Rejected, match=detail):
        sandbox.door.post(name, body)


def test_without_its_token_the_door_tells_nothing(sandbox: Running) -> None:
    address = sandbox.said["endpoint"].rpartition("/")[0]
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{address}/state")

    assert refused.value.code == 404
    assert b"secret" not in refused.value.read()


def test_another_program_on_the_port_is_no_sandbox(tmp_path: Path) -> None:
    from node.sandbox.remote import Remote

    with pytest.raises(Deferred, match="no sandbox answers"):
        Remote("http://127.0.0.1:1/token").get("state")
    for wrong in (
        "",
        "https://127.0.0.1:7481/t",
        "http://127.0.0.1:7481",
        "http://127.0.0.1/t",
        "http://[::1:9/t",
        "file:///etc/passwd",
    ):
        with pytest.raises(Rejected, match="no sandbox's door"):
            Remote(wrong)
