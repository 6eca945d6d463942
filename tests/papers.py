"""Papers that tests hand in: a document and a status of made-up units, as the node's own composer writes them (node/edxml/compose.py).

The simulation writes its own by hand (tests/sim/papers.py), so that it does not believe the room it tests.
"""

from typing import Any

from node.edxml.compose import compose_document, compose_status


def document(*recipients: str, sender: str = "G14", number: str = "123", **more: Any) -> bytes:
    """Return a document to units by their codes, of 22/11/2026; its id follows from sender and number.

    `more` are arguments of `compose_document`, in place of those chosen here.
    """
    usual = {
        "sender_name": "Bộ mẫu",
        "recipients": [(code, f"Đơn vị {code}") for code in recipients],
        "document_id": f"{sender},2026/11/22,{number}/BM-VP",
        "notation": "BM-VP",
        "subject": "V/v thử nghiệm",
        "date": "2026/11/22",
    }
    return compose_document(sender=sender, number=number, **(usual | more))


def status_about(
    number: str, code: str, *, sender: str = "H49.22", author: str = "G14", description: str = ""
) -> bytes:
    """Return a status of `sender`'s about the document that `document` gives this number and author."""
    return compose_status(
        sender=sender,
        sender_name="Sở mẫu",
        author=author,
        document_id=f"{author},2026/11/22,{number}/BM-VP",
        code=f"{number}/BM-VP",
        date="2026/11/22",
        status_code=code,
        description=description,
        timestamp="2026/11/23 08:00:00",
    )
