"""The file that an attachment really is comes out of it, whatever its type says; and a hostile zip comes out as nothing but a refusal."""

import io
import struct
import subprocess
import sys
import zipfile
import zlib
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.edxml.compose import compose_document
from node.edxml.content import Decoder, Measure
from node.edxml.document import content, content_pieces, read_packet
from node.edxml.extract import ContentBroken, extract, file_name, is_zipped
from node.edxml.unzip import UnzipLimits, unzip_one
from node.errors import Rejected
from node.model.packet import Attachment, Encoding
from node.model.reason import Reason
from tests.edxml.packets import changed, sample

BASE64 = "JVBERi0xLjQgbeG6q3U="
PDF = b"%PDF-1.4 m\xe1\xba\xabu"


def zipped(*entries: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return out.getvalue()


class _OneWay(io.RawIOBase):
    """A file that cannot go back, so that zipfile writes sizes after the data, as Java does."""

    def __init__(self) -> None:
        self.octets = b""

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.octets += bytes(data)
        return len(data)


def zipped_one_way(name: str, data: bytes) -> bytes:
    out = _OneWay()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return out.octets


def packet_with(data: bytes, name: str = "cong-van.pdf", content_type: str = "application/pdf") -> bytes:
    return changed(
        sample("01"),
        (BASE64, b64encode(data).decode()),
        ("<ContentType>application/pdf<", f"<ContentType>{content_type}<"),
        ("<AttachmentName>cong-van.pdf<", f"<AttachmentName>{name}<"),
    )


def extracted(octets: bytes, index: int = 0) -> bytes:
    return b"".join(extract(octets, read_packet(octets), index))


def unzipped(octets: bytes, limits: UnzipLimits | None = None, piece_bytes: int = 7) -> bytes:
    pieces = [octets[start : start + piece_bytes] for start in range(0, len(octets), piece_bytes)]
    return b"".join(unzip_one(pieces, limits) if limits else unzip_one(pieces))


WAYS = {
    "raw": (PDF, "a.pdf", "application/pdf", PDF),
    "zipped and called so": (zipped(("u.xls", b"xls")), "a.xls", "application/zip", b"xls"),
    "zipped and called pdf": (zipped(("u.pdf", PDF)), "a.pdf", "application/pdf", PDF),
    "stored": (zipped(("u.pdf", PDF), method=zipfile.ZIP_STORED), "a.pdf", "application/zip", PDF),
    "sizes after the data": (zipped_one_way("u.txt", b"t" * 99), "a.txt", "application/zip", b"t" * 99),
    "an empty file in a zip": (zipped(("u.txt", b"")), "a.txt", "application/zip", b""),
    "a name without ending": (zipped(("u.jpg", b"jpg")), "ảnh", "application/zip", b"jpg"),
    "an xlsx in a zip": (zipped(("u.xlsx", b"PK\x03\x04")), "a.xlsx", "application/zip", b"PK\x03\x04"),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_the_file_comes_out(way: str) -> None:
    data, name, content_type, file = WAYS[way]
    assert extracted(packet_with(data, name, content_type)) == file


DOCX = zipped(("[Content_Types].xml", b"<x/>"), ("word/document.xml", b"<y/>"))


@pytest.mark.parametrize(
    ("data", "name", "content_type"),
    [
        (zipped(("a.pdf", b"1"), ("b.pdf", b"2")), "hai-tep.zip", "application/zip"),
        (DOCX, "a.docx", "application/docx"),
        (DOCX, "a.docx", "application/zip"),
        (DOCX, "tu-ten-tep", "application/zip"),
        (zipped(("x", b"")), "tu-ten-tep", "application/docx"),
        (zipped(("mimetype", b"application/vnd.oasis"), ("content.xml", b"")), "a.ods", "application/zip"),
    ],
)
def test_what_is_a_zip_by_nature_stays_one(data: bytes, name: str, content_type: str) -> None:
    assert extracted(packet_with(data, name, content_type)) == data


@given(st.binary(max_size=2_000), st.integers(1, 300))
def test_whatever_is_zipped_comes_out_again_however_it_was_cut(data: bytes, piece_bytes: int) -> None:
    for octets in (zipped(("u.bin", data)), zipped_one_way("u.bin", data)):
        assert unzipped(octets, piece_bytes=piece_bytes) == data


GOOD = zipped(("u.pdf", PDF * 20))
CENTRAL = GOOD.index(b"PK\x01\x02")
BAD = {
    "path": zipped(("../x.pdf", PDF)),
    "absolute path": zipped(("/etc/passwd", PDF)),
    "path of Windows": zipped(("a\\b.pdf", PDF)),
    "drive": zipped(("c:b.pdf", PDF)),
    "folder": zipped(("folder/", b"")),
    "dots": zipped(("..", b"")),
    "control character": zipped(("a\nb", b"")),
    "two files": zipped(("a.pdf", PDF), ("b.pdf", PDF)),
    "no file at all": zipped(),
    "another name in the table of contents": GOOD[:CENTRAL] + GOOD[CENTRAL:].replace(b"u.pdf", b"v.pdf"),
    "a second file that only the table knows": GOOD[:CENTRAL] + GOOD[CENTRAL:].replace(b"PK\x05\x06", b"PK\x01\x02"),
    "wrong count": GOOD[: GOOD.index(b"PK\x05\x06") + 10] + b"\x02\0" + GOOD[GOOD.index(b"PK\x05\x06") + 12 :],
    "encrypted": GOOD[:6] + b"\x01\0" + GOOD[8:],
    "strange method": GOOD[:8] + b"\x0c\0" + GOOD[10:],
    "wrong checksum": GOOD[:14] + b"abcd" + GOOD[18:],
    "cut in the data": GOOD[: CENTRAL - 5],
    "cut after the data": GOOD[:CENTRAL],
    "cut in the header": GOOD[:20],
    "damaged": GOOD[: CENTRAL - 12] + b"\xff" * 12 + GOOD[CENTRAL:],
    "rubbish after the file": GOOD[:CENTRAL] + b"rubbish" * 20,
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_an_unsound_zip_is_refused(what: str) -> None:
    for piece_bytes in (1, 7, 100_000):
        with pytest.raises(Rejected) as caught:
            unzipped(BAD[what], piece_bytes=piece_bytes)
        assert caught.value.reason is Reason.REQUEST_INVALID
        assert "zip refused" in caught.value.detail


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=4))
def test_a_damaged_zip_gives_the_file_or_a_refusal(place: int, octets: bytes) -> None:
    damaged = GOOD[:place] + octets + GOOD[place + len(octets) :]
    try:
        found = unzipped(damaged)
    except Rejected:
        return  # nothing but Rejected may come out
    assert found == PDF * 20


def test_nothing_of_a_file_with_a_path_is_given_out() -> None:
    assert next(iter(unzip_one([GOOD])), b"") != b""
    with pytest.raises(Rejected):
        next(unzip_one([BAD["path"]]))


def bomb(size_mib: int) -> bytes:
    """A zip whose one file is zeros, made without holding them."""
    deflater, crc = zlib.compressobj(9, zlib.DEFLATED, -15), 0
    packed = b""
    for _ in range(size_mib):
        packed += deflater.compress(bytes(1 << 20))
        crc = zlib.crc32(bytes(1 << 20), crc)
    packed += deflater.flush()
    header = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 8, 0, 0, crc, len(packed), size_mib << 20, 1, 0)
    return header + b"x" + packed


