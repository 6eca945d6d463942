"""Papers: the packets of tests/samples under other codes and numbers, so that units of a world write them to each other."""

import hashlib
import re
from pathlib import Path

from node.edxml.compose import compose_document
from node.model.code import parse_code

SAMPLES = Path(__file__).parents[1] / "samples"
AUTHOR, RECIPIENT, SECOND_RECIPIENT = "000.00.01.H99", "000.00.02.H99", "000.00.03.H99"
"""Codes that stand in the samples: of the author, of the recipient, and of another recipient."""
REPLACED = f"{AUTHOR},2026/01/05,7/UBND-VX"
"""DocumentId that the sample of a replacement replaces."""
MINIMAL_ID = "06b66209-68ea-40d5-bbb7-10b96ec5377c"
"""DocumentId of the smallest sample, whose units are A and B."""
DATE = "2026/10/05"


def written(code: str) -> str:
    """Return a code as the samples write theirs: 000.00.22.H49 for H49.22."""
    return parse_code(code).old_form or code


def document_id(author: str, number: int) -> str:
    """Return the DocumentId that `letter` gives a number."""
    return f"{written(author)},{DATE},{number}/UBND-VX"


def letter(
    sample: str, author: str, recipient: str, number: int, *, second: str = "H99.03", replaced: int = 7
) -> bytes:
    """Return a sample document as `author` writes it to `recipient` under a number; `replaced` is the number that a type 3 replaces."""
    text = _sample(sample).replace(REPLACED, document_id(author, replaced))
    text = text.replace("123/UBND-VX", f"{number}/UBND-VX").replace(MINIMAL_ID, document_id(author, number))
    text = text.replace("<edXML:OrganId>A<", f"<edXML:OrganId>{AUTHOR}<")
    text = text.replace("<edXML:OrganId>B<", f"<edXML:OrganId>{RECIPIENT}<")
    text = text.replace("<edXML:CodeNumber>123<", f"<edXML:CodeNumber>{number}<")
    for code, unit in ((AUTHOR, author), (RECIPIENT, recipient), (SECOND_RECIPIENT, second)):
        text = text.replace(code, written(unit))
    return text.encode()


def update(author: str, recipient: str, number: int) -> bytes:
    """Return the sample of an update without what it does to the list of recipients: it changes words and nothing else."""
    text = letter("15_update_2", author, recipient, number).decode()
    return re.sub(r"\s*<edXML:ReceiverList>.*</edXML:ReceiverList>", "", text, flags=re.DOTALL).encode()


def large_letter(author: str, recipient: str, number: int, size_bytes: int) -> bytes:
    """Return a document whose attachment has so many octets, which no compression makes smaller."""
    seed, blocks = f"{author} {number}".encode(), range(size_bytes // 32)
    content = b"".join(hashlib.sha256(seed + block.to_bytes(4, "big")).digest() for block in blocks)
    return compose_document(
        sender=written(author),
        sender_name="Đơn vị mẫu",
        recipients=[(written(recipient), "Đơn vị mẫu")],
        document_id=document_id(author, number),
        number=str(number),
        notation="UBND-VX",
        subject="Văn bản lớn",
        date=DATE,
        attachments=[("lớn.pdf", content)],
    )


def status(code: str, reporter: str, author: str, number: int, *, sample: str = "") -> bytes:
    """Return the sample of a status as `reporter` reports it about the author's document; `sample` is the code of another to start from."""
    text = _sample(f"30_status_{sample or code}")
    text = text.replace(f"<edXML:StatusCode>{sample or code}<", f"<edXML:StatusCode>{code}<")
    text = text.replace("123/UBND-VX", f"{number}/UBND-VX")
    return text.replace(RECIPIENT, written(reporter)).replace(AUTHOR, written(author)).encode()


def ask_back(author: str, recipient: str, number: int) -> bytes:
    """Return the sample of status 13 as the author of a document asks its recipient for it back."""
    text = _sample("30_status_13").replace("123/UBND-VX", f"{number}/UBND-VX")
    text = text.replace(f"<edXML:OrganId>{AUTHOR}<", f"<edXML:OrganId>{written(recipient)}<")
    text = text.replace(f"<edXML:OrganId>{RECIPIENT}<", f"<edXML:OrganId>{written(author)}<")
    return text.replace(AUTHOR, written(author)).encode()


def _sample(name: str) -> str:
    return (SAMPLES / f"{name}.edxml").read_bytes().decode()
