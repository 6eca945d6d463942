"""Attachments as far as their names, sizes and first octets tell; contents.py opens them.

Errors are what makes the programs in use fail on the whole packet or write outside their folder (edxml.md section 3).
"""

import re
from collections import Counter
from collections.abc import Iterator

from node.edxml.extract import ending_of, is_zipped
from node.edxml.rules.rule import ND_30, QCVN, QD_28, Broken, Case, error, warning
from node.edxml.unzip import first_entry_name
from node.model.packet import Attachment, Encoding, Packet

_MANIFEST = f"{QCVN} edXMLManifest, AttachmentEncoded"
_LEADING_CID = re.compile(r"\s*(cid:)*", re.IGNORECASE)
_BEGINNINGS = {
    "pdf": (b"%PDF",),
    "doc": (b"\xd0\xcf\x11\xe0",),
    "xls": (b"\xd0\xcf\x11\xe0",),
    "docx": (b"PK\x03\x04",),
    "xlsx": (b"PK\x03\x04",),
    "zip": (b"PK\x03\x04", b"PK\x05\x06"),
    "png": (b"\x89PNG",),
    "jpg": (b"\xff\xd8\xff",),
    "jpeg": (b"\xff\xd8\xff",),
}


def _each(packet: Packet) -> Iterator[tuple[str, Attachment]]:
    for place, attachment in enumerate(packet.attachments, 1):
        yield f"AttachmentEncoded/Attachment[{place}]", attachment


@error(70, _MANIFEST)
def attachments_have_content(case: Case) -> Broken:
    """An attachment without content stops the vendor's parser (edxml.md section 3)."""
    for path, attachment in _each(case.packet):
        if not attachment.size_bytes:
            yield (
                f"{path}/ContentTransferEncoded",
                f"Tệp đính kèm {_shown(attachment)} không có nội dung; phần mềm bên nhận sẽ không mở được cả gói tin.",
            )


@error(81, _MANIFEST)
def contents_are_base64(case: Case) -> Broken:
    """What is not base64 becomes another file at each receiver, and none of them says so."""
    for path, attachment in _each(case.packet):
        if attachment.encoding is Encoding.BROKEN:
            yield (
                f"{path}/ContentTransferEncoded",
                f"Nội dung tệp đính kèm {_shown(attachment)} không phải base64 hoặc bị cắt cụt; bên nhận sẽ lấy ra một tệp hỏng.",
            )


@warning(82, _MANIFEST)
def contents_are_plain_base64(case: Case) -> Broken:
    """Base64url is read as what it is; programs that know only the plain alphabet take out another file."""
    for path, attachment in _each(case.packet):
        if attachment.encoding is Encoding.BASE64URL:
            yield (
                f"{path}/ContentTransferEncoded",
                "Nội dung tệp đính kèm ghi bằng base64url; có phần mềm không đọc được.",
            )


@error(71, _MANIFEST)
def attachments_have_names(case: Case) -> Broken:
    """An attachment without a name stops the vendor's parser as well."""
    for path, attachment in _each(case.packet):
        if not attachment.attachment_name.strip():
            sentence = "Tệp đính kèm không có tên; phần mềm bên nhận sẽ không mở được cả gói tin."
            yield f"{path}/AttachmentName", sentence


@error(72, _MANIFEST)
def what_is_called_a_zip_is_one(case: Case) -> Broken:
    """Receivers unzip any attachment typed application/zip, unless its name says that a zip was meant to be sent."""
    for path, attachment in _each(case.packet):
        is_called_so = attachment.content_type.strip().lower() == "application/zip"
        if is_called_so and ending_of(attachment.attachment_name) != "zip" and not _is_zip(attachment):
            yield f"{path}/ContentType", f"Tệp đính kèm {_shown(attachment)} ghi là zip nhưng nội dung không phải zip."


@error(73, _MANIFEST)
def zips_have_no_paths(case: Case) -> Broken:
    """A receiver would write an entry with a path in its name outside its folder."""
    for path, attachment in _each(case.packet):
        entry = first_entry_name(attachment.beginning) if is_zipped(attachment) else None
        if entry is not None and re.search(r"[/\\:\x00-\x1f]", entry):
            yield path, f"Tệp nén {_shown(attachment)} có đường dẫn bên trong ({entry[:60]!r})."


