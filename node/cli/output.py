"""Output of a command: exactly one JSON document on stdout for programs, or tables and sentences for people.

Texts from packets and directories come from outside. They are shown without their control characters (a subject must not be able
to move the cursor) and are never read as markup.
"""

import codecs
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from node.cli.command import given
from node.wording.plain import json_text
from node.wording.vietnamese import clean

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

Document = dict[str, Any]

_PLAIN = {"✓": "v", "✗": "x", "…": ".", "–": "-", "→": ">", "«": '"', "»": '"', "─": "-", "│": "|", "·": "."}
_PLAIN |= dict.fromkeys("╭╮╰╯├┤┬┴┼", "+")
"""Signs of ours that stand for something."""

GOOD, WARNING, BAD, QUIET, STRONG = "green", "yellow", "red", "dim", "bold"


def tell(as_json: bool, document: Document, people: Callable[[], Iterable[object]]) -> None:
    """Print the document, or what `people` makes for people."""
    if as_json:
        print(json_text(document), flush=True)
        return
    screen = console()
    for part in people():
        show(screen, part)


def show(screen: "Console", part: object) -> None:
    """Print a part. Commands are never broken: whoever copies one must get it whole."""
    screen.print(part, soft_wrap=getattr(part, "no_wrap", None) is True)


def console(*, stderr: bool = False) -> "Console":
    """Return a console that takes no text for markup."""
    from rich.console import Console

    made = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    # Whoever read our output has gone: run_tree knows what that means, the library would end with 1.
    made.on_broken_pipe = _reader_gone  # type: ignore[method-assign]
    return made


def _reader_gone() -> None:
    raise BrokenPipeError


def prepare(*streams: Any) -> None:
    """Let a terminal or file that cannot show Vietnamese letters have them without accents, instead of failing on the first."""
    codecs.register_error("truc", _without_accents)
    for stream in streams:
        encoding = str(getattr(stream, "encoding", "") or "").lower().replace("-", "").replace("_", "")
        if encoding not in ("", "utf8") and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="truc")


def _without_accents(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    letters = unicodedata.normalize("NFKD", error.object[error.start : error.end].replace("đ", "d").replace("Đ", "D"))
    plain = "".join(_PLAIN.get(c, c if c.isascii() else "?") for c in letters if not unicodedata.combining(c))
    return plain, error.end


def text(value: object, style: str = "") -> "Text":
    """Return something from outside as a text for a table or a line."""
    from rich.text import Text

    return Text(clean(str(value)), style=style)


def line(*parts: "Text | str") -> "Text":
    """Return one line of our own words and texts from outside."""
    from rich.text import Text

    return Text.assemble(*parts)


def mark(good: bool | None) -> "Text":
    """Return ✓, ✗, or ! for None."""
    sign, style = {True: ("✓", GOOD), False: ("✗", BAD), None: ("!", WARNING)}[good]
    return text(sign, f"bold {style}")


def table(columns: Sequence[str], *, title: str = "", right: Sequence[str] = (), whole: Sequence[str] = ()) -> "Table":
    """Return a table; columns named in `right` hold numbers, those in `whole` are never broken."""
    from rich import box
    from rich.table import Table

    made = Table(title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        made.add_column(
            name,
            justify="right" if name in right else "left",
            no_wrap=name in whole,
            overflow="fold",
            header_style="bold",
        )
    return made


def facts(rows: Iterable[tuple[str, object]]) -> "Table":
    """Return "name  value" lines, those without a value left out."""
    from rich.table import Table
    from rich.text import Text

    made = Table.grid(padding=(0, 2))
    made.add_column(style=QUIET, no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        shown = value if isinstance(value, Text) else text("" if value is None else value)
        if shown.plain.strip():
            made.add_row(name, shown)
    return made


def next_steps(steps: Iterable[tuple[str, str]]) -> "Text":
    """Return what to do next: (why, command)."""
    from rich.text import Text

    shown = Text("\nViệc tiếp theo:", style=STRONG, no_wrap=True)
    for why, command in steps:
        shown.append(f"\n  {clean(why)}", style="not bold")
        if command:
            shown.append(f"\n    {clean(given.completed(command))}", style="not bold cyan")
    return shown
