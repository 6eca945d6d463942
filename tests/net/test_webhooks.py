"""Webhooks over HTTP: which systems are told, what is signed, and receivers that mean no good."""

import asyncio
import base64
import json
import ssl
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from node.access.systems import Systems
from node.access.webhooks import SECRET_PREFIX, HookFiles
from node.errors import Broken, Fault
from node.model.reason import Reason
from node.model.webhook import HookMessage
from node.net.webhook_client import HookClient, signature_headers
from node.net.webhooks import HttpHooks
from node.wire.webhook import trial_message
from tests.hook_receiver import Receiver, Rude
from tests.keyrings import new_keyring
from tests.web.real_bridge import certificate

KEYS = new_keyring("h49")
SEALING = KEYS.public_keys().sealing[0]


def message() -> HookMessage:
    return trial_message("qlvb", "h49", "fresh", time.time_ns() // 1_000_000)


def files(folder: Path) -> HookFiles:
    Systems(folder).create("qlvb", ["H49.22"])
    return HookFiles(folder, KEYS)


def post(hooks: HttpHooks) -> None:
    assert set(hooks.all()) == {"qlvb"}
    asyncio.run(hooks.post("qlvb", message()))


def posted(url: str, *, post_s: float = 5.0, ca_file: str = "") -> int:
    return asyncio.run(HookClient("truc test", post_s=post_s).post(url, ca_file, b"secret", message()))


def fault_of(url: str, **how: object) -> Fault:
    with pytest.raises(Fault) as caught:
        posted(url, **how)  # type: ignore[arg-type]
    return caught.value


# --- which systems are told -------------------------------------------------------------------------------------------


def test_a_revoked_system_is_told_nothing_more_and_the_same_object_means_no_change(tmp_path: Path) -> None:
    made, systems = files(tmp_path), Systems(tmp_path)
    hooks = HttpHooks(made, systems, HookClient("truc"))
    none = hooks.all()
    made.set("qlvb", "https://a.example", None, 5, SEALING)
    one = hooks.all()
    same = hooks.all()
    systems.add_unit("qlvb", "H49.23")
    wider = hooks.all()
    systems.revoke("qlvb")

    assert (dict(none), one is same, wider["qlvb"].units) == ({}, True, frozenset({"H49.22", "H49.23"}))
    assert dict(hooks.all()) == {}
    assert not (tmp_path / "qlvb.webhook").exists()


def test_a_file_that_cannot_be_read_leaves_only_its_own_system_out(tmp_path: Path) -> None:
    made = files(tmp_path)
    Systems(tmp_path).create("other", ["H49.23"])
    for name in ("qlvb", "other"):
        made.set(name, "https://a.example", None, 5, SEALING)
    whole = json.loads((tmp_path / "other.webhook").read_text())
    for damage in (b"{}", b"no json", json.dumps({**whole, "secret": {"key_id": "00"}}).encode()):
        (tmp_path / "other.webhook").write_bytes(damage)
        assert set(HttpHooks(made, Systems(tmp_path), HookClient("truc")).all()) == {"qlvb"}
    # One system's file in another's place does not give it the other's secret.
    (tmp_path / "other.webhook").write_bytes((tmp_path / "qlvb.webhook").read_bytes())
    assert set(HttpHooks(made, Systems(tmp_path), HookClient("truc")).all()) == {"qlvb"}
    (tmp_path / "other.webhook").chmod(0o644)
    with pytest.raises(Broken):
        made.read("other")


# --- the request --------------------------------------------------------------------------------------------------------


def test_a_receiver_verifies_what_it_gets_over_http_on_this_machine(tmp_path: Path) -> None:
    made = files(tmp_path)
    with Receiver() as receiver:
        receiver.secret = made.set("qlvb", receiver.url, None, 5, SEALING)
        post(HttpHooks(made, Systems(tmp_path), HookClient("truc 1")))

    [(path, headers, body)] = receiver.requests
    assert (path, receiver.mistakes) == ("/hooks/truc?a=1", [])
    assert [document["type"] for document in receiver.documents] == ["truc.test"]
    assert (headers["user-agent"], headers["content-type"]) == ("truc 1", "application/json")
    assert body.isascii()


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of Standard Webhooks 1.0, "Signature scheme"."""
    body = b'{"event_type":"ping","data":{"success":true}}'
    message = HookMessage("msg_loFOjxBNrRLzqYUf", body, 1_731_705_121_999)
    fields = signature_headers(base64.b64decode("plJ3nmyCDGBKInavdOK15jsl"), message)

    assert fields["webhook-timestamp"] == "1731705121"
    assert fields["webhook-signature"] == "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="


def test_https_is_verified_with_the_authority_that_was_named_and_with_no_other(tmp_path: Path) -> None:
    mine = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(mine.certificate, mine.key)
    with Receiver(tls=context) as receiver:
        assert posted(receiver.url, ca_file=str(mine.certificate)) == 204
        unknown = fault_of(receiver.url)
        wrong_name = fault_of(receiver.url.replace("127.0.0.1", "127.0.0.2"), ca_file=str(mine.certificate))
        (tmp_path / "empty.pem").write_text("nothing")
        unusable = fault_of(receiver.url, ca_file=str(tmp_path / "empty.pem"))
        missing = fault_of(receiver.url, ca_file=str(tmp_path / "missing.pem"))

    assert (unknown.reason, unusable.reason, missing.reason) == (
        Reason.HOOK_TLS_FAILED, Reason.KEY_UNUSABLE, Reason.KEY_FILE_MISSING,
    )  # fmt: skip
    assert wrong_name.reason in (Reason.HOOK_TLS_FAILED, Reason.HOOK_UNREACHABLE)
    assert len(receiver.requests) == 1


def test_a_plain_server_where_tls_is_expected_gets_nothing(tmp_path: Path) -> None:
    with Receiver() as receiver:
        told = fault_of(receiver.url.replace("http:", "https:"))

    assert (told.reason, receiver.requests) == (Reason.HOOK_TLS_FAILED, [])


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with Receiver() as inner, Receiver() as receiver:
        receiver.answer = lambda: (status, {"location": inner.url})
        told = fault_of(receiver.url)

    assert (told.reason, inner.requests) == (Reason.HOOK_REFUSED, [])
    assert f"HTTP {status}" in told.detail


@pytest.mark.parametrize(
    ("status", "fields", "pause_ms"),
    [(500, {}, 0), (410, {}, 0), (429, {"retry-after": "120"}, 120_000), (503, {"Retry-After": "9" * 30}, 0),
     (503, {"retry-after": "99999"}, 3_600_000), (503, {"retry-after": "-5"}, 0), (503, {"retry-after": "soon"}, 0)],
)  # fmt: skip
def test_what_is_not_2xx_is_not_taken_and_a_time_that_is_asked_for_is_heard(
    status: int, fields: dict[str, str], pause_ms: int
) -> None:
    with Receiver() as receiver:
        receiver.answer = lambda: (status, fields)
        told = fault_of(receiver.url)

    assert (told.reason, told.retry_after_ms) == (Reason.HOOK_REFUSED, pause_ms)


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as proxy, Receiver() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert posted(receiver.url) == 204

    assert (len(receiver.requests), proxy.requests) == (1, [])


def test_nobody_there_and_no_such_name() -> None:
    with Receiver() as receiver:
        url = receiver.url
    closed = fault_of(url)
    nameless = fault_of("https://a..b/")

    assert {closed.reason, nameless.reason} == {Reason.HOOK_UNREACHABLE}


def test_an_answer_without_end_is_not_read_beyond_its_status() -> None:
    with Rude(b"HTTP/1.1 200 OK\r\n\r\n", again=b"x" * 65_536) as rude:
        assert posted(rude.url) == 200
    assert rude.sent_bytes < 64 * 1024 * 1024


@pytest.mark.parametrize(
    ("pieces", "again", "every_s"),
    [((), b"", 0.0), ((b"HTTP/1.1 200",), b" ", 0.05), ((b"HTTP/1.1 200 OK\r\nx: ",), b"y", 0.05), ((), b"HTTP/1.1 103 X\r\n\r\n", 0.05)],
    ids=["silence", "status in drops", "header in drops", "interim answers for ever"],
)  # fmt: skip
def test_an_answer_that_does_not_come_is_given_up_in_time(
    pieces: tuple[bytes, ...], again: bytes, every_s: float
) -> None:
    with Rude(*pieces, again=again, every_s=every_s) as rude:
        began_s = time.monotonic()
        told = fault_of(rude.url, post_s=0.5)
        lasted_s = time.monotonic() - began_s

    assert told.reason in (Reason.HOOK_UNREACHABLE, Reason.HOOK_REFUSED)
    assert lasted_s < 3


@pytest.mark.parametrize(
    "answer",
    [b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 300_000, b"\0" * 100],
    ids=["another protocol", "a header without end", "zeros"],
)
def test_what_is_no_answer_is_not_taken(answer: bytes) -> None:
    with Rude(answer) as rude:
        assert fault_of(rude.url, post_s=2.0).reason is Reason.HOOK_REFUSED


def test_what_vendors_are_told_to_write_verifies_our_messages_and_nothing_else() -> None:
    """The ten lines of deploy/webhook.md, as they stand there."""
    page = (Path(__file__).parents[2] / "deploy" / "webhook.md").read_text("utf-8")
    written: dict[str, Any] = {}
    exec(page.partition("```python\n")[2].partition("```")[0], written)
    sent, key = message(), b"k" * 32
    secret, fields = SECRET_PREFIX + base64.b64encode(key).decode(), signature_headers(key, sent)

    assert written["notices"](secret, fields, sent.body) == []
    late = signature_headers(key, replace(sent, time_ms=sent.time_ms - 400_000))
    other = SECRET_PREFIX + base64.b64encode(b"x" * 32).decode()
    for wrong in ((secret, fields, sent.body + b" "), (other, fields, sent.body), (secret, late, sent.body),
                  (secret, {**fields, "webhook-id": "other"}, sent.body)):  # fmt: skip
        with pytest.raises(ValueError, match=r"secret|old"):
            written["notices"](*wrong)
