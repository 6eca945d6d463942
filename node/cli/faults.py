"""How a failure is told: one Vietnamese sentence (wording/told.py) on stderr; with --json one document on stdout, with the English detail.

TRUC_TRACE=1 shows the English detail to people as well.
"""

import os
import re
import sys
import traceback
from typing import Any

import typer
from typer.exceptions import TyperException

from node.cli.command import given
from node.cli.output import BAD, QUIET, console, line, mark, text
from node.errors import ADVICE, EXIT_BUG, EXIT_OK, Fault, kind_of
from node.model.reason import Reason
from node.wording import vietnamese
from node.wording.plain import json_text
from node.wording.vietnamese import clean

EXIT_USAGE, EXIT_INTERRUPTED = 2, 130
TRACE_VARIABLE = "TRUC_TRACE"

_OF_OUR_NODE = {
    Reason.PEER_UNREACHABLE: "Không gọi được nút. Hãy xem nút có đang chạy không ('truc serve') và địa chỉ có đúng không.",
    Reason.PEER_TLS_FAILED: "Nơi được gọi không đưa ra đúng chứng thư của nút. Hãy xem cổng có bị chương trình khác dùng không, "
    "hoặc xin cấp lại tệp xác thực.",
}
"""The command only calls its own node; the general advice speaks of other nodes and of waiting."""


_SENTENCES = (
    (r"No such command '(.+)'\. Did you mean '?(.+?)'?\?", "Không có lệnh {0}; có phải {1}?"),
    (r"No such command '(.+)'\.", "Không có lệnh {0}."),
    (r"Missing command\.", "Thiếu lệnh."),
    (r"Got unexpected extra argument\(?s?\)? \((.+)\)", "Thừa đối số: {0}."),
    (r"Option '(.+)' requires an argument\.", "Tùy chọn {0} cần một giá trị."),
    (r"Option '(.+)' does not take a value\.", "Tùy chọn {0} không nhận giá trị."),
)
"""The library's sentences that have no class of their own."""

_VALUES = (
    (r"Input should be greater than or equal to (\S+)", "phải từ {0} trở lên"),
    (r"Input should be less than or equal to (\S+)", "nhiều nhất là {0}"),
    (r"Input should be a valid integer.*", "phải là một số nguyên"),
    (r"Input should be a valid (?:number|float).*", "phải là một số"),
    (r"Input should be a valid boolean.*", "phải là true hoặc false"),
    (r"(?:Path|File|Directory|path|file) '(.+)' does not exist\.?", "không có {0}"),
    (r"'(.*)' is not one of (.+?)\.?", "{0} không nằm trong: {1}"),
    (r"(\S+) is not in the range (\S+)\.?", "{0} nằm ngoài khoảng {1}"),
    (r"'(.*)' is not a valid .+?\.?", "{0} không đúng dạng"),
)
"""What the library says of a value that it cannot take."""


def run_tree(tree: typer.Typer, args: list[str], program: str) -> int:
    """Run a command of a tree and tell how it failed, if it did; return the exit code."""
    as_json = "--json" in args
    given.forget()
    try:
        return tree(args, prog_name=program, standalone_mode=False) or EXIT_OK
    except Fault as fault:
        return tell_fault(fault, as_json)
    except (typer.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except TyperException as error:
        return tell_usage(error, as_json)
    except BrokenPipeError:
        # Whoever read our output has gone (`truc inbox | head`); Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except Exception as error:
        return tell_bug(error, as_json)


def tell_fault(fault: Fault, as_json: bool) -> int:
    """Tell what the world did; return the exit code of its kind."""
    from node.wording.told import told  # its many patterns cost time, and few commands fail

    kind = kind_of(fault.reason)
    said = told(fault)
    general = said.sentence == ADVICE[fault.reason]
    sentence = given.within(_OF_OUR_NODE.get(fault.reason, said.sentence) if general else said.sentence)
    again = f" Thử lại sau {vietnamese.span(fault.retry_after_ms + 999)}." if fault.retry_after_ms else ""
    detail = fault.detail if as_json or os.environ.get(TRACE_VARIABLE) else said.detail
    _tell(as_json, fault.reason.name, kind.__name__.lower(), sentence + again, detail)
    return fault.exit_code


def tell_usage(error: Any, as_json: bool) -> int:
    """Tell that the command line is wrong; return 2."""
    if type(error).__name__ == "NoArgsIsHelpError" and not as_json:
        return EXIT_USAGE  # the help that was just shown tells all
    command = error.ctx.command_path if getattr(error, "ctx", None) else "truc"
    _tell(as_json, "USAGE", "usage", f"{_usage(error)} Xem: {command} --help", "")
    return EXIT_USAGE


def tell_bug(error: Exception, as_json: bool) -> int:
    """Tell that we made a mistake; return 70."""
    if os.environ.get(TRACE_VARIABLE):
        traceback.print_exception(error)
    where = traceback.extract_tb(error.__traceback__)[-1]
    detail = f"{type(error).__name__}: {error} ({os.path.basename(where.filename)}:{where.lineno})"
    advice = f"truc gặp lỗi của chính nó. Hãy báo nhóm phát triển, kèm kết quả khi chạy lại với {TRACE_VARIABLE}=1."
    _tell(as_json, "BUG", "bug", advice, detail)
    return EXIT_BUG


def tell_failure(said: str, as_json: bool) -> None:
    """Tell that something awaited did not happen; `said` is in Vietnamese, its first line the sentence, the rest the evidence."""
    sentence, _, evidence = said.partition("\n")
    _tell(as_json, "FAILED", "failed", sentence, evidence)


def _tell(as_json: bool, reason: str, kind: str, advice: str, detail: str) -> None:
    if as_json:
        error = {"reason": reason, "kind": kind, "advice": advice, "detail": detail}
        print(json_text({"error": error}), flush=True)
        return
    screen = console(stderr=True)
    screen.print(line(mark(False), " ", text(advice, BAD)))
    lines = detail.splitlines()
    if kind not in ("usage", "failed"):
        lines = [f"{reason}: {lines[0]}" if lines else reason, *lines[1:]]
    for one in lines:
        screen.print(text(f"  {clean(one)}", QUIET))
    sys.stderr.flush()


def _usage(error: Any) -> str:
    """The sentence in Vietnamese for the usual mistakes, by the name of the library's exception; else its own words."""
    kind, hint = type(error).__name__, _hint(error)
    if kind == "MissingParameter":
        return f"Thiếu {hint}."
    if kind == "NoSuchOption":
        near = f" Có phải {', '.join(error.possibilities)}?" if error.possibilities else ""
        return f"Không có tùy chọn {error.option_name}.{near}"
    if kind == "BadParameter":
        said = _of_value(error.message)
        return f"{hint}: {said}." if hint else f"{said[:1].upper()}{said[1:]}."
    message = str(error.format_message())
    for pattern, sentence in _SENTENCES:
        if found := re.fullmatch(pattern, message):
            return sentence.format(*found.groups())
    return message


def _of_value(message: str) -> str:
    for pattern, sentence in _VALUES:
        if found := re.fullmatch(pattern, message, re.DOTALL):
            return sentence.format(*found.groups())
    return message


def _hint(error: Any) -> str:
    given = getattr(error, "param_hint", None)
    if given is None and getattr(error, "param", None) is not None:
        given = error.param.get_error_hint()
    hint = given if isinstance(given, str) or given is None else " / ".join(given)
    return (hint or "").replace("'", "")
