"""The generated protobuf code that is committed is what the protos make now."""

import shutil
from pathlib import Path

from node.wire import generate

ROOT = Path(__file__).parents[2]
PROTOS = ROOT / "protos"
WIRE = ROOT / "node" / "wire"


def test_committed_code_is_what_the_protos_make() -> None:
    assert generate.stale(PROTOS, WIRE) == [], "run ./dev generate and commit what it writes"


def test_a_changed_proto_a_missing_file_and_a_leftover_are_noticed(tmp_path: Path) -> None:
    protos, out = tmp_path / "protos", tmp_path / "out"
    shutil.copytree(PROTOS, protos)
    generate.generate(protos, out)
    assert generate.stale(protos, out) == []

    reason = protos / "truc" / "v1" / "reason.proto"
    reason.write_text(reason.read_text("utf-8").replace("REASON_EXPIRED = 11;", "REASON_EXPIRED = 39;"), "utf-8")
    (out / "truc" / "v1" / "status_pb2.py").unlink()
    (out / "truc" / "v1" / "gone_pb2.py").write_text("", "utf-8")

    assert {"truc/v1/reason_pb2.py", "truc/v1/status_pb2.py", "truc/v1/gone_pb2.py"} <= set(generate.stale(protos, out))


def test_generated_modules_import_each_other_inside_our_package() -> None:
    texts = [path.read_text("utf-8") for path in (WIRE / "truc").rglob("*_pb2*.py*") if path.suffix in (".py", ".pyi")]

    assert texts
    assert not [line for text in texts for line in text.splitlines() if line.startswith(("from truc", "import truc"))]
