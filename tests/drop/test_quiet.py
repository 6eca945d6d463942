"""Quiet: which files are finished."""

from pathlib import Path

import pytest

from node.drop.quiet import Quiet, is_whole_packet
from tests.edxml.packets import NAMES, SAMPLES
from tests.papers import document


def test_a_file_is_quiet_after_two_looks_without_a_change(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    quiet = Quiet(quiet_ms=1_000)

    assert quiet.look([path], 0) == set()
    assert quiet.look([path], 999) == set()
    assert quiet.look([path], 1_000) == {path}
    path.write_bytes(b"12")
    assert quiet.look([path], 5_000) == set()
    assert quiet.look([path], 6_000) == {path}


def test_a_renamed_file_stays_quiet_and_another_one_of_its_name_does_not(tmp_path: Path) -> None:
    old, new = tmp_path / "a.part", tmp_path / "a"
    old.write_bytes(b"1")
    quiet = Quiet(quiet_ms=1_000)
    quiet.look([old], 0)
    old.rename(new)

    assert quiet.look([new], 1_000) == {new}
    old.write_bytes(b"2")
    old.replace(new)
    assert quiet.look([new], 2_000) == set()
    assert quiet.look([old], 3_000) == set(), "what has vanished is not finished"


@pytest.mark.parametrize("name", NAMES)
def test_every_sample_ends_as_a_packet_does_and_none_of_its_beginnings(tmp_path: Path, name: str) -> None:
    packet = (SAMPLES / name).read_bytes().rstrip()
    path = tmp_path / "a.edxml"
    path.write_bytes(packet + b"\r\n")

    assert is_whole_packet(path)
    for cut in (1, 2, 8, 9, 100, len(packet) // 2, len(packet)):
        path.write_bytes(packet[:-cut])
        assert not is_whole_packet(path)
    path.write_bytes(packet[:-50] + bytes(50))
    assert not is_whole_packet(path), "room that a copying program has taken beforehand"


def test_the_end_of_the_envelope_is_not_the_end_of_the_packet(tmp_path: Path) -> None:
    path = tmp_path / "a.edxml"
    path.write_bytes(document("H49.22").partition(b"</edXML:edXMLEnvelope>")[0] + b"</edXML:edXMLEnvelope>")

    assert not is_whole_packet(path)
