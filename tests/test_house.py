"""The house is in order: what stands where, what every file opens with, and that the two commands are there."""

import ast
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]

TOP_LEVEL = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "uv.lock", "requirements.lock", "dev"}
FOLDERS = {"protos", "node", "tests", "deploy"}
LINES_MAX = 350
DEPLOY_SCRIPTS = ("base-image", "check-build", "image", "mesh", "mesh-setup", "wheels")

OURS = sorted(path for path in (ROOT / "node").rglob("*.py") if ROOT / "node" / "wire" / "truc" not in path.parents)
"""Python files of the package that a person wrote."""


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def ignored_at_top() -> set[str]:
    """Names that .gitignore keeps out of the top level."""
    return {line.strip("/") for line in (ROOT / ".gitignore").read_text("utf-8").splitlines()}


def test_the_top_level_holds_what_the_architecture_names_and_nothing_else() -> None:
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} - ignored_at_top()

    assert found - TOP_LEVEL - FOLDERS == set()
    assert (TOP_LEVEL | FOLDERS) - found == set()


@pytest.mark.parametrize("folder", sorted(FOLDERS))
def test_every_top_level_folder_explains_itself(folder: str) -> None:
    readme = (ROOT / folder / "README.md").read_text("utf-8")

    assert readme.startswith("# ")
    assert len(readme.split()) > 50


@pytest.mark.parametrize("path", OURS, ids=name_of)
def test_a_file_opens_with_its_theory_and_has_one_idea(path: Path) -> None:
    source = path.read_text("utf-8")

    assert ast.get_docstring(ast.parse(source)), f"{name_of(path)} opens without a docstring"
    assert len(source.splitlines()) <= LINES_MAX, f"{name_of(path)} holds more than one idea"


def test_every_folder_of_code_is_a_package() -> None:
    folders = {path.parent for path in (ROOT / "node").rglob("*.py")}

    assert [name_of(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def is_list_of_files(folder: Path) -> bool:
    """The command line has a file for each verb, and the house its map in README.md: neither lists them again."""
    return folder.name not in ("node", "cli") and len(list(folder.glob("*.py"))) > 2 and "truc" not in folder.parts[-3:]


LISTED = sorted({path.parent for path in OURS if is_list_of_files(path.parent)})


@pytest.mark.parametrize("folder", LISTED, ids=name_of)
def test_a_folder_tells_what_each_of_its_files_is(folder: Path) -> None:
    told = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8"))) or ""
    there = {path.name for path in folder.glob("*.py")} - {"__init__.py"}

    assert there - set(re.findall(r"[a-z_0-9]+\.py", told)) == set()


def test_the_way_of_a_packet_names_files_that_there_are() -> None:
    """In a cell a name without a folder stands in that of the name before it."""
    cells = re.findall(
        r"^\| [^|]+ \| ([^|]+\.py[^|]*) \|$", (ROOT / "node" / "README.md").read_text("utf-8"), re.MULTILINE
    )
    named = []
    for cell in cells:
        folder = ""
        for name in re.findall(r"[\w/]+\.py", cell):
            folder = name.rpartition("/")[0] if "/" in name or (ROOT / "node" / name).is_file() else folder
            named.append(ROOT / "node" / folder / name.rpartition("/")[2])

    assert len(named) > 40
    assert [name_of(path) for path in named if not path.is_file()] == []


@pytest.mark.parametrize("path", [*OURS, *sorted((ROOT / "protos").rglob("*.proto")), ROOT / "dev"], ids=name_of)
def test_nothing_is_left_for_later(path: Path) -> None:
    assert re.findall(r"\b(?:TODO|FIXME|XXX|NotImplementedError|NotImplemented)\b", path.read_text("utf-8")) == []


@pytest.mark.parametrize("path", OURS, ids=name_of)
def test_no_error_is_swallowed(path: Path) -> None:
    handlers = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ExceptHandler)]
    silent = [
        handler.lineno
        for handler in handlers
        if handler.type is None
        or (
            isinstance(handler.type, ast.Name)
            and handler.type.id in ("Exception", "BaseException")
            and all(isinstance(statement, ast.Pass | ast.Continue) for statement in handler.body)
        )
    ]

    assert silent == [], f"lines of {name_of(path)}"


