"""Writing a whole archive: the packets and what belongs to them first, then what tells of them."""

import json
import tempfile
from pathlib import Path
from typing import Any

from node.archive import document, history, index
from node.archive.collect import ArchiveOffice, collect
from node.archive.facts import Facts
from node.archive.sink import Sink, archive_at
from node.model.life import Dossier
from node.office.naming import ID_DIGITS_SHOWN, safe_file_name


def default_name(dossier: Dossier) -> str:
    """Return a name for the archive: số ký hiệu, the unit that keeps it, and the first digits of the first packet."""
    first = dossier.entries[0].packet_id.hex()[:ID_DIGITS_SHOWN] if dossier.entries else "trong"
    return f"{safe_file_name(dossier.document_code or dossier.document_id)}-{safe_file_name(dossier.unit)}-{first}"


async def write(office: ArchiveOffice, dossier: Dossier, path: Path, *, as_zip: bool) -> Facts:
    """Write an archive. Raises Broken(ALREADY_EXISTS), Broken(IO_FAILED), Deferred(DISK_FULL), and what the office raises."""
    with archive_at(path, as_zip=as_zip) as sink, tempfile.TemporaryDirectory(prefix="truc-") as scratch:
        facts = await collect(office, dossier, sink, Path(scratch))
        _describe(sink, facts)
    return facts


def _describe(sink: Sink, facts: Facts) -> None:
    """Write what tells people and programs of the rest."""
    sink.add_text("sieu-du-lieu.json", _as_json(document.metadata(facts)))
    sink.add_text("thong-tin.json", _as_json(document.information(facts)))
    sink.add_text("lich-su.csv", history.as_csv(facts))
    sink.add_text("muc-luc.html", index.page(facts))


def _as_json(said: dict[str, Any]) -> str:
    return json.dumps(said, ensure_ascii=False, indent=2) + "\n"
