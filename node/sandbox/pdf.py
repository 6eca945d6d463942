"""PDFs of one page, made of nothing, which the sandbox and the demo attach to their documents: small but whole, or as large as wanted."""

from collections.abc import Iterator

_PIECE = b"%" + b"mau " * 16_383 + b"ma\n"
"""64 KiB of a comment, which readers pass over."""


def small_pdf(words: str) -> bytes:
    """Return a PDF of one page with one line of plain letters: every reader opens it."""
    return b"".join(pdf(words))


def pdf(words: str, size_bytes: int = 0) -> Iterator[bytes]:
    """Give out a PDF of one page in pieces, padded with comments to `size_bytes` or up to 1,000 octets less."""
    head, padding = b"%PDF-1.4\n", max(0, size_bytes - 1_000)
    yield head
    full, rest = divmod(padding, len(_PIECE))
    for _ in range(full):
        yield _PIECE
    last = b"%" + b" " * rest + b"\n"
    yield last + _objects(words, len(head) + full * len(_PIECE) + len(last))


def _objects(words: str, start: int) -> bytes:
    shown = words.encode("ascii", "replace").decode().translate(str.maketrans("()\\", "   "))
    drawing = f"BT /F1 24 Tf 72 720 Td ({shown} - mau) Tj ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(drawing)} >>\nstream\n{drawing}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    written, places = "", []
    for number, content in enumerate(objects, 1):
        places.append(start + len(written))
        written += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    xref = start + len(written)
    end = f"xref\n0 6\n0000000000 65535 f \n{table}trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n{xref}\n%%EOF\n"
    return (written + end).encode("ascii")
