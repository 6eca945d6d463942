"""Options that commands share, and how a command finds its node.

HOME is a command's first argument. It may be given as `--home HOME` as well, or left to the variable TRUC_HOME: then a first
argument counts as HOME only if it looks like a folder (it exists, or has a / in it); where a folder or file is what comes next, only if
a node lives in it.
"""

import os
import re
import shlex
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from node.config.home import Homestead, require_open
from node.errors import Rejected
from node.model.calendar import VIETNAM, YEAR_MAX, YEAR_MIN, start_of_day_ms
from node.model.code import Code, parse_code, parse_leaf
from node.model.reason import Reason

T = TypeVar("T")


@dataclass
class Given:
    """How the command that runs now was told of its node or credential, so that what it suggests can be pasted as it stands."""

    home: str = ""
    """HOME as it was written; "" if it came from the variable, or there is none."""
    credential: str = ""
    from_variable: bool = False

    def forget(self) -> None:
        """Begin with another command."""
        self.home, self.credential, self.from_variable = "", "", False

    def completed(self, command: str) -> str:
        """Return a command with HOME and --as as they were given."""
        if re.search(r"\bHOME\b", command) and (self.home or self.from_variable):
            # A replacement that is a function: a path may have backslashes.
            command = re.sub(r" HOME\b", lambda _: f" {self.home}" if self.home else "", command)
        if self.credential and re.match(_OF_OFFICES, command) and " --as " not in command:
            command += f" --as {self.credential}"
        return command

    def within(self, sentence: str) -> str:
        """Return a sentence whose commands are completed."""
        return re.sub(
            r"\btruc [a-z]+(?: [^\s.;,:)'(\"]+| '[^']*'| \"[^\"]*\")*", lambda found: self.completed(found[0]), sentence
        )


_OF_OFFICES = r"truc (?:submit|inbox|fetch|ack|track|export|withdraw|update|replace|drop|status send|unit search)\b"
given = Given()

_TITLES = {
    "ARGUMENTS_PANEL_TITLE": "Đối số",
    "OPTIONS_PANEL_TITLE": "Tùy chọn",
    "COMMANDS_PANEL_TITLE": "Lệnh",
    "REQUIRED_LONG_STRING": "[bắt buộc]",
    "DEFAULT_STRING": "[mặc định: {}]",
    "ENVVAR_STRING": "[biến: {}]",
}
"""The library's fixed strings (typer.rich_utils), by their names there."""

HOME_VARIABLE, SYSTEM_VARIABLE = "TRUC_HOME", "TRUC_SYSTEM"


def _open(home: Path) -> Path:
    given.home = "" if given.from_variable else shlex.quote(str(home))
    require_open(home)
    return home


def _named(ctx: typer.Context, param: Any, credential: Path) -> Path:
    written = ctx.get_parameter_source(param.name)
    if written is not None and written.name == "COMMANDLINE":
        given.credential = shlex.quote(str(credential))
    return credential


Home = Annotated[
    Path,
    typer.Argument(
        help=f"Thư mục của nút; cũng có thể ghi --home HOME hoặc đặt biến {HOME_VARIABLE}.",
        metavar="HOME",
        readable=False,  # the library's own check says less
        callback=_open,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="In một tài liệu JSON cho chương trình đọc.")]
As = Annotated[
    Path,
    typer.Option(
        "--as",
        help="Tệp xác thực của hệ thống, do 'truc system add' cấp.",
        envvar=SYSTEM_VARIABLE,
        metavar="CRED",
        callback=_named,
    ),
]
OptionalHome = Annotated[
    Path | None, typer.Option("--home", help="Thư mục của nút.", envvar=HOME_VARIABLE, metavar="HOME")
]
OptionalAs = Annotated[
    Path | None, typer.Option("--as", help="Tệp xác thực của hệ thống.", envvar=SYSTEM_VARIABLE, metavar="CRED")
]