@warning(74, _MANIFEST)
def contents_are_what_names_say(case: Case) -> Broken:
    """The first octets tell; a zip round the file is as good as the file."""
    for path, attachment in _each(case.packet):
        expected = _BEGINNINGS.get(ending_of(attachment.attachment_name))
        fits = expected is None or attachment.beginning.startswith(expected) or is_zipped(attachment)
        if attachment.size_bytes and not fits:
            yield f"{path}/AttachmentName", "Nội dung tệp đính kèm không đúng với đuôi tệp."


@warning(75, _MANIFEST)
def zipped_file_is_what_name_says(case: Case) -> Broken:
    """Receivers use the name in the zip, so its ending should be the attachment's."""
    for path, attachment in _each(case.packet):
        entry = first_entry_name(attachment.beginning) if is_zipped(attachment) else None
        ending, inside = ending_of(attachment.attachment_name), ending_of(entry or "")
        if ending and inside and ending != inside:
            yield path, "Tệp đính kèm nén bên trong một tệp có đuôi khác."


@warning(76, _MANIFEST)
def manifest_lists_all_attachments(case: Case) -> Broken:
    """References and attachments belong together by ContentId, or else by place."""
    references = case.packet.references or ()
    if len(references) != len(case.packet.attachments):
        counts = f"{len(references)} mục, có {len(case.packet.attachments)} tệp"
        yield "edXMLBody/edXMLManifest", f"Danh mục tệp đính kèm không khớp: ghi {counts}."
        return
    ids = {content_id(one.content_id) for one in case.packet.attachments}
    for place, reference in enumerate(references, 1):
        own = content_id(reference.content_id or reference.href)
        if own and own not in ids and any(ids):
            yield f"edXMLBody/edXMLManifest/Reference[{place}]/ContentId", "Không có tệp đính kèm nào mang mã này."


@warning(77, _MANIFEST)
def content_ids_differ(case: Case) -> Broken:
    """Two attachments of one id cannot be told apart."""
    counts = Counter(content_id(one.content_id) for one in case.packet.attachments)
    for own, count in counts.items():
        if own and count > 1:
            yield "AttachmentEncoded/Attachment/ContentId", f"{count} tệp đính kèm mang cùng mã."


@warning(78, _MANIFEST)
def names_have_no_paths(case: Case) -> Broken:
    """A name is not a place: programs that believe it would write elsewhere."""
    for path, attachment in _each(case.packet):
        if re.search(r"[/\\\x00-\x1f]", attachment.attachment_name):
            yield f"{path}/AttachmentName", "Tên tệp đính kèm có đường dẫn hoặc ký tự lạ."


@warning(79, f"{QD_28} Điều 10 khoản 1")
def document_has_its_text(case: Case) -> Broken:
    """A packet that is new or replaces another brings the document with it."""
    business = case.packet.bussiness
    brings_document = business is None or business.bussiness_doc_type.strip() in ("", "0", "3")
    if brings_document and not case.packet.attachments:
        yield "AttachmentEncoded", "Gói tin không có tệp văn bản nào kèm theo."


@warning(80, f"{QD_28} Điều 4 khoản 1; {ND_30} Điều 5")
def packet_is_signed(case: Case) -> Broken:
    """The packet should bear a signature of its own; the one in the pdf is another matter."""
    if not case.packet.signature:
        yield "edXMLHeader/Signature", "Gói tin không có chữ ký số; giá trị pháp lý dựa vào chữ ký trong tệp văn bản."


def content_id(text: str) -> str:
    """Return a ContentId without its "cid:", which the vendor's library puts before it once or twice, and others not at all."""
    return _LEADING_CID.sub("", text, count=1).strip()


def _is_zip(attachment: Attachment) -> bool:
    return attachment.beginning.startswith(b"PK\x03\x04")


def _shown(attachment: Attachment) -> str:
    return repr(attachment.attachment_name.strip()[:60])


RULES = (
    attachments_have_content,
    attachments_have_names,
    what_is_called_a_zip_is_one,
    zips_have_no_paths,
    contents_are_what_names_say,
    zipped_file_is_what_name_says,
    manifest_lists_all_attachments,
    content_ids_differ,
    names_have_no_paths,
    document_has_its_text,
    packet_is_signed,
    contents_are_base64,
    contents_are_plain_base64,
)
