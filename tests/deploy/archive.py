"""An archive for install.sh that holds a small program in place of truc: the installer is real, pip is real, the wheel is made here.

The program knows `--version`, `--show-completion` and `serve --check`. It refuses a home whose file `schema` names a number above its own,
as truc refuses a store that a newer version has written.
"""

import hashlib
import platform
import shutil
import sys
import zipfile
from pathlib import Path

from tests.real_mesh import ROOT

SERVER = ROOT / "deploy" / "server"

PROGRAM = """
import os, pathlib, sys

def run():
    if sys.argv[1:] == ["--version"]:
        print("truc {version}")
        return 0
    if sys.argv[1] == "--show-completion":
        print("# {version} in", sys.argv[2])
        return 0
    assert sys.argv[1:] == ["serve", "--check"], sys.argv
    known = pathlib.Path(os.environ["TRUC_HOME"], "schema")
    if known.exists() and int(known.read_text()) > {schema}:
        print("STORE_NEWER: Hãy cài lại phiên bản đó.", file=sys.stderr)
        return 78
    return 0
"""


def pip_wheel() -> Path | None:
    """The wheel of pip that came with this Python, or with Debian's."""
    import ensurepip

    folders = [Path(ensurepip.__file__).parent / "_bundled", Path("/usr/share/python-wheels")]
    return next((wheel for folder in folders for wheel in sorted(folder.glob("pip-*.whl"))), None)


def make_wheel(folder: Path, version: str, schema: int) -> Path:
    """Make a wheel named truc."""
    info, path = f"truc-{version}.dist-info", folder / f"truc-{version}-py3-none-any.whl"
    parts = {
        "truc_stand_in.py": PROGRAM.format(version=version, schema=schema),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: truc\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\ntruc = truc_stand_in:run\n",
    }
    parts[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*parts, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in parts.items():
            wheel.writestr(name, text)
    return path


def make_archive(folder: Path, version: str, schema: int = 1) -> Path:
    """Make an unpacked archive of a version; return its folder."""
    made, pip = folder / f"truc-{version}", pip_wheel()
    assert pip is not None
    (made / "wheels").mkdir(parents=True)
    (made / "docs").mkdir()
    (made / "docs" / "README.md").write_text("# Sách\n", "utf-8")
    for source in SERVER.iterdir():
        shutil.copy(source, made)
    for name in ("LICENSE", "CHANGELOG.md"):
        shutil.copy(ROOT / name, made)
    shutil.copy(pip, made / "wheels")
    wheel = make_wheel(made / "wheels", version, schema)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (made / "requirements.lock").write_text(f"truc=={version} --hash=sha256:{digest}\n", "utf-8")
    (made / "RELEASE").write_text(f"{version}\n", "utf-8")
    (made / "PLATFORM").write_text(f"{platform.machine()} {sys.version_info.major}.{sys.version_info.minor}\n", "utf-8")
    seal(made)
    return made


def seal(made: Path) -> None:
    """Write the checksums of an archive as they are now."""
    files = sorted(path for path in made.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  ./{path.relative_to(made)}\n" for path in files]
    (made / "SHA256SUMS").write_text("".join(lines), "utf-8")
