"""Octets that come near to packets: samples with faults of every kind, the same for the same seed and number."""

import random
import zipfile
from base64 import b64encode
from io import BytesIO
from pathlib import Path

SAMPLES = Path(__file__).parents[1] / "samples"
CORPUS = Path(__file__).parent / "corpus"

_CONTENT = b"JVBERi0xLjQgbeG6q3U="
_QCVN = b"http://www.mic.gov.vn/TBT/QCVN_102_2016"
_TOKENS = [
    b"<", b">", b"&", b"&amp;", b"&#65;", b"&#x1f4c4;", b"&#0;", b"&foo;", b"</", b"/>", b"<!-- c -->", b"<?x y?>", b"<![CDATA[x < y]]>",
    b"]]>", b" ", b"\r\n", b"\x00", b"\xff", "đ".encode(), "a\u0302\u0323".encode(), "📄".encode(), b"<x/>", b"<x>", b'"', b"'", b"!", b"?",
    b"<!DOCTYPE x>", b'<!DOCTYPE x [<!ENTITY a "b">]>', b"edXML:", b"<edXML:To>", b"</edXML:To>", b"<edXML:To/>", b"<Attachment/>",
    b"<edXML:OrganId>H01</edXML:OrganId>", b"<edXML:OrganId/>", b"<edXML:StatusCode>01</edXML:StatusCode>", b"</edXML:Subject>",
    b"<edXML:ResponseFor/>", b"<edXML:DocumentId>x</edXML:DocumentId>", b"2014/02/30", b"0000/00/00", b"9" * 20, b"\xef\xbb\xbf",
    b' xmlns="urn:x"', b' xmlns:edXML="urn:x"', b"<Signature>x<y/></Signature>", b"<edXMLEnvelope/>", b"<EdXMLEnvelope/>", b"<Header/>",
    b"http://www.e-doc.vn/Schema/", b"http://www.go.vn/eDoc", _QCVN, b"UEsDBA==", b"====", b"cid:cid:", b"../../x.pdf",
    b"\xc2\x85", b"\xe2\x80\xae",
    b"<edXML:BussinessDocType>9</edXML:BussinessDocType>", b"<edXML:Bussiness>", b"<edXML:Business>", "(Mật)".encode(), b"-1", b"1e9",
]  # fmt: skip
_CODINGS = ("utf-16", "utf-16-le", "utf-16-be", "latin-1", "utf-32", "cp1258")


def _zip(*entries: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return out.getvalue()


_ZIPS = [
    _zip(("a.txt", b"xin ch\xc3\xa0o " * 20)),
    _zip(("a.txt", b"x"), method=zipfile.ZIP_STORED),
    _zip(("a.txt", b"1"), ("b.txt", b"2")),
    _zip(("../a.txt", b"1")),
    _zip(("a.txt", bytes(200 << 10))),
    _zip(("[Content_Types].xml", b"<x/>"), ("word/document.xml", b"<y/>")),
]


class Mutator:
    """Makes inputs from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._seeds = [path.read_bytes() for path in sorted(SAMPLES.glob("*.edxml"))]
        self._seeds += [path.read_bytes() for path in sorted(CORPUS.iterdir()) if path.suffix == ".edxml"]
        self._with_content = [one for one in self._seeds if _CONTENT in one]

    def next(self) -> bytes:
        """Return the next input."""
        chance = self._random.random()
        if chance < 0.15:
            packet = self._with_zip()
        elif chance < 0.2:
            packet = self._recoded()
        else:
            packet = self._random.choice(self._seeds)
        octets = bytearray(packet)
        for _ in range(self._random.choice((0, 1, 1, 1, 2, 2, 3, 5))):
            self._damage(octets)
        return bytes(octets)

    def _with_zip(self) -> bytes:
        """A packet with a zip that may be damaged, under a name that may be anything."""
        archive = bytearray(self._random.choice(_ZIPS))
        for _ in range(self._random.choice((0, 0, 1, 1, 2, 4))):
            place = self._random.randrange(len(archive))
            archive[place : place + self._random.choice((0, 1, 1, 4))] = self._random.randbytes(
                self._random.choice((0, 1, 1, 4))
            )
        packet = self._random.choice(self._with_content).replace(_CONTENT, b64encode(bytes(archive)))
        name = self._random.choice((b"a.txt", b"a.zip", b"a.docx", b"a", b"a.pdf", b"", b"..", b"a/b.txt"))
        return packet.replace(b"<AttachmentName>cong-van.pdf", b"<AttachmentName>" + name)

    def _recoded(self) -> bytes:
        text = self._random.choice(self._seeds).decode("utf-8", "replace")
        coding = self._random.choice(_CODINGS)
        said = coding.split("-le")[0].split("-be")[0] if self._random.random() < 0.8 else "UTF-8"
        return text.replace('encoding="UTF-8"', f'encoding="{said}"').encode(coding, "replace")

    def _damage(self, octets: bytearray) -> None:
        pick, size = self._random.randrange, len(octets)
        start = self._at_tag(octets) if self._random.random() < 0.5 else pick(size + 1)
        end = min(size, start + self._random.choice((0, 0, 1, 1, 5, 60, 600)))
        what = pick(6)
        if what == 0:
            octets[start:end] = self._random.randbytes(pick(4))
        elif what == 1:
            octets[start:end] = octets[start:end] * self._random.choice((2, 2, 3, 40))
        elif what == 2:
            other = self._random.choice(self._seeds)
            place = pick(len(other))
            octets[start:end] = other[place : place + self._random.choice((10, 100, 1_000))]
        elif what == 3:
            del octets[start:end]
        else:
            octets[start : start if what == 4 else end] = self._random.choice(_TOKENS)

    def _at_tag(self, octets: bytearray) -> int:
        found = octets.find(self._random.choice((b"<", b"</", b">")), self._random.randrange(len(octets) + 1))
        return found if found >= 0 else len(octets)
