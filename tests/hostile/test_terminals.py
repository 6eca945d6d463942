"""What comes from outside is printed: no octet of it may tell a terminal, or a reader's eye, what to do."""

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.edxml.unzip import unzip_one
from node.errors import Rejected
from node.model.reason import Reason
from node.office.packet_file import extract_all
from node.wording.plain import json_text
from tests.edxml.test_extract import bomb, packet_with, zipped

ODD = "\x1b]0;x\x07\x7f\x9b31m\u202eabc\u200b\u2028\ufeff\U000e0041\ud800"


@given(st.text(st.characters(codec=None), max_size=40) | st.just(ODD))
def test_json_has_no_character_that_a_terminal_obeys_or_nobody_sees(text: str) -> None:
    said = json_text({"detail": text, text: 1})
    assert not [c for c in said if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert json.loads(said) == {"detail": text, text: 1}


def test_json_stays_readable_in_vietnamese() -> None:
    assert "Ủy ban nhân dân tỉnh Lạng Sơn" in json_text({"name": "Ủy ban nhân dân tỉnh Lạng Sơn"})


def packet_of(files: int, content: bytes) -> bytes:
    """A packet that brings the same file many times."""
    one = packet_with(content, "a.txt", "application/zip").decode()
    attachment = one[one.index("    <Attachment>") : one.index("  </AttachmentEncoded>")]
    reference = one[one.index("        <edXML:Reference>") : one.index("      </edXML:edXMLManifest>")]
    return one.replace(attachment, attachment * files).replace(reference, reference * files).encode()


def test_many_small_bombs_are_a_large_one(tmp_path: Path) -> None:
    packet = tmp_path / "bombs.edxml"
    packet.write_bytes(packet_of(40, zipped(("a.txt", bytes(15 << 20)))))
    assert packet.stat().st_size < 1 << 20
    taken = list(extract_all(packet, tmp_path / "out"))
    assert sum(one.size_bytes for one in taken) <= 64 << 20
    refused = [one.fault.reason for one in taken if one.fault]
    assert len(refused) == 36
    assert set(refused) == {Reason.PACKET_TOO_COMPLEX}
    assert len(list((tmp_path / "out").iterdir())) == 4


@pytest.mark.parametrize("told_bytes", [17 << 20, 1000], ids=["more than it may", "less than there is"])
def test_a_zip_is_held_to_the_size_that_it_tells(told_bytes: int) -> None:
    octets = bytearray(bomb(1))
    octets[22:26] = told_bytes.to_bytes(4, "little")
    pieces = unzip_one([bytes(octets)])
    with pytest.raises(Rejected):
        next(pieces)
