"""A node that cannot start says why, in a sentence for its operator, and ends with the exit code for just that: 78."""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from node.config.home import Homestead
from node.errors import Broken
from node.model.reason import Reason
from node.seal.keyring import create_keys
from tests import real_mesh
from tests.real_mesh import MINISTRY, ROOT, RealMesh

EXIT_BROKEN = Broken.exit_code
START_LIMIT_S = 20


@pytest.fixture(scope="module")
def a_home(tmp_path_factory: pytest.TempPathFactory) -> RealMesh:
    """One node, complete, that does not run."""
    return RealMesh(tmp_path_factory.mktemp("start"), [MINISTRY])


@pytest.fixture
def home(a_home: RealMesh, tmp_path: Path) -> Path:
    """A copy of it to be spoilt."""
    copy = tmp_path / "g14"
    shutil.copytree(a_home["g14"].home, copy, symlinks=True)
    return copy


@dataclass(frozen=True)
class Ended:
    code: int
    words: str


def serve(home: Path, **environment: str) -> Ended:
    """Start the node and wait until it has given up."""
    done = subprocess.run(
        [*real_mesh.SERVE, str(home)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=START_LIMIT_S,
    )
    return Ended(done.returncode, done.stderr)


def refused(ended: Ended, reason: Reason, *names: str) -> None:
    assert ended.code == EXIT_BROKEN, ended.words
    # Each case has a sentence of its own (wording/told.py); what a program reads is the reason.
    assert reason.name in ended.words.replace("\n", ""), ended.words
    for name in names:
        assert name in ended.words.replace("\n", ""), ended.words
    assert "Traceback" not in ended.words


def edit(home: Path, change: Callable[[str], str]) -> None:
    path = home / "node.toml"
    path.write_text(change(path.read_text("utf-8")), "utf-8")


def test_the_home_is_good_before_it_is_spoilt(a_home: RealMesh) -> None:
    try:
        a_home["g14"].start()
        assert a_home["g14"].stop() == 0
    finally:
        a_home.close()


def test_unknown_keys_are_all_named_with_the_nearest_known_one(home: Path) -> None:
    edit(home, lambda text: text + "[limits]\npacket_byte_max = 70000\n[tims]\nlease_ms = 500\n")
    refused(serve(home), Reason.SETTINGS_INVALID, "packet_byte_max", "packet_bytes_max", "tims", "times")


def test_a_value_out_of_range_is_named_with_what_is_allowed(home: Path) -> None:
    edit(home, lambda text: text + "[limits]\npacket_bytes_max = 3\n")
    refused(serve(home), Reason.SETTINGS_INVALID, "packet_bytes_max", "65536")


def test_settings_that_are_no_toml_are_refused(home: Path) -> None:
    edit(home, lambda text: text + "[limits\n")
    refused(serve(home), Reason.SETTINGS_INVALID, "node.toml")


def test_an_unknown_variable_of_the_environment_is_refused(home: Path) -> None:
    refused(serve(home, TRUC_MESSH__LISTEN="127.0.0.1:1"), Reason.SETTINGS_INVALID, "TRUC_MESSH__LISTEN", "mesh")


def test_a_folder_without_a_node_is_refused(tmp_path: Path) -> None:
    refused(serve(tmp_path / "nowhere"), Reason.HOME_MISSING, "nowhere")


PRIVATE_KEYS = ("sign.pem", "seal-0001.pem", "tls.key")


def test_these_are_all_private_keys_of_a_home(home: Path) -> None:
    found = {path.name for path in Homestead(home).keys.iterdir() if b"PRIVATE KEY" in path.read_bytes()}
    assert found == set(PRIVATE_KEYS)


@pytest.mark.parametrize("name", PRIVATE_KEYS)
def test_a_missing_key_file_is_named(home: Path, name: str) -> None:
    (Homestead(home).keys / name).unlink()
    refused(serve(home), Reason.KEY_FILE_MISSING, str(Homestead(home).keys))


@pytest.mark.parametrize(
    ("name", "mode"), [("sign.pem", 0o644), ("sign.pem", 0o620), ("seal-0001.pem", 0o604), ("tls.key", 0o640)]
)
def test_a_key_file_that_others_can_reach_is_refused(home: Path, name: str, mode: int) -> None:
    (Homestead(home).keys / name).chmod(mode)
    refused(serve(home), Reason.KEY_FILE_EXPOSED, name)


def test_a_missing_passphrase_file_is_named(home: Path) -> None:
    edit(home, lambda text: text + '[keys]\npassphrase_file = "secret.txt"\n')
    refused(serve(home), Reason.KEY_FILE_MISSING, "secret.txt")


def test_keys_that_do_not_belong_together_are_refused(home: Path, tmp_path: Path) -> None:
    other = RealMesh(tmp_path / "other", [MINISTRY])
    certificate = Homestead(other["g14"].home).keys / "tls.crt"
    shutil.copy2(certificate, Homestead(home).keys / "tls.crt")
    refused(serve(home), Reason.KEY_UNUSABLE, "tls.crt")


def test_keys_under_a_passphrase_without_it_are_refused(home: Path) -> None:
    keys = Homestead(home).keys
    for name in ("sign.pem", "seal-0001.pem"):
        (keys / name).unlink()
    create_keys(keys, b"mat khau")
    refused(serve(home), Reason.KEY_UNUSABLE)


@pytest.fixture
def running(a_home: RealMesh) -> Iterator[RealMesh]:
    """The node runs, while a second one is started beside it."""
    a_home["g14"].start()
    try:
        yield a_home
    finally:
        a_home.close()


def test_a_data_directory_in_use_is_refused_and_the_first_node_goes_on(running: RealMesh) -> None:
    first = running["g14"]
    ended = serve(first.home, TRUC_MESH__LISTEN="127.0.0.1:0", TRUC_OFFICE__LISTEN="127.0.0.1:0")
    refused(ended, Reason.HOME_IN_USE)
    assert first.process is not None
    assert first.process.poll() is None


def test_a_port_in_use_by_another_node_is_refused_and_named(running: RealMesh, home: Path) -> None:
    # The copy is another home, so only the ports are the same.
    refused(serve(home), Reason.PORT_IN_USE, str(running["g14"].mesh_port))


@pytest.mark.parametrize("door", ["mesh", "office"])
def test_a_port_in_use_by_another_program_is_refused_and_named(home: Path, door: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        variables = {"TRUC_MESH__LISTEN": "127.0.0.1:0", "TRUC_OFFICE__LISTEN": "127.0.0.1:0"}
        variables[f"TRUC_{door.upper()}__LISTEN"] = f"127.0.0.1:{port}"
        refused(serve(home, **variables), Reason.PORT_IN_USE, str(port))


def test_after_a_refused_start_the_home_is_free_and_the_node_starts(home: Path, a_home: RealMesh) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert serve(home, TRUC_OFFICE__LISTEN=f"127.0.0.1:{port}").code == EXIT_BROKEN
    node = a_home["g14"]
    original, node.home = node.home, home
    try:
        node.start()
        assert node.stop() == 0
    finally:
        node.kill()
        node.home = original
