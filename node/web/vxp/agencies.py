"""Agencies: the whole directory, 125,000 units, as a list in one answer.

An answer is made once for each version of the directory and kept gzipped (some 3 MiB for each of the few forms there are); a caller
that takes no gzip gets it unpacked while it is sent. The first caller after a change is served while the list is being made, piece by
piece, in a thread; callers that come meanwhile get the same pieces as they are made.

    getAgenciesList        id, pid, code, name, mail: units that are open
    getAgenciesListQD20    the same with the older code (code102, oldCode): that of an alias in force, if the unit got another
                           number, else its own in the older form; `level` chooses how many labels a code has
    getSynchronizeUnit     closed ones too, marked deleted; getListUnit is the same
"""

import asyncio
import zlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field

from node.model.code import parse_code
from node.model.directory import Directory, Unit
from node.web.vxp.receive import time_text
from node.web.vxp.streams import frame, row

LEVELS_MAX = 8
FORMS_MAX = 3 + LEVELS_MAX
"""Answers that are kept: the three lists, and one for each level."""
PIECE_ROWS = 1_000
_GZIP = 16 + zlib.MAX_WBITS

AGENCIES, QD20, SYNCHRONIZE = "agencies", "qd20", "synchronize"


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a list: its name, and the level of its units (0: all)."""

    name: str
    level: int = 0


@dataclass(slots=True)
class _Kept:
    """One answer, gzipped, in pieces; `done` once it is whole."""

    directory: Directory
    pieces: list[bytes] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    done: bool = False
    failed: BaseException | None = None


class AgencyLists:
    """The answers, by form. `now_ms` tells which units are closed."""

    def __init__(self, directory: Callable[[], Directory], now_ms: Callable[[], int]) -> None:
        self._directory = directory
        self._now_ms = now_ms
        self._kept: OrderedDict[Form, _Kept] = OrderedDict()
        self._making: set[asyncio.Task[None]] = set()

    async def gzipped(self, form: Form) -> AsyncIterator[bytes]:
        """Yield the answer, gzipped."""
        kept, place = self._of(form), 0
        while True:
            while place < len(kept.pieces):
                yield kept.pieces[place]
                place += 1
            if kept.failed is not None:
                raise kept.failed
            if kept.done:
                return
            await kept.changed.wait()

    async def plain(self, form: Form) -> AsyncIterator[bytes]:
        """Yield the answer as it is."""
        unpacking = zlib.decompressobj(_GZIP)
        async for piece in self.gzipped(form):
            yield unpacking.decompress(piece)
        yield unpacking.flush()

    def _of(self, form: Form) -> _Kept:
        directory, kept = self._directory(), self._kept.get(form)
        if kept is None or kept.directory is not directory or kept.failed is not None:
            kept = self._kept[form] = _Kept(directory)
            task = asyncio.ensure_future(self._make(form, kept))
            self._making.add(task)
            task.add_done_callback(self._making.discard)
        self._kept.move_to_end(form)
        while len(self._kept) > FORMS_MAX:
            self._kept.popitem(last=False)
        return kept

    async def _make(self, form: Form, kept: _Kept) -> None:
        pieces = _gzipped(_pieces(form, kept.directory, self._now_ms()))
        try:
            while piece := await asyncio.to_thread(next, pieces, b""):
                self._add(kept, piece)
            kept.done = True
        except BaseException as error:
            kept.failed = error
            raise
        finally:
            self._add(kept, b"")

    def _add(self, kept: _Kept, piece: bytes) -> None:
        if piece:
            kept.pieces.append(piece)
        kept.changed.set()
        kept.changed = asyncio.Event()


def _gzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packing = zlib.compressobj(5, wbits=_GZIP)
    for piece in pieces:
        yield packing.compress(piece) + packing.flush(zlib.Z_SYNC_FLUSH)
    yield packing.flush()


def _pieces(form: Form, directory: Directory, now_ms: int) -> Iterator[bytes]:
    before, after = frame()
    opening, rows = before + b"[", list[bytes]()
    older = _older_codes(directory, now_ms) if form.name == QD20 else {}
    for unit in _units(form, directory, now_ms):
        rows.append(_row(form, directory, unit, now_ms, older))
        if len(rows) == PIECE_ROWS:
            yield opening + b",".join(rows)
            opening, rows = b",", []
    yield (opening if rows or opening != b"," else b"") + b",".join(rows) + b"]" + after


def _units(form: Form, directory: Directory, now_ms: int) -> Iterator[Unit]:
    for _, zone in sorted(directory.zones.items()):
        for code in zone.units:
            if form.level and code.count(".") + 1 != form.level:
                continue
            unit = zone.units[code]
            if form.name == SYNCHRONIZE or not _closed(unit, now_ms):
                yield unit


def _closed(unit: Unit, now_ms: int) -> bool:
    return bool(unit.valid_to_ms) and unit.valid_to_ms <= now_ms


def _older_codes(directory: Directory, now_ms: int) -> dict[str, str]:
    """Return for each unit that has one the first alias in force that has an older form, in that form.

    Its own node's alias comes first: to another's, documents would go wherever that one leads it tomorrow.
    """
    found: dict[str, str] = {}
    for unit, aliases in directory.aliases_by_unit().items():
        zone = directory.zone_of(parse_code(unit))
        holder = zone.node_id if zone is not None else ""
        own = [one for one in aliases if directory.holder_of_alias(one) == holder]
        forms = (parse_code(one.code).old_form for one in own or aliases if one.holds_at(now_ms))
        if older := next(filter(None, forms), None):
            found[unit] = older
    return found


def _row(form: Form, directory: Directory, unit: Unit, now_ms: int, older_codes: Mapping[str, str]) -> bytes:
    fields: dict[str, object] = {
        "id": unit.code,
        "pid": unit.parent,
        "code": unit.code,
        "name": unit.name,
        "mail": unit.mail,
    }
    if form.name == QD20:
        older = older_codes.get(unit.code) or parse_code(unit.code).old_form or ""
        fields |= {"oldCode": older, "code102": older}
    elif form.name == SYNCHRONIZE:
        changed_ms = unit.valid_to_ms if _closed(unit, now_ms) else unit.valid_from_ms
        fields |= {
            "version": directory.version,
            "centerCode": unit.code.partition(".")[0],
            "deleted": _closed(unit, now_ms),
            "modifyDate": time_text(changed_ms or directory.signed_time_ms),
            "isAgency": True,
        }
    return row(fields)
