"""`truc system webhook` beside a node that runs and one that stands still; and what the doctor says of webhooks and the bridge."""

import time
from pathlib import Path

import pytest

from node.model.reason import Reason
from node.model.webhook import HookView
from node.ops.doctor.doors import check_hooks
from node.seal.tls import create_certificate
from tests.cli.conftest import Admitted, Truc
from tests.cli.test_doctor import found
from tests.clocks import now_ms
from tests.hook_receiver import Receiver
from tests.real_mesh import wait_for

DAY_MS = 86_400_000


def test_an_address_is_set_tried_told_shown_and_taken_away_beside_a_running_node(truc: Truc, node: Path) -> None:
    with Receiver() as receiver:
        made = truc("system", "webhook", "set", node, "so", receiver.url)
        receiver.secret = next(word for word in made.out.split() if word.startswith("whsec_"))
        tried = truc("system", "webhook", "test", node, "so")
        wait_for(lambda: len(receiver.notices()) == 1, 15.0, "the first notice")
        wait_for(lambda: "báo lần cuối" in truc("system", "webhook", "show", node, "so").out, 15.0, "the state")
        listed = truc("system", "list", node)
        as_json = truc("system", "list", node, "--json").document["systems"]
        examined = truc("doctor", node, "--json")
        again = truc("system", "webhook", "set", node, "so", receiver.url, "--json").document
        gone = truc("system", "webhook", "off", node, "so")
        after = truc("system", "webhook", "show", node, "so", "--json")

    assert (made.code, tried.code, gone.code, receiver.mistakes) == (0, 0, 0, [])
    assert "chỉ hiện một lần" in made.out
    assert "trả lời 204" in tried.out
    assert receiver.documents[0]["type"] in ("truc.test", "truc.notices")
    assert "Báo tin" in listed.out
    assert [(one["system"], (one["webhook"] or {}).get("url")) for one in as_json] == [
        ("so", receiver.url),
        ("xa", None),
    ]
    assert next(one for one in as_json if one["system"] == "so")["webhook"]["state"]["told"] == 1
    assert found(examined, "webhooks", "fine")
    assert again["secret"] == ""
    assert (after.code, after.reason) == (65, "NOT_FOUND")


def test_an_address_that_does_not_answer_is_told_by_the_test(truc: Truc, node: Path) -> None:
    with Receiver() as receiver:
        truc("system", "webhook", "set", node, "xa", receiver.url)
        receiver.answer = lambda: (500, {})
        refused = truc("system", "webhook", "test", node, "xa", "--json")
    away = truc("system", "webhook", "test", node, "xa")
    truc("system", "webhook", "off", node, "xa")

    assert (refused.code, refused.reason) == (75, "HOOK_REFUSED")
    assert away.code == 75
    assert "không trả lời" in away.err


def test_a_node_that_stands_still_shows_what_is_set_and_says_that_it_does_not_know_more(
    truc: Truc, admitted: Admitted, tmp_path: Path
) -> None:
    home = admitted.home
    truc("system", "add", home, "s", "--unit", "H37.01", "-o", tmp_path / "s.json")
    wrong = truc("system", "webhook", "set", home, "s", "http://10.0.0.1/x", "--json")
    nobody = truc("system", "webhook", "set", home, "t", "https://a.example/x", "--json")
    truc("system", "webhook", "set", home, "s", "https://a.example/x")
    shown = truc("system", "webhook", "show", home, "s")
    listed = truc("system", "list", home)

    assert (wrong.code, wrong.reason, nobody.code, nobody.reason) == (65, "REQUEST_INVALID", 65, "NOT_FOUND")
    assert "https" in wrong.document["error"]["detail"]
    assert "nút không chạy" in shown.out
    assert "đã đặt" in listed.out
    assert truc("system", "revoke", home, "s").code == 0
    assert not (home / "systems" / "s.webhook").exists()


