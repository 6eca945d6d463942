"""Stale uploads: large bodies that a peer began to bring and nobody goes on with, and parts of submissions that ended with the process.

An upload of a peer has a row as long as it can resume, written before its part is opened. A part without a row, which nobody has open,
is what a killed process left of a submission: the office hands the packet in anew, under another token.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from node.model.policy import DAY_MS
from node.ports import Tx
from node.rows import keys
from node.rows.records import UploadRecord

UPLOAD_KEEP_MS = 7 * DAY_MS
"""An upload that was begun so long ago, and a part that was last written so long ago, are given up."""


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that nobody goes on with."""

    key: bytes
    body_sha256: bytes


def stale_uploads(tx: Tx, start: bytes, now_ms: int, limit: int) -> tuple[list[Upload], bytes]:
    """Look at `limit` uploads from a key on; return the stale ones among them, and where to go on (empty: at the beginning)."""
    rows = tx.scan(keys.UPLOADS, start=start, limit=limit)
    stale = []
    for key, value in rows:
        record = UploadRecord.FromString(value)
        # One that begins in the future was begun before the clock was set back: it is as old as it is far.
        if abs(now_ms - record.begin_time_ms) > UPLOAD_KEEP_MS:
            stale.append(Upload(key, record.body_sha256))
    return stale, rows[-1][0] + b"\0" if len(rows) == limit else b""


def without_upload(tx: Tx, tokens: Iterable[bytes]) -> list[bytes]:
    """Return those of these parts that no peer can resume."""
    return [token for token in tokens if tx.get(keys.upload(token)) is None]


def forget_uploads(tx: Tx, uploads: Iterable[Upload]) -> None:
    """Forget who may upload. A peer that goes on after all offers again, and its part is found."""
    for upload in uploads:
        tx.delete(upload.key)
