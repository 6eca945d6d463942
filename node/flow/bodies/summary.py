"""Summary: what lists show of a packet, encrypted under the packet's own content key, so that no subject lies open on the disk."""

from node.edxml.rules import warning_line
from node.model.finding import Finding
from node.model.header import PacketHeader
from node.rows.records import HeaderRecord
from node.seal.small import HEADER_LABEL, seal_small


def sealed_header(
    content_key: bytes, header: PacketHeader, packet_sha256: bytes, findings: tuple[Finding, ...] = ()
) -> bytes:
    """Encrypt what lists show of a header, so that no subject lies open on the disk."""
    record = HeaderRecord(
        document_id=header.subject_document_id,
        document_code=header.document_code,
        subject=header.subject,
        sender_name=header.sender_name,
        status_code=header.status_code,
        status_description=header.status_description,
        status_timestamp=header.status_timestamp,
        business_type=header.business_type,
        packet_sha256=packet_sha256,
        promulgation_date=header.promulgation_date,
        due_date=header.due_date,
        priority=-1 if header.priority is None else header.priority,
        document_type_name=header.document_type_name,
        business_reason=header.business.reason if header.business else "",
        sender_code=header.sender,
        warnings=map(warning_line, findings),
    )
    return seal_small(content_key, HEADER_LABEL, record.SerializeToString())