@pytest.mark.parametrize("script", ["dev", ".ci/run", *(f"deploy/{name}" for name in DEPLOY_SCRIPTS)])
def test_scripts_can_be_run_and_are_well_formed(script: str) -> None:
    path = ROOT / script
    interpreter = "sh" if path.read_text("utf-8").startswith("#!/bin/sh\n") else "bash"

    assert path.read_text("utf-8").startswith(("#!/bin/sh\n", "#!/usr/bin/env bash\n"))
    assert os.access(path, os.X_OK)
    assert subprocess.run([interpreter, "-n", str(path)], check=False).returncode == 0


def test_other_shell_scripts_can_be_run() -> None:
    scripts = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.sh")]

    assert [name_of(path) for path in scripts if not os.access(path, os.X_OK)] == []


def test_dev_tells_its_verbs_without_needing_anything(tmp_path: Path) -> None:
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    help_ = subprocess.run([str(ROOT / "dev")], cwd=tmp_path, env=bare, check=True, capture_output=True, text=True)
    verbs = {line.split()[0] for line in help_.stdout.splitlines() if line.startswith("  ")}

    assert verbs == {"demo", "test", "check", "sim", "fuzz", "bench", "run", "generate"}


def test_dev_refuses_a_verb_it_does_not_have(tmp_path: Path) -> None:
    refused = subprocess.run([str(ROOT / "dev"), "fly"], cwd=tmp_path, check=False, capture_output=True, text=True)

    assert refused.returncode == 64
    assert "usage" in refused.stderr


def bare_machine(folder: Path, **programs: str) -> dict[str, str]:
    """A checkout in `folder` on a machine that has the usual small tools, no uv, and `programs` (name -> shell script).

    PYTHON names where to look, so that this machine's own /usr/bin/python3 is not found.
    """
    for name in ("dev", "requirements.lock"):
        shutil.copy(ROOT / name, folder / name)
    tools = folder / "bin"
    tools.mkdir()
    for tool in ("sh", "cat", "cmp", "dirname", "basename", "rm"):
        found = shutil.which(tool)
        assert found is not None
        (tools / tool).symlink_to(found)
    for name, script in programs.items():
        (tools / name).write_text(f"#!{tools}/sh\n{script}\n", "utf-8")
        (tools / name).chmod(0o755)
    return {"PATH": str(tools), "HOME": str(folder), "PYTHON": "python3.11 python3"}


@pytest.mark.parametrize(
    ("programs", "command"),
    [
        ({}, "apt-get install python3 python3-venv"),
        ({"python3": "exit 1"}, "apt-get install python3 python3-venv"),
        ({"python3": 'case "$2" in *ensurepip*) exit 1 ;; esac'}, "apt-get install python3-venv"),
        ({"python3.11": 'case "$2" in *ensurepip*) exit 1 ;; esac'}, "apt-get install python3.11-venv"),
    ],
    ids=["no python", "python too old", "no venv", "no venv for python3.11"],
)
def test_dev_names_the_one_command_that_installs_what_is_missing(
    tmp_path: Path, programs: dict[str, str], command: str
) -> None:
    machine = bare_machine(tmp_path, **programs)
    refused = subprocess.run([str(tmp_path / "dev"), "test"], env=machine, check=False, capture_output=True, text=True)

    assert refused.returncode == 69
    assert refused.stderr.splitlines()[-1].endswith(f"Install it with: {command}")


