"""Tables that an operator hands over as CSV: UTF-8 with or without BOM, the first line names the columns."""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from node.cli.command import read_input
from node.errors import Rejected
from node.model.reason import Reason

T = TypeVar("T")
Row = dict[str, str]
"""By column, without blanks around it; "" where there is nothing."""


def read_rows(path: Path, columns: Sequence[str], required: int, word_of: Callable[[Row], T]) -> list[T]:
    """Return what `word_of` makes of each row; the first `required` columns must be there.

    Raises Rejected(REQUEST_INVALID) for what is no such table, and what `word_of` rejects with file and line put before.
    """
    try:
        table = csv.DictReader(io.StringIO(read_input(path).decode("utf-8-sig")), strict=True)
        missing = [name for name in columns[:required] if name not in (table.fieldnames or [])]
        if missing:
            raise Rejected(Reason.REQUEST_INVALID, f"{path}: dòng đầu thiếu cột {', '.join(missing)}")
        return [_word(path, table.line_num, _row(row, columns), word_of) for row in table]
    except (UnicodeDecodeError, csv.Error) as error:
        raise Rejected(Reason.REQUEST_INVALID, f"{path}: {error}") from error


def _row(found: dict[str, str | None], columns: Sequence[str]) -> Row:
    return {name: (found.get(name) or "").strip() for name in columns}


def _word(path: Path, number: int, row: Row, word_of: Callable[[Row], T]) -> T:
    try:
        return word_of(row)
    except Rejected as error:
        raise Rejected(error.reason, f"{path}, dòng {number}: {error.detail}") from error
