"""Around the process: what the service manager and the container engine hold it to."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.real_mesh import ROOT

DEPLOY = ROOT / "deploy"
EXPOSURE_MAX = 1.5


def test_the_service_has_limits_and_writes_no_image_of_its_memory() -> None:
    unit = (DEPLOY / "server" / "truc.service").read_text("utf-8")
    for setting in ("LimitCORE=0", "MemoryMax=2G", "TasksMax=512", "LimitNOFILE=65536", "MemorySwapMax=0"):
        assert f"\n{setting}\n" in unit


def test_the_service_is_exposed_little(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze; apt-get install systemd")
    unit = tmp_path / "truc.service"
    unit.write_text((DEPLOY / "server" / "truc.service").read_text("utf-8").replace("@USER@", "truc"), "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", unit], capture_output=True, text=True, timeout=60
    )
    found = re.search(r"Overall exposure level for truc.service: ([0-9.]+)", done.stdout)
    assert found, done.stderr
    assert float(found[1]) <= EXPOSURE_MAX


def test_containers_have_limits_of_memory_and_threads() -> None:
    compose = (DEPLOY / "compose.yaml").read_text("utf-8")
    for setting in ("mem_limit: 1g", "memswap_limit: 1g", "pids_limit: 512", "core: 0"):
        assert setting in compose
    assert "--memory 2g" in (DEPLOY / "containers.md").read_text("utf-8")
