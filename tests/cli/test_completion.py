"""Completion: real shells are asked what they would offer, and what the installation writes is read by them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from node.cli.completion import SCRIPTS, with_shell
from node.cli.main import app, run
from tests.cli.conftest import Truc

ASK = {
    "bash": '. "$SCRIPT"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _truc truc; printf "%s\\n" "${COMPREPLY[@]}"',
    # What zsh would draw is printed: the words of the answer as it reads them, one "word:help" each, or that it looks for files.
    "zsh": """compdef() { }; _files() { print FILES }
        _arguments() { local answer=${1#*"(("}; eval print -rl -- ${answer%"))"} }
        . "$SCRIPT"; words=("$@"); CURRENT=$#; _truc""",
}
"""Programs for `bash -c` and `zsh -fc` that ask the installed script about a line; its words are their arguments."""


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a user who has `truc` in the PATH and settings of his own for both shells."""
    home, programs = tmp_path / "nhà của tôi", tmp_path / "bin"
    for folder in (home, programs):
        folder.mkdir()
    command = f'#!/bin/sh\nexec {sys.executable} -P -m node.cli.main "$@"\n'
    (programs / "truc").write_text(command, "utf-8")
    (programs / "truc").chmod(0o755)
    (home / ".bashrc").write_text("shopt -s autocd", "utf-8")
    (home / ".zshrc").write_bytes("# của tôi \xff\nsetopt autocd\n".encode("latin-1", "replace"))
    for name in ("XDG_DATA_HOME", "ZDOTDIR", "SHELL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    return home


def offered(shell: str, script: Path, *words: str) -> list[str]:
    """What a shell offers for the last of these words."""
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}; apt-get install {shell}")
    flag = "-c" if shell == "bash" else "-fc"
    environment = {**os.environ, "SCRIPT": str(script)}
    done = subprocess.run(
        [shell, flag, ASK[shell], shell, *words], env=environment, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [line for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize("shell", SCRIPTS)
def test_a_shell_completes_nouns_verbs_options_and_leaves_paths_to_itself(truc: Truc, user: Path, shell: str) -> None:
    assert truc("--install-completion", shell).code == 0
    script = user / ".local" / "share" / "truc" / f"completion.{shell}"

    def names(*words: str) -> list[str]:
        return [one.split(":")[0] for one in offered(shell, script, *words)]

    assert names("truc", "su") == ["submit", "support-bundle"]
    assert names("truc", "unit", "") == ["add", "remove", "close", "list", "publish", "search", "alias"]
    assert names("truc", "unit", "alias", "re") == ["remove"]
    assert {"--as", "--json"} <= set(names("truc", "submit", "--"))
    assert names("truc", "--show-completion", "") == ["bash", "zsh"]
    assert names("truc", "submit", "/tm") == ([] if shell == "bash" else ["FILES"])


@pytest.mark.parametrize("shell", SCRIPTS)
def test_a_shell_that_starts_afterwards_knows_it(truc: Truc, user: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}; apt-get install {shell}")
    assert truc("--install-completion", shell).code == 0
    ask = {"bash": "complete -p truc", "zsh": "print -r -- ${_comps[truc]}"}[shell]
    done = subprocess.run(
        [shell, "-i", "-c", ask], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )

    assert done.stdout.strip() == {"bash": "complete -o default -F _truc truc", "zsh": "_truc"}[shell]


@pytest.mark.parametrize("shell", SCRIPTS)
def test_installing_twice_adds_one_line_and_touches_nothing_else(truc: Truc, user: Path, shell: str) -> None:
    start = user / f".{shell}rc"
    before = start.read_bytes().rstrip(b"\n")
    said = [truc("--install-completion", shell) for _ in range(2)]
    lines = start.read_bytes().splitlines()

    assert [one.code for one in said] == [0, 0]
    assert b"\n".join(lines[:-1]) == before
    assert b"completion." + shell.encode() in lines[-1]
    assert f"Đã cài gợi ý lệnh cho {shell}" in said[0].out
    assert (str(start) in said[0].out, "truc/completion" in said[0].out) == (True, True)


def test_a_user_without_settings_of_his_own_gets_them_where_the_shell_looks(
    truc: Truc, user: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "zdot").mkdir()
    monkeypatch.setenv("ZDOTDIR", str(tmp_path / "zdot"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))

    assert truc("--install-completion", "zsh").code == 0
    assert (tmp_path / "data" / "truc" / "completion.zsh").is_file()
    assert (tmp_path / "zdot" / ".zshrc").read_text("utf-8").count("completion.zsh") == 2


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_script_is_shown_for_those_who_put_it_somewhere_themselves(
    truc: Truc, user: Path, monkeypatch: pytest.MonkeyPatch, shell: str
) -> None:
    named = truc("--show-completion", shell)
    monkeypatch.setenv("SHELL", f"/usr/bin/{shell}")

    assert (named.code, named.out) == (0, SCRIPTS[shell])
    assert truc("--show-completion").out == named.out, "the shell of the user is taken where none is named"


@pytest.mark.parametrize("option", ["--install-completion", "--show-completion"])
def test_a_shell_that_is_not_known_is_refused_with_those_that_are(truc: Truc, user: Path, option: str) -> None:
    for words, said in (((option, "fish"), "chưa hỗ trợ 'fish'"), ((option,), "không biết bạn dùng shell nào")):
        refused = truc(*words)
        assert refused.code == 2
        assert f"{said}; hãy ghi rõ bash hoặc zsh" in refused.err
        assert refused.out == ""


def test_a_place_that_cannot_be_written_to_is_named(truc: Truc, user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(user / ".bashrc"))
    refused = truc("--install-completion", "bash")

    assert refused.code == 65
    assert ".bashrc/truc" in refused.err
    assert (user / ".bashrc").read_text("utf-8") == "shopt -s autocd"


def test_only_an_option_that_stands_alone_gets_the_users_shell() -> None:
    for args in ([], ["submit", "x"], ["--show-completion", "fish"], ["submit", "--show-completion"]):
        assert with_shell(args, {"SHELL": "/bin/zsh"}) == args
    assert with_shell(["--show-completion", "--help"], {"SHELL": "/bin/zsh"}) == ["--show-completion", "zsh", "--help"]


def lines_of(command: TyperCommand | TyperGroup, words: list[str]) -> Iterator[list[str]]:
    """A line for every noun and verb of the tree."""
    yield words
    if isinstance(command, TyperGroup):
        for name, each in command.commands.items():
            assert isinstance(each, TyperCommand | TyperGroup)
            yield from lines_of(each, [*words, name])


def test_no_line_that_is_completed_says_anything_but_what_may_follow(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = get_command(app)
    assert isinstance(tree, TyperGroup)
    monkeypatch.setenv("_TRUC_COMPLETE", "complete_bash")
    lines = list(lines_of(tree, ["truc"]))
    assert len(lines) > 60
    for words in [*lines, ["truc", "--version"], ["truc", "nothing"], ["truc", "submit", "--none", "x"]]:
        for last in ("", "-", "/nowhere/"):
            monkeypatch.setenv("COMP_WORDS", "\n".join([*words, last]))
            monkeypatch.setenv("COMP_CWORD", str(len(words)))
            with pytest.raises(SystemExit) as ended:
                run([])
            said = capsys.readouterr()
            assert (ended.value.code, said.err) == (0, ""), words
            assert not [word for word in said.out.split("\n") if " " in word], words
