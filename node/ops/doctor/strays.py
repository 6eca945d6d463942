"""Check-up of the folders of large bodies: what lies there and is none of the node's.

The sweep passes over such things, so they stop nothing; but they take space, and somebody should know why they are there.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from node.ops.doctor.check import Check, fine, warning
from node.ops.doctor.patient import Patient
from node.store.bodies import is_body_name, token_of

NAMED_MAX = 5
LOOKED_AT_MAX = 20_000
"""Names that are looked at; a folder with more is not looked at to its end."""


def check_strays(patient: Patient) -> Iterator[Check]:
    """Look at the names in the folders of bodies and of parts under way."""
    home = patient.place.path
    try:
        strays = [str(path.relative_to(home)) for path in islice(_entries(home), LOOKED_AT_MAX) if not _is_ours(path)]
    except OSError as error:
        yield warning("strays", f"không xem được hết: {error}", "Hãy chạy bằng tài khoản của nút.")
        return
    if not (home / "spool").is_dir():
        return
    if not strays:
        yield fine("strays", "bodies/ và spool/ chỉ có tệp của nút")
        return
    more = f" và {len(strays) - NAMED_MAX} tệp nữa" if len(strays) > NAMED_MAX else ""
    yield warning(
        "strays",
        f"{', '.join(sorted(strays)[:NAMED_MAX])}{more} không phải của nút; nút bỏ qua và không tự xóa",
        "Hãy xem ai đã để vào đó, rồi chuyển đi nơi khác hoặc xóa.",
    )


def _entries(home: Path) -> Iterator[Path]:
    for folder in (home / "spool", home / "bodies"):
        if folder.is_dir():
            yield from folder.iterdir()
    for shelf in sorted((home / "bodies").glob("[0-9a-f][0-9a-f]")):
        if shelf.is_dir():
            yield from shelf.iterdir()


def _is_ours(path: Path) -> bool:
    if path.parent.name == "spool":
        return token_of(path.name) is not None and path.is_file()
    if path.parent.name == "bodies":
        return len(path.name) == 2 and path.is_dir()
    return is_body_name(path.name) and path.is_file()
