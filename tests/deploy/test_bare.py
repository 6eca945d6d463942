"""The operator's book followed literally in a bare container: from the unpacked archive to the first document at a neighbour.

The container has the base image of deploy/base-image (Debian and Python) and no way to the internet. The commands are read from
deploy/book/02-cai-dat.md; what stands in for a person's hands is named in HANDS.
"""

import re
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.real_mesh import ROOT

DEPLOY = ROOT / "deploy"
PAGE = DEPLOY / "book" / "02-cai-dat.md"
BASE_IMAGE = "truc-base:bookworm"
COMMANDS_MAX = 10
ARRIVAL_S = 60.0

HANDS = {
    "./install.sh": "cd /truc-* && ./install.sh --no-systemd",
    "systemctl enable --now truc": "true",  # there is no systemd here: the test starts `truc serve`
    "MÃ-DẤU-VÂN-TAY": "",  # what the authority reads out by telephone
}
"""Commands of the book -> what is done here instead."""

NEIGHBOUR = """set -eu
cd /truc-* && ./install.sh --no-systemd
authority=/var/lib/truc/danh-ba
truc authority create $authority --name "Cơ quan danh bạ (thử)" >/dev/null
truc node create --id bo-noi-vu --name "Bộ Nội vụ" --prefix G09 --mesh 0.0.0.0:7401 --advertise nut.bonoivu.gov.vn:7401
truc authority admit $authority /var/lib/truc/node/join-request.truc
truc unit add G09 "Bộ Nội vụ"
truc unit publish --authority $authority
truc system add qlvb --unit G09 -o /var/lib/truc/qlvb.json
truc node join /var/lib/truc/node $authority/public
"""
ADMIT = """set -eu
truc authority admit /var/lib/truc/danh-ba /tmp/join-request.truc
truc authority take /var/lib/truc/danh-ba /tmp/vung-tinh-mau.truc
truc authority publish /var/lib/truc/danh-ba
"""