class _VietnameseHelp:
    """Help in Vietnamese. Its drawing is loaded only if there will be help: it takes as long as all the rest."""

    def get_help_option(self, ctx: Any) -> Any:
        """Say in Vietnamese what --help does."""
        option = super().get_help_option(ctx)  # type: ignore[misc]  # of the command this is mixed into
        if option is not None:
            option.help = "Hiện phần này rồi thoát."
        return option

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Title the panels before they are drawn."""
        from typer import rich_utils

        for name, title in _TITLES.items():
            setattr(rich_utils, name, title)
        super().format_help(ctx, formatter)  # type: ignore[misc]


class Noun(_VietnameseHelp, TyperGroup):
    """A group of commands; without one of them it shows its help."""


class Command(_VietnameseHelp, TyperCommand):
    """A command."""


class HomeCommand(Command):
    """A command whose first argument is HOME."""

    path_next = False

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put HOME where the command expects it, then go on as usual."""
        flags = {name for param in self.params if getattr(param, "is_flag", False) for name in param.opts}
        with_it = with_home(args, flags | set(ctx.help_option_names), os.environ, path_next=self.path_next)
        given.from_variable = with_it == [os.environ.get(HOME_VARIABLE, ""), *args]
        return super().parse_args(ctx, with_it)


class HomeAndPathCommand(HomeCommand):
    """A command whose first argument is HOME, and whose second is a path, too."""

    path_next = True


def with_home(
    args: list[str], flags: set[str], environment: Mapping[str, str], *, path_next: bool = False
) -> list[str]:
    """Return the arguments with HOME as the first one, wherever it was given.

    `flags` are the options without a value; `path_next`: the argument after HOME is a path, too.
    """
    for place, word in enumerate(args):
        if word == "--home" and place + 1 < len(args):
            return [args[place + 1], *args[:place], *args[place + 2 :]]
        if word.startswith("--home="):
            return [word.removeprefix("--home="), *args[:place], *args[place + 1 :]]
    home = environment.get(HOME_VARIABLE, "")
    first = _first_argument(args, flags)
    looks_like_home = first is not None and (_holds_node(first) if path_next else "/" in first or Path(first).is_dir())
    return args if not home or looks_like_home else [home, *args]


def _holds_node(folder: str) -> bool:
    return Homestead(Path(folder)).settings_file.is_file()


def _first_argument(args: list[str], flags: set[str]) -> str | None:
    words = iter(args)
    for word in words:
        if word == "--":
            return next(words, None)
        if not word.startswith("-"):
            return word
        if word not in flags and "=" not in word:
            next(words, None)
    return None


def now_ms() -> int:
    """Return the time, milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


def day_ms(written: str, *, after: bool = False) -> int:
    """Return when a Vietnamese day begins (`after`: the day after it), milliseconds since 1970 UTC; 0 for "".

    Written 2026-10-05 or 05/10/2026. Raises Rejected(REQUEST_INVALID) for what is no day.
    """
    if not written.strip():
        return 0
    for form in ("%Y-%m-%d", "%d/%m/%Y"):
        try:
            day = datetime.strptime(written.strip(), form).replace(tzinfo=VIETNAM).date()
        except ValueError:
            continue
        if YEAR_MIN <= day.year <= YEAR_MAX:
            return start_of_day_ms(day + timedelta(days=1) if after else day)
    raise Rejected(Reason.REQUEST_INVALID, f"{written!r} không phải một ngày; hãy ghi 2026-10-05 hoặc 05/10/2026")


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's calls to a node."""
    import asyncio

    return asyncio.run(work)


def read_input(path: Path) -> bytes:
    """Return the octets of a file that the user named. Raises Rejected(REQUEST_INVALID)."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Rejected(Reason.REQUEST_INVALID, f"{path}: {error.strerror}") from error


def leaves(texts: list[str]) -> list[Code]:
    """Read opaque identifier codes. Raises Rejected(CODE_MALFORMED)."""
    return [parse_leaf(text) for text in texts]


def codes(texts: list[str]) -> list[Code]:
    """Read identifier codes in either form. Raises Rejected(CODE_MALFORMED)."""
    return [parse_code(text) for text in texts]
