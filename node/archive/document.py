"""The archive's facts for programs: thong-tin.json and sieu-du-lieu.json. Nothing in them depends on when they were made."""

from dataclasses import replace
from typing import Any

from node.archive.facts import Facts, PacketFacts
from node.archive.metadata import Field
from node.model.office import DeliveryView
from node.office.proof import verified_by
from node.wording.plain import plain

FORMAT = "truc-archive-1"


def information(facts: Facts) -> dict[str, Any]:
    """Return all facts."""
    dossier = facts.dossier
    return {
        "format": FORMAT,
        "side": "author" if facts.is_author else "recipient",
        "unit": dossier.unit,
        "author_unit": dossier.author_unit,
        "document_id": dossier.document_id,
        "document_code": dossier.document_code,
        "subject": dossier.subject,
        "life": plain(dossier.life),
        "packets": [_packet(one) for one in facts.packets],
        "missing": facts.problems,
    }


def _packet(one: PacketFacts) -> dict[str, Any]:
    return {
        "number": one.number,
        **plain(one.entry),
        "file": plain(one.file),
        "problem": one.problem,
        "attachments": plain(one.attachments),
        "receipts": list(one.receipts),
        "deliveries": [_delivery(view, one.entry.packet_id) for view in one.track.deliveries] if one.track else [],
    }


def _delivery(view: DeliveryView, packet_id: bytes) -> dict[str, Any]:
    """One delivery without what changes from moment to moment: attempts, the time of the next one."""
    said = plain(replace(view, signed_receipt=None))
    names = (
        "unit",
        "unit_name",
        "node_id",
        "state",
        "reason",
        "end_time_ms",
        "end_time",
        "status_code",
        "life",
        "statuses",
        "deadlines",
    )
    return {**{name: said[name] for name in names}, "receipt_verified_by": verified_by(view, packet_id, None)}


def metadata(facts: Facts) -> dict[str, Any]:
    """Return the metadata of the document's newest version, and those of every document packet of the dossier."""
    versions = [
        {
            "packet_id": one.entry.packet_id.hex(),
            "act": plain(one.entry.act),
            "fields": [_field(field) for field in one.metadata],
        }
        for one in facts.packets
        if one.metadata
    ]
    return {"fields": [_field(field) for field in facts.metadata], "versions": versions}


def _field(field: Field) -> dict[str, Any]:
    return {
        "name": field.name,
        "label": field.label,
        "values": list(field.values),
        "length_max": field.length_max,
        "too_long": field.too_long,
        "source": field.source,
    }