def counted(pieces: Iterator[bytes]) -> tuple[int, Rejected]:
    sizes: list[int] = []
    with pytest.raises(Rejected) as caught:
        sizes.extend(map(len, pieces))
    assert max(sizes, default=0) <= 65_536
    return sum(sizes), caught.value


def test_a_zip_bomb_is_stopped_early() -> None:
    made_bytes, refusal = counted(unzip_one([bomb(64)]))
    assert refusal.reason is Reason.PACKET_TOO_COMPLEX
    assert made_bytes <= 17 << 20


def test_no_zip_grows_beyond_the_limit_whatever_its_ratio() -> None:
    octets = zipped(("a", bytes(range(256)) * 400), method=zipfile.ZIP_STORED)
    made_bytes, refusal = counted(unzip_one([octets], UnzipLimits(bytes_max=50_000)))
    assert refusal.reason is Reason.PACKET_TOO_COMPLEX
    assert made_bytes <= 50_000


def test_a_bomb_in_a_packet_is_stopped_too() -> None:
    octets = packet_with(bomb(32), "a.txt", "application/zip")
    made_bytes, refusal = counted(extract(octets, read_packet(octets), 0))
    assert refusal.reason is Reason.PACKET_TOO_COMPLEX
    assert made_bytes <= 17 << 20


