"""Names that an office gives: of files, which lead nowhere else, and of submissions, which make a repeat harmless."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import Rejected
from node.office.naming import FILE_NAME_CHARACTERS_MAX, packet_file_name, safe_file_name, submission_id_of
from tests.wording.test_words import ENTRY


@given(st.text(max_size=300))
def test_no_text_makes_a_file_name_that_leaves_its_folder(name: str) -> None:
    safe = safe_file_name(name)

    assert safe == Path(safe).name
    assert not safe.startswith((".", "-"))
    assert 0 < len(safe) <= FILE_NAME_CHARACTERS_MAX
    assert safe.isprintable()


def test_a_packet_is_named_after_its_document_and_its_id() -> None:
    status = replace(ENTRY, status_code="03")
    evil = replace(ENTRY, document_code="../../etc/passwd")

    assert packet_file_name(ENTRY) == "12-BNV-VP-0001020304.edxml"
    assert packet_file_name(status) == "trang-thai-03-12-BNV-VP-0001020304.edxml"
    assert packet_file_name(evil) == "etc-passwd-0001020304.edxml"


def test_the_same_file_has_the_same_submission_id_and_other_octets_another(tmp_path: Path) -> None:
    path = tmp_path / "công văn.edxml"
    path.write_bytes(b"one")
    first = submission_id_of(path)
    path.write_bytes(b"two")

    assert first != submission_id_of(path)
    path.write_bytes(b"one")
    assert submission_id_of(path) == first
    assert first.isprintable()
    with pytest.raises(Rejected):
        submission_id_of(tmp_path / "absent")
