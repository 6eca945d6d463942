"""Generate the protobuf code of this package from protos/ (a developer's tool; needs the `dev` group).

protoc writes imports relative to the proto root (`from truc.v1 import …`); our generated code lives inside `node.wire`,
so one regular expression moves them there. The result is committed; tests/wire/test_generated.py and `./dev check`
generate again and compare.
"""

import re
import sys
import sysconfig
import tempfile
from importlib import resources
from pathlib import Path

_IMPORT = re.compile(r"^(from|import) truc\.", re.MULTILINE)
_QUALIFIED = re.compile(r"(?<![\w./\"'])truc\.(v1|store)\.")


def generate(protos: Path, out: Path) -> list[Path]:
    """Write `*_pb2.py`, stubs and gRPC code for every proto under `protos` into `out`; return the files written."""
    sources = sorted(str(path.relative_to(protos)) for path in protos.rglob("*.proto"))
    services = [source for source in sources if source.endswith("_service.proto")]
    out.mkdir(parents=True, exist_ok=True)
    _protoc(protos, [f"--python_out={out}", f"--mypy_out=quiet:{out}"], sources)
    _protoc(protos, [f"--grpc_python_out={out}", f"--mypy_grpc_out=quiet:{out}"], services)
    written = sorted([*out.rglob("*_pb2*.py"), *out.rglob("*_pb2*.pyi")])
    for path in written:
        _move_imports(path)
    for folder in sorted({path.parent for path in written} | {out / "truc"} | {out / "truc" / "store"}):
        (folder / "__init__.py").write_text("", "utf-8")
    return written


def stale(protos: Path, out: Path) -> list[str]:
    """Return the generated files under `out` that are missing, have no proto, or differ from what `protos` makes now."""
    with tempfile.TemporaryDirectory() as scratch:
        generate(protos, Path(scratch))
        fresh, committed = _contents(Path(scratch)), _contents(out)
    return sorted(name for name in fresh.keys() | committed.keys() if fresh.get(name) != committed.get(name))


def _protoc(protos: Path, outputs: list[str], sources: list[str]) -> None:
    from grpc_tools import protoc

    # protoc looks for its plugins on PATH, where those of a virtual environment that is not activated are not.
    scripts = Path(sysconfig.get_path("scripts"))
    plugins = [f"--plugin={name}={scripts / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")]
    include = str(resources.files("grpc_tools") / "_proto")
    if protoc.main(["protoc", f"-I{protos}", f"-I{include}", *plugins, *outputs, *sources]) != 0:
        raise SystemExit("protoc failed")


def _move_imports(path: Path) -> None:
    text = _IMPORT.sub(r"\1 node.wire.truc.", path.read_text("utf-8"))
    if path.suffix == ".pyi":
        text = _QUALIFIED.sub(r"node.wire.truc.\1.", text)
    path.write_text(text, "utf-8")


def _contents(out: Path) -> dict[str, str]:
    paths = [path for path in (out / "truc").rglob("*.py*") if path.suffix in (".py", ".pyi")]
    return {str(path.relative_to(out)): path.read_text("utf-8") for path in paths}


def main(arguments: list[str]) -> int:
    """Generate, or with `--check` only tell what is stale; return the exit code."""
    root = Path(__file__).parents[2]
    protos, out = root / "protos", root / "node" / "wire"
    if arguments == ["--check"]:
        found = stale(protos, out)
        sys.stdout.write("".join(f"stale, run ./dev generate: node/wire/{name}\n" for name in found))
        return 1 if found else 0
    for path in generate(protos, out):
        sys.stdout.write(f"{path.relative_to(root)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
