"""The wheel of this checkout, built as deploy/wheels builds it: what it tells of itself, to people and to type checkers."""

import email.message
import email.parser
import importlib.util
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.real_mesh import ROOT

LINK = re.compile(r"\]\(([^)\s]+)\)")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    (made,) = folder.glob("truc-*.whl")
    return made


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [one for one in archive.namelist() if one.endswith(".dist-info/METADATA")]
        return email.parser.Parser().parsestr(archive.read(name).decode())


def test_type_checkers_are_told_that_the_package_is_typed(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert {"node/py.typed", "node/wire/truc/v1/office_service_pb2.pyi"} <= set(archive.namelist())


def test_the_pythons_that_are_named_are_those_of_the_archive_for_servers(metadata: email.message.Message) -> None:
    named = re.findall(r":: Python :: (3\.\d+)", "\n".join(metadata.get_all("Classifier", [])))
    served = re.search(r'^pythons="(.+)"$', (ROOT / "deploy" / "bundle").read_text("utf-8"), re.MULTILINE)

    assert served is not None
    assert named == served[1].split()
    assert metadata["Requires-Python"] == f">={named[0]}"


def test_all_addresses_are_of_one_repository(metadata: email.message.Message) -> None:
    urls = dict(one.split(", ", 1) for one in metadata.get_all("Project-URL", []))

    assert urls == PROJECT["urls"]
    assert [url for url in urls.values() if not url.startswith(urls["Source"])] == []
    assert metadata["Author"] == "The truc authors"


def test_the_page_that_is_shown_by_itself_links_to_files_of_its_own_version(metadata: email.message.Message) -> None:
    base = f"{PROJECT['urls']['Source']}/blob/v{PROJECT['version']}/"
    page, readme = str(metadata.get_payload()), (ROOT / "README.md").read_text("utf-8")
    links = LINK.findall(page)
    ours = [link.removeprefix(base) for link in links if link.startswith(base)]

    assert metadata["Description-Content-Type"] == "text/markdown"
    assert [link for link in links if not link.startswith("https://")] == []
    assert len(ours) > 10
    assert [file for file in ours if not (ROOT / file.partition("#")[0]).is_file()] == []
    assert page.replace(base, "").strip() == readme.strip(), "links apart it is the README of the checkout"


def test_only_relative_links_are_changed() -> None:
    spec = importlib.util.spec_from_file_location("readme", ROOT / "deploy" / "readme.py")
    assert spec is not None
    assert spec.loader is not None
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    page = "[a](x/y.md) [b](x.md#part) [c](https://h/x) [d](#part) [e](mailto:a@b) [f](/x) ![g](p.svg) `a[0](b c)`"

    assert hook.standing_alone(page, "https://h/v1/") == (
        "[a](https://h/v1/x/y.md) [b](https://h/v1/x.md#part) [c](https://h/x) [d](#part) [e](mailto:a@b) [f](/x) "
        "![g](https://h/v1/p.svg) `a[0](b c)`"
    )
