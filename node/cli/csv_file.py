"""Tables that an operator hands over as CSV, as spreadsheets in Vietnam save them.

The first line names the columns, in English or Vietnamese, with or without accents. Columns are parted by commas, semicolons (Excel, where
the machine is set to Vietnam) or tabs. Letters are UTF-8, with or without BOM, UTF-16 ("Unicode text") or Windows-1258. Every wrong row
is told, not only the first, and nothing is taken of a table with one.
"""

import csv
import io
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from node.cli.command import read_input
from node.errors import Fault, Rejected
from node.model.reason import Reason
from node.model.urgency import bare

T = TypeVar("T")
Row = dict[str, str]
"""By column, without blanks around it; "" where there is nothing."""

HEADINGS = {
    "ma": "code",
    "ma don vi": "code",
    "ma dinh danh": "code",
    "ma tuong duong": "code",
    "ten": "name",
    "ten don vi": "name",
    "ten chinh thuc": "name",
    "ten goi": "name",
    "ten tat": "short_names",
    "ten goi tat": "short_names",
    "viet tat": "short_names",
    "cap tren": "parent",
    "don vi cap tren": "parent",
    "ma cap tren": "parent",
    "ma don vi cap tren": "parent",
    "don vi": "unit",
    "tu ngay": "from",
    "den ngay": "to",
}
"""Vietnamese headings, without accents and capitals."""
FAULTS_MAX = 20
"""Wrong rows that are told one by one; more are counted."""


class RowsWrong(Rejected):
    """Rows of a table that cannot be taken: (line, what is wrong with it)."""

    def __init__(self, path: Path, faults: Sequence[tuple[int, Fault]]) -> None:
        from node.wording.told import told

        words = [f"dòng {number}: {told(fault).sentence}" for number, fault in faults[:FAULTS_MAX]]
        more = [f"… và {len(faults) - FAULTS_MAX} dòng sai nữa"] if len(faults) > FAULTS_MAX else []
        super().__init__(faults[0][1].reason, "\n".join([f"{path}, {words[0]}", *words[1:], *more]))
        self._count = len(faults)

    @property
    def advice(self) -> str:
        """In place of the general advice: every wrong row is named below."""
        return f"Tệp có {self._count} dòng sai nên chưa ghi gì; hãy sửa các dòng nêu dưới đây rồi chạy lại."


def read_rows(
    path: Path, columns: Sequence[str], required: int, word_of: Callable[[Row], T], check: Callable[[T], object] = id
) -> list[T]:
    """Return what `word_of` makes of each row, if `check` takes it, too; the first `required` columns must be there.

    Raises Rejected(REQUEST_INVALID) for what is no such table, RowsWrong with all that the two raise.
    """
    words: list[T] = []
    faults: list[tuple[int, Fault]] = []
    for number, row in _rows(path, columns, required):
        try:
            word = word_of(row)
            check(word)
        except Fault as fault:
            faults.append((number, fault))
        else:
            words.append(word)
    if faults:
        raise RowsWrong(path, faults)
    return words


def _rows(path: Path, columns: Sequence[str], required: int) -> list[tuple[int, Row]]:
    """Return the rows that hold anything, each with its line."""
    text = _text(path)
    first, _, _ = text.partition("\n")
    delimiter = max(",;\t", key=first.count)
    try:
        table = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        names = [_column(heading, columns) for heading in next(table, [])]
        if missing := [name for name in columns[:required] if name not in names]:
            wanted = ", ".join(f"{name} ({_in_vietnamese(name)})" for name in missing)
            raise Rejected(
                Reason.REQUEST_INVALID, f"{path}: dòng đầu thiếu cột {wanted}; đang có: {first.strip()[:80]}"
            )
        return [(table.line_num, _row(names, cells, columns)) for cells in table if any(map(str.strip, cells))]
    except csv.Error as error:
        raise Rejected(
            Reason.REQUEST_INVALID, f"{path}: không đọc được bảng ở dòng {table.line_num} ({error})"
        ) from error


def _text(path: Path) -> str:
    octets = read_input(path)
    if octets.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings: tuple[str, ...] = ("utf-16",)
    elif octets.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise Rejected(
            Reason.REQUEST_INVALID, f"{path}: là tệp Excel; hãy chọn Lưu thành, kiểu CSV UTF-8, rồi dùng tệp .csv đó"
        )
    else:
        encodings = ("utf-8-sig", "cp1258")
    for encoding in encodings:
        try:
            # Windows-1258 writes a tone as a character of its own.
            return unicodedata.normalize("NFC", octets.decode(encoding))
        except UnicodeDecodeError:
            continue
    raise Rejected(
        Reason.REQUEST_INVALID,
        f"{path}: không phải CSV viết bằng UTF-8, UTF-16 hay Windows-1258; hãy lưu lại bằng CSV UTF-8",
    )


def _column(heading: str, columns: Sequence[str]) -> str:
    name = heading.strip().lower()
    if name in columns:
        return name
    meant = HEADINGS.get(bare(heading), "")
    return meant if meant in columns else name


def _in_vietnamese(name: str) -> str:
    return {"code": "mã", "name": "tên", "unit": "đơn vị"}.get(name, name)


def _row(names: Sequence[str], cells: Sequence[str], columns: Sequence[str]) -> Row:
    found: Mapping[str, str] = dict(zip(names, map(str.strip, cells), strict=False))
    return {name: found.get(name, "") for name in columns}