@pytest.mark.parametrize("index", [-1, 1, 99])
def test_an_attachment_that_is_not_there(index: int) -> None:
    octets = sample("01")
    for stream in (content(octets, index), _lazily(octets, index)):
        with pytest.raises(Rejected) as caught:
            list(stream)
        assert caught.value.reason is Reason.NOT_FOUND


def _lazily(octets: bytes, index: int) -> Iterator[bytes]:
    yield from extract(octets, read_packet(octets), index)


@pytest.mark.parametrize(
    ("written", "octets"),
    [
        ("QUJD", b"ABC"), ("QU\r\n  JD\t", b"ABC"), ("Q*U~JéD", b"ABC"), ("QUI=", b"AB"), ("QUI", b"AB"), ("QUJDR", b"ABC"),
        ("QQ==QUJD", b"A"), ("", b""), ("=", b""), (" \r\n ", b""),
    ],
)  # fmt: skip
def test_base64_is_read_leniently(written: str, octets: bytes) -> None:
    packet = changed(sample("01"), (BASE64, written))
    assert b"".join(content(packet, 0)) == octets
    attachment = read_packet(packet).attachments[0]
    assert (attachment.size_bytes, attachment.beginning) == (len(octets), octets)


SOUND, URL, BROKEN = Encoding.BASE64, Encoding.BASE64URL, Encoding.BROKEN


@pytest.mark.parametrize(
    ("written", "encoding", "octets"),
    [
        ("QUJD", SOUND, b"ABC"), ("QU\r\n  JD\t", SOUND, b"ABC"), ("QUI=", SOUND, b"AB"), ("QUI", SOUND, b"AB"), ("QQ==\r\n", SOUND, b"A"),
        ("QQ=\r\n=", SOUND, b"A"), ("", SOUND, b""), ("-_-_", URL, b"\xfb\xff\xbf"), ("QU-_QQ==", URL, b"AO\xbfA"),
        ("Q*UJD", BROKEN, b"ABC"), ("QUéJD", BROKEN, b"ABC"), ("QUJDR", BROKEN, b"ABC"), ("QQ==QUJD", BROKEN, b"A"),
        ("QQ==Q", BROKEN, b"A"), ("QQ=-", BROKEN, b"A"), ("QUJD\u00a0", BROKEN, b"ABC"), ("&lt;QUJD", BROKEN, b"ABC"),
    ],
)  # fmt: skip
def test_what_is_not_base64_is_told(written: str, encoding: Encoding, octets: bytes) -> None:
    packet = changed(sample("01"), (BASE64, written))
    [attachment] = read_packet(packet).attachments
    assert attachment.encoding is encoding
    assert read_packet(iter([packet[:2_000], packet[2_000:]])).attachments == (attachment,), "the other way of reading"
    if encoding is BROKEN:
        with pytest.raises(ContentBroken):
            extracted(packet)
        with pytest.raises(ContentBroken):
            list(extract(packet, read_packet(packet), 0))
    else:
        assert extracted(packet) == octets


