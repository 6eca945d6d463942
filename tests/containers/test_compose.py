"""The mesh to look at: one command up, a document on its way, one command down, and nothing left."""

import os
import secrets
import shutil
from collections.abc import Iterator

import docker
import pytest

from tests.containers import docker_hosts, image
from tests.containers.hosts import run
from tests.real_mesh import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MESH = str(ROOT / "deploy" / "mesh")


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if reason := docker_hosts.why_not() or image.why_not():
        pytest.skip(reason)
    if shutil.which("docker-compose") is None and run("docker", "compose", "version", check=False).returncode:
        pytest.skip("no Docker Compose; apt-get install docker-compose")
    name = f"truc-test-{secrets.token_hex(3)}"
    monkeypatch.setitem(os.environ, "TRUC_PROJECT", name)
    monkeypatch.setitem(os.environ, "TRUC_IMAGE", image.image_of_checkout())
    yield name
    run(MESH, "down", check=False, limit_s=120)


def test_five_nodes_come_up_a_document_reaches_three_of_them_and_all_goes_away(project: str) -> None:
    up = run(MESH, "up", limit_s=240)
    assert up.stdout.count("khỏe, danh bạ phiên bản") == 5
    assert "không khỏe" not in up.stdout

    tried = run(MESH, "try", limit_s=120).stdout
    assert tried.count("đã đến lúc") == 3
    assert "chuyển về qua" in tried or "trung-tam" in tried, "Tây Ninh is reached through the centre"

    again = run(MESH, "up", limit_s=240)
    assert again.stdout.count("khỏe, danh bạ phiên bản") == 5, "a second `up` changes nothing"

    run(MESH, "down", limit_s=120)
    client = docker.from_env()
    assert [one.name for one in client.containers.list(all=True) if one.name.startswith(project)] == []
    assert [one.name for one in client.volumes.list() if one.name.startswith(project)] == []


def test_a_command_that_is_none_is_refused() -> None:
    assert run(MESH, "fly", check=False).returncode == 64
