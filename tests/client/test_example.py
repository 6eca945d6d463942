"""The example of the README is run as it stands there."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

from node import client
from node.client import Office
from tests.client.conftest import credential_of
from tests.papers import document
from tests.real_mesh import ROOT, RealMesh, wait_for


def example() -> str:
    readme = (ROOT / "README.md").read_text("utf-8")
    found = re.search(r"```python\n(.*?)```", readme, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_readme_shows_what_the_client_says_of_itself() -> None:
    assert client.__doc__ is not None
    assert textwrap.indent(example(), "    ").strip() in client.__doc__


def test_the_example_sends_fetches_reports_and_acknowledges(pair: RealMesh, tmp_path: Path) -> None:
    packets = [document("H49.22", number=f"vd{n}") for n in range(2)]
    for n, packet in enumerate(packets):
        (tmp_path / f"công văn {n}.edxml").write_bytes(packet)

    sent = run_example(pair, "g14", tmp_path, *sorted(one.name for one in tmp_path.glob("*.edxml")))
    ids = [bytes.fromhex(line.split()[-2]) for line in sent.splitlines()]
    with Office(credential_of(pair, "h49")) as office:
        wait_for(lambda: {one.packet_id for one in office.inbox()} >= set(ids), 20, "arrival")
        run_example(pair, "h49", tmp_path)
        left = [one.packet_id for one in office.inbox()]
    with Office(credential_of(pair, "g14")) as author:
        wait_for(lambda: all(author.track(packet_id=one).deliveries[0].status_code == "03" for one in ids), 20, "03")
        run_example(pair, "g14", tmp_path)
        assert [one for one in author.inbox() if one.status_code] == [], "fetched and acknowledged like everything else"

    assert [(tmp_path / f"{one.hex()}-H49.22.edxml").read_bytes() for one in ids] == packets
    assert not set(left) & set(ids)


def run_example(pair: RealMesh, node_id: str, folder: Path, *names: str) -> str:
    (folder / "qlvb.json").unlink(missing_ok=True)
    pair[node_id].credential.save(folder / "qlvb.json")
    (folder / "example.py").write_text(example(), "utf-8")
    done = subprocess.run(
        [sys.executable, "example.py", *names],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout
