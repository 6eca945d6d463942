"""Memory: findings of a node that remembers, that a document, or another of the same number, was sent before.

NĐ 30/2020 Phụ lục VI III.1.h wants an alert on a repeated document code, and on the same number, notation and issuing agency. Both
are warnings: a document that was withdrawn is mended and sent again under its own identifier, and numbers begin anew every year.
The node looks it up where it stores the packet (node/flow/submit/duplicates.py).
"""

from node.edxml.rules.rule import ND_30
from node.model.finding import Finding, Severity

_SOURCE = f"{ND_30} Phụ lục VI mục III.1.h"

NUMBER_USED = Finding(
    "EDXML-022",
    Severity.WARNING,
    "MessageHeader/Code",
    "Đơn vị này đã gửi một văn bản khác có cùng số và ký hiệu trong cùng năm.",
    _SOURCE,
)
DOCUMENT_SENT_BEFORE = Finding(
    "EDXML-023",
    Severity.WARNING,
    "MessageHeader/DocumentId",
    "Văn bản có mã định danh này đã được gửi trước đó.",
    _SOURCE,
)

SOURCES = {one.code: one.source for one in (NUMBER_USED, DOCUMENT_SENT_BEFORE)}
