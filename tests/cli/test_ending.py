"""How a command ends: exit codes, what is said where, and that HOME is found wherever it was given."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from node.cli.command import with_home
from node.cli.main import app
from tests.cli.conftest import Truc


def test_a_fault_is_advice_in_vietnamese_then_detail_on_stderr(truc: Truc, tmp_path: Path) -> None:
    failed = truc("node", "show", tmp_path / "nowhere")

    assert failed.code == 78
    assert failed.out == ""
    assert failed.err.splitlines() == [
        f"✗ Thư mục {tmp_path / 'nowhere'} không có nút nào. Kiểm tra lại đường dẫn, hoặc lập nút: truc node create",
        "  HOME_MISSING",
    ]


def test_a_fault_is_one_document_for_programs(truc: Truc, tmp_path: Path) -> None:
    failed = truc("node", "show", tmp_path / "nowhere", "--json")

    assert failed.err == ""
    assert failed.document.keys() == {"error"}
    assert failed.document["error"].keys() == {"reason", "kind", "advice", "detail"}
    assert failed.document["error"]["kind"] == "broken"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("node", "creat"), "Không có lệnh creat; có phải create?"),
        (("bay",), "Không có lệnh bay."),
        (("node", "show", "a", "b"), "Thừa đối số: b."),
        (("node", "create", "a", "--id"), "Tùy chọn --id cần một giá trị."),
        (("node", "create", "a", "--od", "x"), "Không có tùy chọn --od."),
        (("authority", "create", "a"), "Thiếu --name."),
        (("authority", "show"), "Thiếu FOLDER."),
        (("unit", "add", "/a", "H37.01"), "Ghi CODE và NAME, hoặc --from FILE."),
        (("inbox",), "Thiếu --as"),
    ],
)
def test_a_wrong_command_line_is_told_in_vietnamese(truc: Truc, words: tuple[str, ...], said: str) -> None:
    failed = truc(*words)

    assert failed.code == 2
    assert said in failed.err
    assert "--help" in failed.err
    assert truc(*words, "--json").reason == "USAGE"


def test_a_mistake_of_ours_has_its_own_code_and_shows_no_traceback_unasked(
    truc: Truc, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(folder: Path) -> None:
        raise AssertionError("two and two are five")

    monkeypatch.setattr("node.directory.authority.authority.Authority.open", broken)
    quiet = truc("authority", "show", tmp_path)
    document = truc("authority", "show", tmp_path, "--json").document["error"]
    monkeypatch.setenv("TRUC_TRACE", "1")
    traced = truc("authority", "show", tmp_path)

    assert (quiet.code, document["kind"]) == (70, "bug")
    assert "two and two are five" in quiet.err
    assert "Traceback" not in quiet.err
    assert "Traceback" in traced.err


def test_help_is_in_vietnamese_and_names_every_noun_and_verb(truc: Truc) -> None:
    help_ = truc("--help")
    nouns = ["authority", "node", "unit", "system", "peer", "status", "packet"]
    verbs = ["submit", "inbox", "fetch", "ack", "track", "withdraw", "update", "replace", "outbox", "serve", "doctor"]

    assert help_.code == 0
    assert [one for one in nouns + verbs if f" {one} " not in help_.out] == []
    assert "Tùy chọn" in help_.out
    assert "Options" not in help_.out.replace("[OPTIONS]", "")
    assert truc().out == help_.out


def test_a_noun_alone_shows_its_commands(truc: Truc) -> None:
    shown = truc("peer")

    assert shown.code == 2
    assert "release" in shown.out
    assert shown.err == ""


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys; from node.cli.main import run; run(['--help'])\n"
        "heavy = {'grpc', 'tuf', 'cryptography', 'lxml', 'rocksdict', 'pydantic', 'google.protobuf', 'asyncio'}\n"
        "print(*sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert done.stderr.strip() == ""


def test_home_comes_from_the_first_argument_the_option_or_the_variable(
    truc: Truc, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_argument = truc("unit", "list", home, "--json").document
    by_option = truc("unit", "list", "--home", home, "--json").document
    monkeypatch.setenv("TRUC_HOME", str(home))
    by_variable = truc("unit", "list", "--json").document
    added = truc("unit", "add", "--short", "SM", "H37.01", "Sở Mẫu")

    assert by_argument == by_option == by_variable
    assert added.code == 0
    assert truc("unit", "list", home, "--json").document["units"][0]["code"] == "H37.01"


def test_a_folder_given_as_the_first_argument_beats_the_variable(tmp_path: Path) -> None:
    environment = {"TRUC_HOME": "/tu-bien"}

    assert with_home(["--json", str(tmp_path)], {"--json"}, environment) == ["--json", str(tmp_path)]
    assert with_home(["H37.01", "--parent", "/x"], set(), environment) == ["/tu-bien", "H37.01", "--parent", "/x"]
    assert with_home(["--parent", "/x", "H37.01"], set(), environment) == ["/tu-bien", "--parent", "/x", "H37.01"]
    assert with_home(["--home=/a", "H37.01"], set(), environment) == ["/a", "H37.01"]


def test_every_command_speaks_json() -> None:
    trees = [app, *(group.typer_instance for group in app.registered_groups)]
    callbacks = [command.callback for tree in trees for command in tree.registered_commands]

    assert len(callbacks) > 25
    assert [one.__name__ for one in callbacks if "as_json" not in one.__annotations__] == []


def test_output_into_a_closed_pipe_is_no_failure(home: Path) -> None:
    command = [sys.executable, "-m", "node.cli.main", "node", "show", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read().decode()

    assert "Traceback" not in said
    assert "BUG" not in said


def suggested(said: str) -> list[str]:
    """The commands that an output suggests."""
    return [line.strip() for line in said.splitlines() if line.startswith("    truc ")]


def test_what_is_suggested_can_be_pasted_as_it_stands(
    truc: Truc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "nút của tỉnh"
    made = truc("node", "create", home, "--id", "h37", "--name", "Tỉnh", "--prefix", "H37")
    assert f"truc doctor '{home}'" in suggested(made.out)
    added = truc("unit", "add", home, "H37.01", "Sở")
    assert suggested(added.out) == [f"truc unit publish '{home}'"]
    monkeypatch.setenv("TRUC_HOME", str(home))
    assert suggested(truc("unit", "add", "H37.02", "Sở").out) == ["truc unit publish"]
    assert truc(*shlex.split(suggested(added.out)[0])[1:]).code == 0
    absent = truc("system", "revoke", "khong")
    assert "Nút này không có hệ thống khong. Xem: truc system list\n" in absent.err
    monkeypatch.delenv("TRUC_HOME")
    assert f"Xem: truc system list '{home}'" in truc("system", "revoke", home, "khong").err


def test_details_in_english_are_for_programs_and_for_whoever_asks(
    truc: Truc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("inbox", "--as", tmp_path / "khong.json")
    assert "No such file" not in truc(*words).err
    assert "No such file" in truc(*words, "--json").document["error"]["detail"]
    monkeypatch.setenv("TRUC_TRACE", "1")
    assert "No such file" in truc(*words).err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("inbox", "--as", "x", "--limit", "0"), "--limit: phải từ 1 trở lên."),
        (("inbox", "--as", "x", "--limit", "nhiều"), "--limit: phải là một số nguyên."),
        (("outbox", "/", "--limit", "9999"), "--limit: nhiều nhất là 1000."),
    ],
)
def test_values_out_of_range_are_told_in_vietnamese(truc: Truc, words: tuple[str, ...], said: str) -> None:
    assert said in truc(*words).err


PYTHON = [sys.executable, "-m", "node.cli.main"]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1258"])
def test_a_terminal_without_these_letters_gets_them_without_accents(tmp_path: Path, encoding: str) -> None:
    environment = os.environ | {"PYTHONIOENCODING": encoding, "COLUMNS": "200"}
    for words, said in ((("node", "show", str(tmp_path)), b"khong co nut nao"), (("node", "--help"), b"Thu muc")):
        ended = subprocess.run([*PYTHON, *words], env=environment, capture_output=True, check=False)
        assert b"Traceback" not in ended.stderr
        assert b"BUG" not in ended.stderr
        if encoding == "ascii":
            assert said in ended.stdout + ended.stderr or words[1] == "--help"


def test_a_reader_that_goes_away_is_no_fault(truc: Truc, tmp_path: Path) -> None:
    home = tmp_path / "nut"
    truc("node", "create", home, "--id", "h37", "--name", "T", "--prefix", "H37")
    (tmp_path / "u.csv").write_text("code,name\n" + "".join(f"H37.{n:05},Đơn vị\n" for n in range(5_000)), "utf-8")
    truc("unit", "add", home, "--from", tmp_path / "u.csv")
    process = subprocess.Popen([*PYTHON, "unit", "list", str(home)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    said = process.stderr.read()
    assert (process.wait(), said) == (0, b"")
