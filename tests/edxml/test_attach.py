"""A new attachment travels as the vendor's library would send it, and the file comes out of it again."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.edxml.attach import NewAttachment, attach
from node.edxml.document import read_packet
from node.edxml.extract import extract
from node.edxml.rules import check_packet
from node.edxml.write import write_packet
from node.model.packet import Packet
from tests.edxml.packets import sample
from tests.edxml.zips import check_contents

OWN_ID = "af55bbfa-c6b0-31e9-9394-dd1f7885c845"


def packet_of(*made: NewAttachment) -> tuple[Packet, bytes]:
    references, attachments = tuple(one.reference for one in made), tuple(one.attachment for one in made)
    packet = replace(read_packet(sample("01")), references=references, attachments=attachments)
    return packet, b"".join(write_packet(packet, [one.content for one in made]))


def test_a_pdf_is_attached_as_the_library_attaches_it() -> None:
    made = attach("cong-van.pdf", b"%PDF-1.4 m\xe1\xba\xabu", OWN_ID, "Mô tả cong-van.pdf")
    assert packet_of(made)[1] == sample("01")


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.PDF", "pdf"),
        ("a.docx", "docx"),
        ("a.zip", "zip"),
        ("a.xlsx", "zip"),
        ("ảnh.jpg", "zip"),
        ("không đuôi", "zip"),
    ],
)
def test_the_type_follows_from_the_name(name: str, content_type: str) -> None:
    assert attach(name, b"x", OWN_ID).attachment.content_type == f"application/{content_type}"


NAMES = st.sampled_from(["a.pdf", "b.xls", "c.xlsx", "d", "e.docx", "g.zip"])
FILES = st.tuples(NAMES, st.binary(max_size=300)).filter(lambda file: file != ("g.zip", b""))
"""An empty file called .zip is sent as a zip in which it is, and nobody can tell that from a zip that was meant to be sent."""


@given(st.lists(FILES, max_size=4))
def test_what_is_attached_comes_out_again(files: list[tuple[str, bytes]]) -> None:
    packet, octets = packet_of(*(attach(name, data, f"{place}") for place, (name, data) in enumerate(files)))
    assert read_packet(octets) == packet
    found = [b"".join(extract(octets, packet, index)) for index in range(len(files))]
    assert found == [data for _, data in files]
    assert check_contents(octets, packet) == []
    assert {one.code for one in check_packet(packet)} <= {"EDXML-074", "EDXML-079", "EDXML-080"}
