"""The operator's book says what the program does: reasons, commands and links are held against it. Scripts are well formed."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from node.cli.main import app
from tests.real_mesh import ROOT

DEPLOY = ROOT / "deploy"
BOOK = DEPLOY / "book"
PAGES = sorted([*BOOK.glob("*.md"), DEPLOY / "README.md"])
SCRIPTS = ["bundle", "server/install.sh", "server/truc"]


def commands(page: Path) -> list[str]:
    """All truc commands of a page: lines of code blocks, and what stands between backticks."""
    text = page.read_text("utf-8")
    blocks = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    inline = re.findall(r"`(truc [^`]+)`", text)
    return [re.sub(r"\s+#.*| \| .*", "", one) for one in [*blocks, *inline] if re.match(r"truc [a-z]", one)]


def complaint(command: str) -> str:
    """Return what is wrong with a command of the book, or "". An ellipsis stands for the rest."""
    at: object = get_command(app)
    for word in shlex.split(command.replace("…", ""))[1:]:
        if isinstance(at, TyperGroup):
            if word not in at.commands:
                return f"{command}: there is no {word}"
            at = at.commands[word]
        elif word.startswith("--"):
            assert isinstance(at, TyperCommand)
            known = {name for param in at.params for name in param.opts} | {"--home", "--help"}
            if word.split("=")[0] not in known:
                return f"{command}: there is no option {word}"
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_the_book_is_one(page: Path) -> None:
    assert [wrong for wrong in map(complaint, commands(page)) if wrong] == []


def test_commands_that_are_none_are_found() -> None:
    assert complaint("truc unit forget H99") == "truc unit forget H99: there is no forget"
    assert "there is no option --now" in complaint("truc unit publish --now")
    assert len(commands(BOOK / "02-cai-dat.md")) > 8


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_links_into_the_english_page_meet_its_headings() -> None:
    headings = re.findall(r"^## (.+)$", (BOOK / "en.md").read_text("utf-8"), re.MULTILINE)
    known = {re.sub(r"[^a-z0-9 ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    wanted = {anchor for page in PAGES for anchor in re.findall(r"\]\(en\.md#([^)]+)\)", page.read_text("utf-8"))}
    assert wanted == known


def test_the_table_of_reasons_is_fresh() -> None:
    """Where it differs: .venv/bin/python deploy/book/reasons.py."""
    done = subprocess.run([sys.executable, BOOK / "reasons.py", "--check"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr or "05-tinh-trang-ly-do.md is not what node/errors.py says"


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_well_formed(name: str) -> None:
    assert subprocess.run(["sh", "-n", DEPLOY / name], timeout=20).returncode == 0
    assert (DEPLOY / name).stat().st_mode & 0o111


@pytest.mark.parametrize("name", SCRIPTS)
def test_shellcheck_has_nothing_to_say(name: str) -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("there is no shellcheck; apt-get install shellcheck")
    done = subprocess.run(["shellcheck", DEPLOY / name], capture_output=True, text=True, timeout=60)
    assert done.stdout == ""


@pytest.mark.parametrize("name", ["truc.service", "truc-refresh.timer"])
def test_systemd_understands_the_units(tmp_path: Path, name: str) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze; apt-get install systemd")
    for one in ("truc.service", "truc-refresh.service", "truc-refresh.timer"):
        unit = (DEPLOY / "server" / one).read_text("utf-8").replace("@USER@", "root")
        runs = re.sub(r"^ExecStart=.*$", "ExecStart=/bin/true", unit, flags=re.MULTILINE)
        (tmp_path / one).write_text(runs, "utf-8")
    done = subprocess.run(["systemd-analyze", "verify", tmp_path / name], capture_output=True, text=True, timeout=60)
    said = [line for line in done.stderr.splitlines() if "truc" in line]
    assert (done.returncode, said) == (0, [])
