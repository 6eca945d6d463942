"""Files of webhooks: which addresses may be called, and secrets that are shown once and lie encrypted."""

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from node.access.systems import Systems
from node.access.webhooks import SECRET_PREFIX, HookFiles, check_url
from node.errors import Fault
from node.model.reason import Reason
from node.seal.keyring import Keyring

KEYS = Keyring("h49", [Ed25519PrivateKey.generate()], [X25519PrivateKey.generate()])
SEALING = KEYS.public_keys().sealing[0]


def files(folder: Path) -> HookFiles:
    Systems(folder).create("qlvb", ["H49.22"])
    return HookFiles(folder, KEYS)


def test_a_secret_is_shown_once_lies_encrypted_and_stays_when_the_address_changes(tmp_path: Path) -> None:
    made = files(tmp_path)
    secret = made.set("qlvb", "https://a.example/x", None, 5, SEALING)
    path = tmp_path / "qlvb.webhook"
    first = made.read("qlvb")
    again = made.set("qlvb", "https://b.example/y", None, 5, SEALING)
    second = made.read("qlvb")
    newest = made.set("qlvb", "https://b.example/y", None, 5, SEALING, new_secret=True)

    assert secret.startswith(SECRET_PREFIX)
    assert (again, newest != secret, newest.startswith(SECRET_PREFIX)) == ("", True, True)
    assert first is not None
    assert second is not None
    assert (first.secret, first.url, second.url) == (second.secret, "https://a.example/x", "https://b.example/y")
    assert second.set_ms > first.set_ms, "set anew, though the clock stood still"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secret.removeprefix(SECRET_PREFIX) not in path.read_text()


@pytest.mark.parametrize(
    "url",
    ["", "nowhere", "ftp://a.example/", "https://", "https:///x", "http://a.example/", "http://10.0.0.1/", "https://u:p@a.example/",
     "https://a.example/#x", "https://a.example/\r\nx: y", "https://a.example/á", "https://a.example:0/", "https://a.example:99999/",
     "https://a.example:x/", "https://[::1/", "https://a.example/" + "x" * 2_000, "http://127.0.0.1@a.example/", "http://localhost.a.example/",
     "https://a.example\\@b.example/", "file:///etc/passwd", "http://2130706433/"],
)  # fmt: skip
def test_what_may_not_be_called_is_refused_and_nothing_is_written(tmp_path: Path, url: str) -> None:
    with pytest.raises(Fault) as caught:
        files(tmp_path).set("qlvb", url, None, 5, SEALING)

    assert caught.value.reason is Reason.REQUEST_INVALID
    assert not (tmp_path / "qlvb.webhook").exists()


@pytest.mark.parametrize(
    "url",
    ["https://a.example", "https://a.example:8443/x?y=z", "https://10.1.2.3/", "http://127.0.0.1:8080/", "http://[::1]:1/x", "http://localhost/"],
)  # fmt: skip
def test_what_may_be_called(url: str) -> None:
    check_url(url)


def test_systems_that_are_not_there_and_authorities_that_are_not_there(tmp_path: Path) -> None:
    made = files(tmp_path)
    for call, reason in (
        (lambda: made.set("nobody", "https://a.example", None, 5, SEALING), Reason.NOT_FOUND),
        (lambda: made.set("../x", "https://a.example", None, 5, SEALING), Reason.REQUEST_INVALID),
        (lambda: made.set("qlvb", "https://a.example", tmp_path / "no.pem", 5, SEALING), Reason.KEY_FILE_MISSING),
        (lambda: made.remove("qlvb"), Reason.NOT_FOUND),
    ):
        with pytest.raises(Fault) as caught:
            call()
        assert caught.value.reason is reason