def docker(*words: str, limit_s: float = 60.0, check: bool = True) -> "subprocess.CompletedProcess[str]":
    """Run the docker command."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=limit_s)
    assert not check or done.returncode == 0, f"docker {' '.join(words)}\n{done.stdout}{done.stderr}"
    return done


def why_not() -> str:
    """Return why there is no bare container here, or ""."""
    if shutil.which("docker") is None:
        return "there is no docker command"
    if docker("version", check=False).returncode:
        return "no Docker engine answers"
    if docker("image", "inspect", BASE_IMAGE, check=False).returncode and shutil.which("mmdebstrap") is None:
        return f"there is no base image {BASE_IMAGE}, and no mmdebstrap to make it; apt-get install mmdebstrap"
    return ""


@dataclass
class Host:
    """A bare container on the test's network."""

    name: str

    def run(self, command: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run a command as root would type it."""
        return docker("exec", self.name, "sh", "-c", command, limit_s=180.0, check=check)

    def serve(self, *settings: str) -> None:
        """Do what systemd would."""
        docker("exec", "-d", *settings, self.name, "sh", "-c", "exec truc serve >/var/lib/truc/log 2>&1")
        self.until("truc health")

    def until(self, command: str, limit_s: float = ARRIVAL_S) -> str:
        """Repeat a command until it ends well."""
        end_s = time.monotonic() + limit_s
        while (done := self.run(command, check=False)).returncode:
            assert time.monotonic() < end_s, f"{command}\n{done.stdout}{done.stderr}"
            time.sleep(0.2)
        return done.stdout

    def take(self, path: str, to: "Host", where: str, folder: Path) -> None:
        """Carry a file to another host, on a stick."""
        docker("cp", f"{self.name}:{path}", str(folder / Path(path).name))
        docker("cp", str(folder / Path(path).name), f"{to.name}:{where}")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked archive of this checkout."""
    folder = tmp_path_factory.mktemp("bundle")
    done = subprocess.run([DEPLOY / "bundle", "-o", folder], capture_output=True, text=True, timeout=400)
    if done.returncode == 69:
        pytest.skip(f"the archive cannot be made here: {done.stderr.strip()[-300:]}")
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = folder.glob("truc-*.tar.gz")
    subprocess.run(["tar", "xf", made], cwd=folder, check=True, timeout=60)
    return made.with_name(made.name.removesuffix(".tar.gz"))


@pytest.fixture
def hosts(archive: Path) -> Iterator[tuple[Host, Host]]:
    """A province's server and its neighbour's, on a network that leads nowhere else."""
    if docker("image", "inspect", BASE_IMAGE, check=False).returncode:
        subprocess.run([DEPLOY / "base-image", BASE_IMAGE], check=True, timeout=400)
    mark = f"truc-bare-{uuid.uuid4().hex[:8]}"
    made = [Host(f"{mark}-tinh"), Host(f"{mark}-bo")]
    docker("network", "create", "--internal", mark)
    try:
        for host, alias in zip(made, ("nut.tinhmau.gov.vn", "nut.bonoivu.gov.vn"), strict=True):
            docker(
                "run",
                "-d",
                "--init",
                "--name",
                host.name,
                "--network",
                mark,
                "--network-alias",
                alias,
                BASE_IMAGE,
                "sleep",
                "1800",
            )
            docker("cp", str(archive), f"{host.name}:/{archive.name}")
        yield made[0], made[1]
    finally:
        docker("rm", "-f", *(host.name for host in made), check=False)
        docker("network", "rm", mark, check=False)


def commands_of_the_book() -> list[str]:
    """The commands of the page's first part, one a line, lines that end in a backslash joined."""
    text = PAGE.read_text("utf-8").split("<!-- mười lệnh -->")[1].split("<!-- hết -->")[0]
    lines = re.findall(r"^    (\S.*)$", text.replace("\\\n         ", ""), re.MULTILINE)
    return [re.sub(r"\s{2,}#.*", "", line) for line in lines]


def test_the_book_needs_ten_commands_at_most() -> None:
    commands = commands_of_the_book()

    assert 5 < len(commands) <= COMMANDS_MAX
    assert commands[0] == "./install.sh"
    assert [words for words in HANDS if not any(words in command for command in commands)] == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_from_the_unpacked_archive_to_the_first_document_at_a_neighbour(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    tinh, bo = request.getfixturevalue("hosts")
    bo.run(NEIGHBOUR)
    bo.serve("-e", "TRUC_DIRECTORY__FOLDER=/var/lib/truc/danh-ba/public")
    fingerprint = re.search(r'"fingerprint": "([^"]+)"', bo.run("truc node show --json").stdout)
    assert fingerprint is not None

    for command in commands_of_the_book():
        words = command
        for said, done in HANDS.items():
            words = words.replace(said, done or fingerprint[1])
        if "truc node join" in words:
            admit(tinh, bo, tmp_path)
        print(f"$ {words}\n{tinh.run(words).stdout}")
        if command.startswith("systemctl"):
            tinh.serve()

    tracked = tinh.run("truc track --as /var/lib/truc/qlvb.json thu-ket-noi-1 --json").stdout
    assert '"delivered"' in tracked.lower()
    listed = bo.until("truc inbox --as /var/lib/truc/qlvb.json --json | grep packet_id")
    packet_id = re.search(r'"packet_id": "([0-9a-f]+)"', listed)
    assert packet_id is not None
    bo.run(f"truc fetch --as /var/lib/truc/qlvb.json {packet_id[1]} -o /var/lib/truc/den.edxml")
    sent, come = (
        tinh.run("sha256sum </var/lib/truc/thu.edxml").stdout,
        bo.run("sha256sum </var/lib/truc/den.edxml").stdout,
    )
    assert sent == come
    owners = tinh.run("find /var/lib/truc ! -user truc | grep -v -x /var/lib/truc/log || true").stdout
    assert owners == ""
    a_newer_store_is_refused(tinh)


def admit(tinh: Host, bo: Host, folder: Path) -> None:
    """Do with the two files what the authority's people do, and return the stick that comes back."""
    for name in ("node/join-request.truc", "vung-tinh-mau.truc"):
        tinh.take(f"/var/lib/truc/{name}", bo, "/tmp/", folder)
    bo.run(ADMIT)
    tinh.run("mkdir -p /media/usb")
    bo.take("/var/lib/truc/danh-ba/public", tinh, "/media/usb/", folder)
    bo.run("truc node update --refresh")


NEWER = """import asyncio, pathlib
from node.store.rocks.store import RocksStore
async def story():
    home = pathlib.Path("/var/lib/truc/node")
    store = RocksStore.open(home / "store", home / "WITNESS", node_id="tinh-mau")
    await store.transact(lambda tx: tx.put(b"mschema", (99).to_bytes(4, "big")))
    await store.close()
asyncio.run(story())
"""


def a_newer_store_is_refused(host: Host) -> None:
    """As if a newer version had been here: this one is not installed over its store."""
    host.run("kill $(awk '/[(]truc[)]/ { print $1 }' /proc/[0-9]*/stat)")
    host.until("! truc health 2>/dev/null")
    (script := Path(f"/tmp/{host.name}.py")).write_text(NEWER, "utf-8")
    docker("cp", str(script), f"{host.name}:/newer.py")
    script.unlink()
    host.until("setpriv --reuid=truc --regid=truc --clear-groups /opt/truc/current/bin/python /newer.py")
    done = host.run("cd /truc-* && ./install.sh --no-systemd", check=False)
    assert done.returncode == 78, done.stdout + done.stderr
    assert "STORE_NEWER" in done.stderr
    assert "không chạy được nút đang có" in done.stderr
