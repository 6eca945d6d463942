"""install.sh: what it installs, and that each refusal says what to do and leaves everything as it was."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.archive import make_archive, make_wheel, pip_wheel, seal

pytestmark = [
    pytest.mark.skipif(pip_wheel() is None, reason="this Python comes without the wheel of pip (ensurepip)"),
    pytest.mark.skipif(shutil.which("flock") is None, reason="flock (util-linux) is missing"),
]
LIMIT_S = 100.0


class Server:
    """A machine to install on: a folder given as --root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.opt = root / "opt" / "truc"
        self.home = root / "var" / "lib" / "truc" / "node"
        self.command = root / "usr" / "local" / "bin" / "truc"
        share = root / "usr" / "local" / "share"
        self.completion = {
            "bash": share / "bash-completion" / "completions" / "truc",
            "zsh": share / "zsh" / "site-functions" / "_truc",
        }

    def run(self, archive: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run install.sh of an archive."""
        return subprocess.run(
            [archive / "install.sh", *arguments, "--root", self.root, "--python", sys.executable],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            env={**os.environ, **environment},
        )

    def installed(self, archive: Path, *arguments: str) -> None:
        done = self.run(archive, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr

    def refused(self, code: int, words: str, archive: Path, *arguments: str, **environment: str) -> str:
        """Run it, expect this refusal and that nothing has changed; return what was said."""
        before = self.picture()
        done = self.run(archive, *arguments, **environment)
        assert done.returncode == code, done.stdout + done.stderr
        assert words in done.stderr
        assert self.picture() == before
        return done.stderr

    def version(self) -> str:
        return subprocess.run(
            [self.command, "--version"], capture_output=True, text=True, timeout=LIMIT_S
        ).stdout.strip()

    def picture(self) -> list[str]:
        """All that is installed, by name, and where links lead."""
        found = [path for path in self.root.rglob("*") if path.name != ".lock" and path != self.opt]
        return sorted(f"{path} {path.readlink() if path.is_symlink() else ''}" for path in found if path.name != "opt")

    def make_home(self, schema: int) -> None:
        self.home.mkdir(parents=True)
        (self.home / "node.toml").write_text("", "utf-8")
        (self.home / "schema").write_text(str(schema), "utf-8")


@pytest.fixture
def server(tmp_path: Path) -> Server:
    (tmp_path / "máy chủ").mkdir()
    return Server(tmp_path / "máy chủ")


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three versions; the last one writes stores that the others do not know."""
    folder = tmp_path_factory.mktemp("bộ cài")
    for version, schema in (("1.0", 1), ("1.1", 1), ("2.0", 2)):
        make_archive(folder, version, schema)
    return folder


@pytest.fixture
def archive(archives: Path, tmp_path: Path) -> Path:
    """Version 1.0, to be spoilt by the test."""
    return Path(shutil.copytree(archives / "truc-1.0", tmp_path / "truc-1.0"))


def test_install_again_upgrade_back_and_forth_and_remove(server: Server, archives: Path) -> None:
    server.installed(archives / "truc-1.0")
    assert server.version() == "truc 1.0"
    first = server.picture()
    server.installed(archives / "truc-1.0")
    assert server.picture() == first

    server.make_home(schema=1)
    server.installed(archives / "truc-1.1")
    assert (server.version(), (server.opt / "previous").readlink().name) == ("truc 1.1", "1.0")
    server.installed(server.opt / "current" / "share", "rollback")
    assert server.version() == "truc 1.0"
    server.installed(server.opt / "current" / "share", "rollback")
    assert server.version() == "truc 1.1"

    server.installed(archives / "truc-2.0")
    kept = sorted(path.name for path in server.opt.iterdir() if path.is_dir() and not path.is_symlink())
    assert (server.version(), kept) == ("truc 2.0", ["1.1", "2.0"])

    server.installed(server.opt / "current" / "share", "uninstall")
    assert not server.opt.exists()
    assert not server.command.exists()
    assert (server.home / "schema").read_text() == "1"


def test_shells_complete_the_commands_of_the_version_that_is_current(server: Server, archives: Path) -> None:
    def said() -> list[str]:
        return [file.read_text("utf-8").splitlines()[0] for file in server.completion.values()]

    server.installed(archives / "truc-1.0")
    assert said() == ["# 1.0 in bash", "# 1.0 in zsh"]
    assert {file.stat().st_mode & 0o777 for file in server.completion.values()} == {0o644}
    server.installed(archives / "truc-1.1")
    assert said() == ["# 1.1 in bash", "# 1.1 in zsh"]

    for file in (server.opt / "1.0" / "share").glob("completion.*"):
        file.unlink()  # as a version that knew nothing of it
    server.installed(server.opt / "current" / "share", "rollback")
    assert [file.exists() for file in server.completion.values()] == [False, False]

    server.installed(archives / "truc-1.1")
    server.installed(server.opt / "current" / "share", "uninstall")
    assert [file.exists() for file in server.completion.values()] == [False, False]


def test_completion_that_is_not_ours_is_left_alone(server: Server, archives: Path) -> None:
    own = server.completion["bash"]
    own.parent.mkdir(parents=True)
    own.write_text("# của tôi\n", "utf-8")
    server.installed(archives / "truc-1.0")
    assert (own.read_text("utf-8"), server.completion["zsh"].exists()) == ("# của tôi\n", True)
    server.installed(server.opt / "current" / "share", "uninstall")
    assert (own.exists(), server.completion["zsh"].exists()) == (True, False)


def test_a_version_that_cannot_read_the_store_is_refused_on_both_roads(server: Server, archives: Path) -> None:
    server.installed(archives / "truc-1.1")
    server.installed(archives / "truc-2.0")
    server.make_home(schema=2)

    told = server.refused(78, "1.0 không chạy được nút đang có", archives / "truc-1.0")
    assert "STORE_NEWER: Hãy cài lại phiên bản đó." in told
    assert "Phiên bản 2.0 vẫn dùng như cũ" in told
    server.refused(78, "Không quay về 1.1 được", archives / "truc-2.0", "rollback")
    assert server.version() == "truc 2.0"


def test_an_altered_wheel_is_refused(server: Server, archive: Path) -> None:
    with next((archive / "wheels").glob("truc-*.whl")).open("ab") as wheel:
        wheel.write(b"x")
    told = server.refused(65, "bị thiếu hoặc đã bị sửa", archive)
    assert "truc-1.0-py3-none-any.whl" in told


def test_a_missing_wheel_is_refused(server: Server, archive: Path) -> None:
    next((archive / "wheels").glob("truc-*.whl")).unlink()
    told = server.refused(65, "bị thiếu hoặc đã bị sửa", archive)
    assert "truc-1.0-py3-none-any.whl" in told


def test_a_wheel_whose_digest_is_not_in_the_lock_is_refused_though_the_checksums_were_mended(
    server: Server, archive: Path
) -> None:
    make_wheel(archive / "wheels", "1.0", schema=7)
    seal(archive)
    server.root.joinpath("var/lib/truc").mkdir(parents=True)
    told = server.refused(65, "pip không cài được", archive)
    assert "DO NOT MATCH THE HASHES" in told


def test_checksums_that_are_not_there_are_refused(server: Server, archive: Path) -> None:
    (archive / "SHA256SUMS").unlink()
    server.refused(65, "Bộ cài thiếu tệp", archive)


@pytest.mark.parametrize("line", ["", "0" * 64 + "\n", "hoa quả\n"], ids=["empty", "no name", "words"])
def test_checksums_that_say_nothing_are_refused(server: Server, archive: Path, line: str) -> None:
    (archive / "SHA256SUMS").write_text(line, "utf-8")
    server.refused(65, "bị thiếu hoặc đã bị sửa", archive)


def test_an_archive_for_another_processor_is_refused(server: Server, archive: Path) -> None:
    (archive / "PLATFORM").write_text("riscv64 3.11 3.12\n", "utf-8")
    seal(archive)
    server.refused(69, "Bộ cài này cho bộ xử lý riscv64", archive)


def test_a_python_that_the_archive_does_not_serve_is_refused(server: Server, archive: Path) -> None:
    platform = archive / "PLATFORM"
    platform.write_text(platform.read_text("utf-8").split()[0] + " 3.8\n", "utf-8")
    seal(archive)
    server.refused(69, "Cần Python một trong các bản: 3.8", archive)


def test_the_same_version_with_other_contents_is_refused(server: Server, archives: Path, archive: Path) -> None:
    server.installed(archives / "truc-1.0")
    (archive / "docs" / "README.md").write_text("# Sách khác\n", "utf-8")
    seal(archive)
    server.refused(65, "Đã cài 1.0 nhưng với nội dung khác", archive)


def test_a_command_that_is_not_ours_is_not_overwritten(server: Server, archives: Path) -> None:
    server.command.parent.mkdir(parents=True)
    server.command.write_text("#!/bin/sh\n", "utf-8")
    server.refused(78, "không phải do bộ cài này tạo", archives / "truc-1.0")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_a_home_of_another_user_is_refused(server: Server, archives: Path) -> None:
    server.make_home(schema=1)
    os.chown(server.home, 65534, 65534)
    told = server.refused(78, "không phải root", archives / "truc-1.0")
    assert f"chown -R root:root {server.home}" in told


def test_a_second_installation_at_the_same_time_is_refused(server: Server, archives: Path) -> None:
    server.opt.mkdir(parents=True)
    with (server.opt / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        server.refused(75, "Một lần cài khác đang chạy", archives / "truc-1.0")


def test_an_installation_that_was_cut_short_is_made_anew(server: Server, archives: Path) -> None:
    server.installed(archives / "truc-1.0")
    (server.opt / "1.0" / "INSTALLED").unlink()
    (server.opt / "1.0" / "bin" / "truc").unlink()
    server.installed(archives / "truc-1.0")
    assert server.version() == "truc 1.0"


def test_there_is_no_way_back_from_the_first_version(server: Server, archives: Path) -> None:
    assert server.run(archives / "truc-1.0", "rollback").returncode == 78
    server.installed(archives / "truc-1.0")
    server.refused(78, "Không còn phiên bản trước", archives / "truc-1.0", "rollback")


@pytest.mark.parametrize("words", [["--rot"], ["upgrade"], ["--user"]], ids=" ".join)
def test_a_wrong_command_line_shows_how_it_is_used(archives: Path, words: list[str]) -> None:
    done = subprocess.run(
        [archives / "truc-1.0" / "install.sh", *words], capture_output=True, text=True, timeout=LIMIT_S
    )
    assert (done.returncode, done.stderr.startswith("Dùng: ./install.sh")) == (64, True)