@given(st.text("QUJD-_=* \n", max_size=12), st.integers(1, 5))
def test_the_verdict_does_not_depend_on_the_cut(text: str, piece: int) -> None:
    whole, pieces = Measure(), Measure()
    whole.feed(text)
    for start in range(0, len(text), piece):
        pieces.feed(text[start : start + piece])
    assert (whole.encoding, whole.size_bytes, whole.beginning) == (pieces.encoding, pieces.size_bytes, pieces.beginning)


@given(st.binary(max_size=300))
def test_base64url_is_the_same_file(octets: bytes) -> None:
    measure, decoder = Measure(), Decoder()
    text = urlsafe_b64encode(octets).decode().rstrip("=")
    measure.feed(text)
    assert decoder.feed(text) + decoder.finish() == octets
    assert measure.encoding is not BROKEN


@given(st.binary(max_size=500), st.integers(1, 50))
def test_base64_cut_anywhere_is_the_same(octets: bytes, piece: int) -> None:
    text = b64encode(octets).decode()
    decoder, measure, out = Decoder(), Measure(), b""
    for start in range(0, len(text), piece):
        out += decoder.feed(text[start : start + piece])
        measure.feed(text[start : start + piece])
    assert out + decoder.finish() == octets
    assert (measure.size_bytes, measure.beginning) == (len(octets), octets[:128])


def test_of_10000_attachments_each_is_found_and_all_come_out_in_one_go() -> None:
    files = [(f"phụ lục {number}.pdf", b"%d" % number) for number in range(10_000)]
    octets = compose_document(
        sender="H99", sender_name="", recipients=[("H98", "")], document_id="1", number="1", notation="", subject="", date="",
        attachments=files,
    )  # fmt: skip
    packet = read_packet(octets)
    assert len(packet.attachments) == len(packet.references or ()) == 10_000
    found = [b""] * 10_000
    for index, piece in content_pieces(octets):
        found[index] += piece
    assert found == [data for _, data in files]
    assert b"".join(content(octets, 9_999)) == b"9999"
    assert b"".join(content(octets, 0)) == b"0"


EXTRACT_64_MIB = """
import json, sys
from node.edxml.document import content, read_packet
def peak_kib():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
before, after = sys.stdin.buffer.read().split(b"JVBERi0xLjQgbeG6q3U=")
def packet():
    yield before
    for _ in range(256):
        yield b"QUJD" * 65_536
    yield after
read_packet(iter([before, after]))
start = peak_kib()
size = read_packet(packet()).attachments[0].size_bytes
out = sum(map(len, content(packet(), 0)))
print(json.dumps([size, out, peak_kib() - start]))
"""


def test_64_mib_are_read_and_extracted_with_flat_memory() -> None:
    run = subprocess.run([sys.executable, "-c", EXTRACT_64_MIB], input=sample("01"), capture_output=True, check=True)
    size, out, grown_kib = map(int, run.stdout.decode().strip(" []\n").split(","))
    assert size == out == 48 << 20
    assert grown_kib < 8 * 1024


@pytest.mark.parametrize(
    ("name", "beginning", "expected"),
    [
        ("cong-van.pdf", b"%PDF", "cong-van.pdf"),
        ("../../etc/passwd", b"", "passwd"),
        ("C:\\a\\b.doc", b"", "b.doc"),
        ("..", b"", "tep-3"),
        ("", b"", "tep-3"),
        ("ảnh", zipped(("u.jpg", b"x")), "ảnh.jpg"),
        ("a\x00b\n.pdf", b"", "a_b_.pdf"),
        ("Đ" * 300 + ".pdf", b"", "Đ" * 98 + ".pdf"),
    ],
)
def test_a_file_gets_a_name_that_is_safe_in_a_folder(name: str, beginning: bytes, expected: str) -> None:
    assert file_name(Attachment(attachment_name=name, beginning=beginning[:128]), 2) == expected


def test_what_is_not_a_zip_is_not_unzipped() -> None:
    assert not is_zipped(Attachment(attachment_name="a.txt", content_type="application/zip", beginning=b"PK"))
    assert not is_zipped(Attachment(attachment_name="a.txt", content_type="application/zip", beginning=b"text"))
