"""Names that somebody makes up in every packet do not stay in memory, and names that programs write are never in the way."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from node.edxml import names
from node.edxml.limits import LIMITS, Limits
from node.edxml.reader import read_header, read_whole
from node.errors import Rejected
from node.model.reason import Reason
from tests.edxml.packets import NAMES, SAMPLES, changed, refused, sample, streamed

GOOD = sample("01")
HOUSE = Path(__file__).parent.parent.parent

NEW_NAMES_IN_EVERY_PACKET = """
import json, sys
from node.edxml.reader import read_header, read_whole

def resident_kib():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS"))

coding = sys.argv[1]
packet = sys.stdin.buffer.read().decode().replace("UTF-8", coding)
before, after = packet.split("<AttachmentEncoded>", 1)

def read(round, count):
    for number in range(count):
        made_up = "".join(f"<n{round}x{number}x{place}/>" for place in range(700))
        octets = f"{before}{made_up}<AttachmentEncoded>{after}".encode(coding)
        (read_whole if number % 2 else read_header)(octets)

read(0, 60)
start = resident_kib()
read(1, 500)
print(json.dumps({"grown_kib": resident_kib() - start}))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("coding", ["UTF-8", "UTF-16"])
def test_350000_names_that_nobody_ever_wrote_before_leave_nothing_behind(coding: str) -> None:
    command = [sys.executable, "-c", NEW_NAMES_IN_EVERY_PACKET, coding]
    run = subprocess.run(command, input=GOOD, capture_output=True, check=True, cwd=HOUSE)
    # As many names kept would be 20 MiB and more.
    assert json.loads(run.stdout)["grown_kib"] < 6 * 1024


@pytest.mark.parametrize("name", NAMES)
def test_the_names_of_a_sample_are_learnt_once(name: str) -> None:
    packet = (SAMPLES / name).read_bytes()
    assert names.are_usual(packet, LIMITS)
    met = len(names._met)
    assert names.are_usual(packet, LIMITS)
    assert names.are_usual(changed(packet, ("<edXML xmlns=", '<edXML id="1" xmlns=')), LIMITS)
    assert len(names._met) <= met + 1


@pytest.mark.parametrize(
    "element",
    ['<la1 a=">" b1="" />', "<la2 a='>' b2=''/>", '<la3 a="\'>" b3=""/>', "<ContentTransferEncoded x='>' b4=''/>"],
)
def test_names_behind_a_value_that_looks_like_an_end_are_not_overlooked(element: str) -> None:
    assert not names.are_usual(changed(GOOD, ("<AttachmentEncoded>", element + "<AttachmentEncoded>")), LIMITS)


def test_no_name_is_overlooked_round_the_contents() -> None:
    packet = sample("19")
    end = "</edXML:ContentTransferEncoded>"
    for number, (old, new) in enumerate(
        [
            (end, end + "<{}/>"),
            ("<AttachmentEncoded>", "<AttachmentEncoded><{}/>"),
            ("<edXML:Content", '<edXML:Content{}x=""/><edXML:Content'),
        ]
    ):
        assert any(
            f"new-{number}".encode() in tag for tag in names._tags(changed(packet, (old, new.format(f"new-{number}"))))
        )
    assert names._tags(packet) == set(names._TAGS.findall(packet))
    assert names._tags(packet[: packet.index(b"TransferEncoded") + 20]) != set()


def test_a_packet_read_aside_says_the_same_and_fails_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    usual, whole = read_header(GOOD), read_whole(GOOD)
    monkeypatch.setattr(names, "NAMES_MAX", 0)
    monkeypatch.setattr(names, "_met", set())
    monkeypatch.setattr(names, "_as_written", set())
    assert not names.are_usual(GOOD, LIMITS)
    assert (read_header(GOOD), read_whole(GOOD)) == (usual, whole)
    with pytest.raises(Rejected) as caught:
        read_header(GOOD[:-20])
    assert caught.value.reason is Reason.PACKET_TRUNCATED


def test_a_packet_may_not_have_too_many_names() -> None:
    made_up = "".join(f"<an-element-that-nobody-knows-{number}/>" for number in range(600))
    packet = changed(GOOD, ("<AttachmentEncoded>", made_up + "<AttachmentEncoded>"))
    assert "names_characters_max" in refused(packet, Reason.PACKET_TOO_COMPLEX)
    attributes = " ".join(f'attribute-{number}="1"' for number in range(2_000))
    refused(changed(GOOD, ("<Attachment>", f"<Attachment {attributes}>")), Reason.PACKET_TOO_COMPLEX)
    assert streamed(packet, Limits(names_characters_max=1 << 20)) == streamed(GOOD)
