"""The image: small, nobody's root, ready in seconds; and wrong things to build it from, or on, are refused in a sentence."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.containers import docker_hosts, image
from tests.containers.hosts import run
from tests.real_mesh import ROOT, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

IMAGE_BYTES_MAX = 260_000_000
READY_LIMIT_S = 60
RESIDENT_BYTES_MAX = 150_000_000


@pytest.fixture(scope="module")
def tag() -> str:
    if reason := docker_hosts.why_not() or image.why_not():
        pytest.skip(reason)
    return image.image_of_checkout()


@pytest.fixture
def volume(tag: str) -> Iterator[str]:
    """A volume of its own, with a node's home in it."""
    made = docker.from_env().volumes.create()
    create = ("node", "create", "--id", "tinh", "--name", "UBND tỉnh Mẫu", "--prefix", "H99.01")
    listen = ("--mesh", "0.0.0.0:7401", "--advertise", "tinh:7401", "--office", "0.0.0.0:7402")
    hardened(tag, made.name, *create, *listen)
    yield made.name
    made.remove(force=True)


def hardened(tag: str, volume: str, *words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    """Run a command in a container that may do next to nothing."""
    limits = ("--read-only", "--network=none", "--cap-drop=ALL", "--security-opt=no-new-privileges")
    return run("docker", "run", "--rm", *limits, "-v", f"{volume}:/var/lib/truc", tag, *words, check=check)


def test_it_is_small_and_runs_as_nobody(tag: str) -> None:
    made = docker.from_env().images.get(tag)

    assert made.attrs["Size"] < IMAGE_BYTES_MAX
    assert made.attrs["Config"]["User"] == "10001:10001"
    assert made.attrs["Config"]["Healthcheck"]["Test"] == ["CMD", "truc", "health"]
    assert {"7401/tcp", "7402/tcp"} <= made.attrs["Config"]["ExposedPorts"].keys()


def test_it_holds_no_build_tools_and_cannot_write_to_itself(tag: str, volume: str) -> None:
    shell = ("docker", "run", "--rm", "--network=none", "--entrypoint", "sh", tag, "-c")

    assert run(*shell, "command -v pip || ls /opt/truc/lib/python3*/site-packages/pip", check=False).returncode != 0
    assert run(*shell, "touch /opt/truc/x /etc/x", check=False).returncode != 0
    assert run(*shell, "find /opt/truc -user 10001 | head -1").stdout == ""


def test_a_node_is_ready_within_seconds_and_its_health_is_told(tag: str, volume: str, record_property: Any) -> None:
    client, begun_s = docker.from_env(), time.monotonic()
    container = client.containers.run(
        tag, detach=True, read_only=True, network_mode="none", volumes={volume: {"bind": "/var/lib/truc"}}
    )
    try:
        wait_for(lambda: b"node.started" in container.logs(), READY_LIMIT_S, "ready")
        ready_s = time.monotonic() - begun_s
        code, said = container.exec_run(["truc", "health"])
        container.reload()
        status = Path(f"/proc/{container.attrs['State']['Pid']}/status").read_text("ascii")
        resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) * 1024
        record_property("figure", f"docker run to ready {ready_s:.1f} s, {resident / 2**20:.0f} MiB resident")
        assert resident < RESIDENT_BYTES_MAX
        assert code == 78, "a node without a directory is not healthy"
        assert "DIRECTORY_EMPTY" in said.decode()
        container.stop(timeout=20)
        container.reload()
        assert container.attrs["State"]["ExitCode"] == 0, "it ends in order when it is told to"
    finally:
        container.remove(force=True)


def test_a_volume_of_another_user_is_refused_in_a_sentence(tag: str, volume: str) -> None:
    run("docker", "run", "--rm", "-u", "0", "-v", f"{volume}:/v", "--entrypoint", "chown", tag, "-R", "0:0", "/v")
    refused = hardened(tag, volume, "serve", check=False)

    assert refused.returncode == 78
    assert "/var/lib/truc" in refused.stderr
    assert "Traceback" not in refused.stderr


# --- builds that must not come about ---------------------------------------------------------------------------------


@pytest.fixture
def context(tag: str, tmp_path: Path) -> Path:
    """The things that the image was built from, to be spoilt."""
    for name in ("Dockerfile", "check-build", ".dockerignore"):
        shutil.copy(ROOT / "deploy" / name, tmp_path / name)
    if not (ROOT / "deploy" / "build" / "wheels").exists():
        run(str(ROOT / "deploy" / "wheels"), limit_s=300)
    shutil.copytree(ROOT / "deploy" / "build" / "wheels", tmp_path / "build" / "wheels")
    return tmp_path


def build(context: Path, base: str = image.BASE_IMAGE) -> "subprocess.CompletedProcess[str]":
    command = ("docker", "build", "--force-rm", "--network=none", "--build-arg", f"BASE_IMAGE={base}", str(context))
    return run(*command, check=False, limit_s=300)


def refused(done: "subprocess.CompletedProcess[str]", *words: str) -> None:
    assert done.returncode != 0
    said = [line for line in (done.stdout + done.stderr).splitlines() if "TRUC: " in line]
    assert said, done.stdout[-2000:] + done.stderr[-2000:]
    for word in words:
        assert any(word in line for line in said), said


def test_a_build_without_wheels_says_how_to_make_them(context: Path) -> None:
    shutil.rmtree(context / "build")
    refused(build(context), "deploy/wheels")


def test_a_missing_wheel_is_refused(context: Path) -> None:
    next((context / "build" / "wheels").glob("grpcio-*.whl")).unlink()
    refused(build(context), "missing or altered", "thiếu hoặc đã bị sửa")


def test_an_altered_wheel_is_refused(context: Path) -> None:
    with next((context / "build" / "wheels").glob("lxml-*.whl")).open("ab") as file:
        file.write(b"\0")
    refused(build(context), "missing or altered")


def test_an_altered_wheel_whose_sum_was_altered_as_well_is_refused_by_the_lock(context: Path) -> None:
    wheels = context / "build" / "wheels"
    with next(wheels.glob("h11-*.whl")).open("ab") as file:
        file.write(b"\0")
    (wheels / "SHA256SUMS").write_text(
        run("sh", "-c", f"cd {wheels} && sha256sum *.whl PLATFORM requirements.lock").stdout
    )
    done = build(context)

    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in (done.stdout + done.stderr).upper()


def test_wheels_for_another_processor_are_refused(context: Path) -> None:
    (context / "build" / "wheels" / "PLATFORM").write_text("s390x 3.11\n")
    refused(build(context), "s390x", "--machine")


def test_a_base_image_without_the_right_python_is_refused(context: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "Dockerfile").write_text(f"FROM {image.BASE_IMAGE}\nRUN rm -f /usr/bin/python3*\n")
    run("docker", "build", "--force-rm", "--network=none", "-t", "truc-test-base:bare", str(bare), limit_s=120)
    try:
        refused(build(context, "truc-test-base:bare"), "BASE_IMAGE", "python:3.11-slim")
    finally:
        run("docker", "rmi", "-f", "truc-test-base:bare")


def test_a_base_image_that_is_nowhere_is_refused(tag: str) -> None:
    done = run("env", "BASE_IMAGE=truc-nowhere:1", str(ROOT / "deploy" / "image"), "truc-test:never", check=False)

    assert done.returncode == 69
    assert "truc-nowhere:1" in done.stderr
    assert "BASE_IMAGE" in done.stderr