@pytest.mark.parametrize(
    ("check", "said", "code"), [(0, ["check", "test"], 3), (1, ["check"], 1)], ids=["check passes", "check refuses"]
)
def test_ci_checks_and_only_then_runs_the_command_of_the_readme(
    tmp_path: Path, check: int, said: list[str], code: int
) -> None:
    """The run ends with the code of what ended it: the check's, else that of the tests."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    programs = {
        "dev": f'echo "$1"\n[ "$1" = check ] && exit {check}\nexit 3\n',
        "id": "echo 1000\n",  # not root, so that nothing is installed
    }
    for name, script in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}", "utf-8")
        (tmp_path / name).chmod(0o755)
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run([tmp_path / ".ci" / "run"], env=path, cwd="/", check=False, capture_output=True, text=True)

    assert (done.stdout.split(), done.returncode) == (said, code)


def test_the_readme_shows_the_two_commands_and_where_to_go_next() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")

    for needed in ("./dev demo", "./dev test", *sorted(f"{folder}/README.md" for folder in FOLDERS)):
        assert needed in readme


@pytest.mark.parametrize(
    "path",
    sorted([*ROOT.glob("*.md"), *(p for f in (*FOLDERS, ".github") for p in (ROOT / f).rglob("*.md"))]),
    ids=name_of,
)
def test_links_between_our_pages_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text("utf-8"))

    assert [link for link in links if not (path.parent / link).exists()] == []


def test_every_decision_stands_in_the_index() -> None:
    folder = ROOT / "node" / "decisions"
    records = sorted(path.name for path in folder.glob("[0-9]*.md"))
    index = (folder / "README.md").read_text("utf-8")

    assert records
    assert [record for record in records if f"({record})" not in index] == []
    for record in records:
        text = (folder / record).read_text("utf-8")
        assert [part for part in ("## Context", "## Decision", "## Consequences") if part not in text] == [], record


def uv_lock() -> dict[str, dict[str, Any]]:
    packages = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))["package"]
    return {package["name"]: package for package in packages}


def locked_with_digests(path: Path) -> set[tuple[str, str, frozenset[str]]]:
    """Name, version and digests of all that a lock in pip's form names."""
    text = path.read_text("utf-8")
    blocks = re.findall(r"^([a-z0-9][a-z0-9._-]*)==([^\s;]+)(.*?)(?=^[a-z0-9]|\Z)", text, re.MULTILINE | re.DOTALL)
    return {(name, version, frozenset(re.findall(r"sha256:[0-9a-f]{64}", rest))) for name, version, rest in blocks}


def test_requirements_lock_is_what_uv_lock_says() -> None:
    """Same names, versions and digests; where it differs: uv export --no-emit-project --all-groups -o requirements.lock."""
    pip = locked_with_digests(ROOT / "requirements.lock")
    uv = set()
    for name, package in uv_lock().items():
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        if name != "truc":
            uv.add((name, package["version"], frozenset(file["hash"] for file in files)))

    assert {entry[:2] for entry in pip} == {entry[:2] for entry in uv}
    assert pip == uv
    assert all(digests for _, _, digests in pip)


def test_the_lock_of_installations_is_the_part_of_uv_lock_that_the_program_needs() -> None:
    """Where it differs: uv export --no-emit-project --no-dev -o deploy/requirements.lock."""
    locked, needed = uv_lock(), set[str]()
    names = [one["name"] for one in locked["truc"]["dependencies"]]
    while names:
        name = names.pop()
        if name not in needed:
            needed.add(name)
            names += [one["name"] for one in locked[name].get("dependencies", [])]
    whole = locked_with_digests(ROOT / "requirements.lock")

    assert locked_with_digests(ROOT / "deploy" / "requirements.lock") == {one for one in whole if one[0] in needed}


def test_uv_lock_is_of_this_pyproject() -> None:
    """Where it differs: uv lock."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    locked = uv_lock()["truc"]["metadata"]

    def written(requirements: list[dict[str, str]]) -> set[str]:
        return {requirement["name"] + requirement.get("specifier", "") for requirement in requirements}

    assert written(locked["requires-dist"]) == set(project["project"]["dependencies"])
    assert written(locked["requires-dev"]["dev"]) == set(project["dependency-groups"]["dev"])


def test_version_is_said_once_the_same() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    said = re.search(r'^__version__ = "(.+)"$', (ROOT / "node" / "__init__.py").read_text("utf-8"), re.MULTILINE)

    assert said is not None
    assert said[1] == project["version"]
    assert f"## [{project['version']}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_licence_is_whole() -> None:
    licence = (ROOT / "LICENSE").read_text("utf-8")

    assert "Apache License\n                           Version 2.0, January 2004" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
    assert "Copyright 2026 The truc authors" in licence
    assert len(licence.splitlines()) == 202