def view(**changes: object) -> HookView:
    fields = {"system": "so", "waiting": 0, "swallowed": 0, "told": 1, "failures": 0, "reason": Reason.NONE, "detail": "",
              "first_failure_ms": 0, "next_attempt_ms": 0, "last_success_ms": 1, "given_up_ms": 0}  # fmt: skip
    return HookView(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "state", "words"),
    [
        ({}, "fine", "đều nhận"),
        ({"failures": 2, "reason": Reason.HOOK_REFUSED, "first_failure_ms": 95 * DAY_MS}, "fine", "đều nhận"),
        ({"failures": 9, "reason": Reason.HOOK_REFUSED, "first_failure_ms": 90 * DAY_MS, "detail": "HTTP 500"}, "warning", "HTTP 500"),
        ({"failures": 99, "reason": Reason.HOOK_TLS_FAILED, "given_up_ms": 93 * DAY_MS, "swallowed": 7}, "warning", "đã ngừng báo"),
    ],
)  # fmt: skip
def test_the_doctor_tells_of_addresses_that_have_not_taken_anything_for_long(
    changes: dict[str, object], state: str, words: str
) -> None:
    [check] = check_hooks([view(**changes)], 95 * DAY_MS)

    assert (check.state.value, words in check.said) == (state, True)
    assert state == "fine" or check.advice


# --- the certificate of the bridge ------------------------------------------------------------------------------------


def settings(home: Path, vxp: str) -> None:
    text = (home / "node.toml").read_text("utf-8").partition("\n[vxp]")[0]
    (home / "node.toml").write_text(f"{text}\n[vxp]\n{vxp}", "utf-8")


def bridge(home: Path, listen: str, names: list[str], *, days: int = 300, age_days: int = 0) -> None:
    """Let a node open its bridge with a certificate."""
    made = create_certificate(names[0], names, days, now_ms() - age_days * DAY_MS)
    (home / "vxp.crt").write_bytes(made.certificate_pem)
    (home / "vxp.key").touch(0o600)
    (home / "vxp.key").write_bytes(made.key_pem)
    settings(home, f'listen = "{listen}"\ncertificate = "vxp.crt"\nkey = "vxp.key"\n')


@pytest.mark.parametrize(
    ("listen", "names", "days", "age_days", "state", "words"),
    [
        ("0.0.0.0:7403", ["vxp.h37.example"], 300, 0, "fine", "vxp.h37.example"),
        ("vxp.h37.example:7403", ["*.h37.example"], 300, 0, "fine", "*.h37.example"),
        ("127.0.0.1:7403", ["other.example"], 300, 0, "warning", "other.example"),
        ("0.0.0.0:7403", ["vxp.h37.example"], 20, 0, "warning", "đến"),
        ("0.0.0.0:7403", ["vxp.h37.example"], 20, 30, "wrong", "đến"),
    ],
)
def test_the_doctor_reads_the_certificate_of_the_bridge(
    truc: Truc, admitted: Admitted, listen: str, names: list[str], days: int, age_days: int, state: str, words: str
) -> None:
    bridge(admitted.home, listen, names, days=days, age_days=age_days)
    [check] = found(truc("doctor", admitted.home, "--json"), "vxp", state)

    assert words in check["said"]


def test_the_doctor_finds_files_of_the_bridge_that_cannot_serve(truc: Truc, admitted: Admitted) -> None:
    home = admitted.home
    bridge(home, "0.0.0.0:7403", ["vxp.h37.example"])
    (home / "vxp.key").chmod(0o644)
    exposed = found(truc("doctor", home, "--json"), "vxp")
    (home / "vxp.key").chmod(0o600)
    stranger = create_certificate("x", ["x"], 30, time.time_ns() // 1_000_000)
    (home / "vxp.crt").write_bytes(stranger.certificate_pem)
    other = found(truc("doctor", home, "--json"), "vxp")
    (home / "vxp.crt").unlink()
    missing = found(truc("doctor", home, "--json"), "vxp")

    assert ["chmod 600" in exposed[0]["advice"], "không đi với nhau" in other[0]["advice"]] == [True, True]
    assert "vxp.crt" in missing[0]["said"]


def test_the_doctor_warns_of_a_bridge_without_tls(truc: Truc, admitted: Admitted) -> None:
    risk = "ai trên đường truyền cũng đọc và sửa được văn bản"
    settings(admitted.home, f'listen = "0.0.0.0:7403"\nhttp_risk = "{risk}"\n')
    [check] = found(truc("doctor", admitted.home, "--json"), "vxp", "warning")

    assert risk in check["said"]
