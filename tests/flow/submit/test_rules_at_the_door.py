"""Rules at the door: a packet that breaks one does not get in, and is told which; a doubtful one gets in, and the doubts stay with it."""

import asyncio
import zipfile
from hashlib import sha256
from io import BytesIO
from typing import Any

import pytest

from node.edxml.rules import RULES, check_packet
from node.edxml.rules.rule import Case, error
from node.flow.submit import sealing
from node.model.finding import Finding, RulesBroken, Severity
from node.model.office import SubmitResult
from node.model.reason import Reason
from tests.flow.large_support import POLICY, pieces
from tests.flow.support import Place, place, run
from tests.papers import document, status_about

LARGE = document("H49.22", attachments=[("lớn.pdf", b"%PDF" + bytes(range(256)) * 6_000)])
SECRET = ("V/v thử nghiệm", "(Mật) V/v thử nghiệm")


def changed(packet: bytes, old: str, new: str) -> bytes:
    assert old.encode() in packet
    return packet.replace(old.encode(), new.encode())


def zip_of(data: bytes, name: str = "a.txt") -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return out.getvalue()


def raw_zip(data: bytes) -> bytes:
    """A packet whose attachment travels zipped as the test has made the zip: put in as pdf, then called a text."""
    packet = document("H49.22", attachments=[("a.pdf", data)])
    return changed(
        changed(packet, "<AttachmentName>a.pdf", "<AttachmentName>a.txt"),
        "<ContentType>application/pdf",
        "<ContentType>application/zip",
    )


async def refused(here: Place, packet: Any, submission_id: str = "1") -> RulesBroken:
    with pytest.raises(RulesBroken) as caught:
        await here.submit(packet, submission_id)
    assert caught.value.reason is Reason.PACKET_BREAKS_RULES
    return caught.value


def codes(findings: tuple[Finding, ...]) -> list[str]:
    return [one.code for one in findings]


BOMB = bytes(64 << 20)
BROKEN = {
    "a state secret": (changed(document("H49.22"), *SECRET), "EDXML-002"),
    "a status 02 without a reason": (status_about("9", "02", sender="G14", author="H49.22"), "EDXML-122"),
    "an empty SteeringType": (changed(document("H49.22"), "<edXML:SteeringType>0", "<edXML:SteeringType>"), "EDXML-060"),
    "an attachment without content": (changed(document("H49.22", attachments=[("a.pdf", b"ABC")]), "QUJD", ""), "EDXML-070"),
    "a zip bomb": (raw_zip(zip_of(BOMB)), "EDXML-091"),
    "a zip with a path": (raw_zip(zip_of(b"x", "../a.txt")), "EDXML-073"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.parametrize("by_pieces", [False, True])
def test_what_breaks_a_rule_is_refused_with_the_findings_and_leaves_nothing(what: str, by_pieces: bool) -> None:
    async def story() -> None:
        here, (packet, code) = place("g14", POLICY), BROKEN[what]
        broken = await refused(here, pieces(packet) if by_pieces else packet)
        assert code in codes(broken.findings)
        assert code in broken.detail
        assert broken.findings[0].severity is Severity.ERROR
        assert (here.tables() <= {"m"}, here.bodies._sealed, here.bodies._spool) == (True, {}, {})

    run(story())


@pytest.mark.parametrize(("old", "new"), [SECRET, ("<edXML:SteeringType>0", "<edXML:SteeringType>x")])
def test_a_large_packet_is_judged_as_it_flows_and_leaves_no_file(old: str, new: str) -> None:
    async def story() -> None:
        here = place("g14", POLICY)
        broken = await refused(here, pieces(changed(LARGE, old, new)))
        assert broken.findings[0].severity is Severity.ERROR
        assert (here.tables() <= {"m"}, here.bodies._sealed, here.bodies._spool) == (True, {}, {})

    run(story())


@pytest.mark.parametrize("packet", [document("H49.22"), LARGE], ids=["small", "large"])
def test_warnings_are_in_the_answer_in_every_repeat_of_it_and_in_what_track_shows(packet: bytes) -> None:
    async def story() -> None:
        here = place("g14", POLICY)
        first = await here.submit(pieces(packet))
        assert "EDXML-080" in codes(first.findings)
        assert {one.severity for one in first.findings} == {Severity.WARNING}
        assert all(one.sentence and one.source and one.path for one in first.findings)
        here.clock.at_ms += 86_400_000
        assert await here.submit(pieces(packet)) == first
        assert (await here.track()).findings == first.findings

    run(story())


def test_a_repeat_of_what_was_taken_gets_the_first_answer_though_the_rules_have_become_stricter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @error(999, "a rule of tomorrow")
    def nothing_is_right(case: Case) -> Any:
        yield "MessageHeader", "Không."

    def stricter(packet: Any, now_ms: int | None = None) -> list[Finding]:
        found: list[Finding] = []
        nothing_is_right.note(Case(packet), found)
        return [*found, *check_packet(packet, now_ms)]

    async def story() -> None:
        here, packet = place("g14", POLICY), document("H49.22")
        first = [await here.submit(packet), await here.submit(pieces(LARGE), "2")]
        monkeypatch.setattr(sealing, "check_packet", stricter)
        assert [await here.submit(packet), await here.submit(pieces(LARGE), "2")] == first
        assert codes((await refused(here, packet, "3")).findings)[0] == "EDXML-999"
        assert codes((await refused(here, pieces(LARGE), "4")).findings)[0] == "EDXML-999"

    run(story())


def test_the_same_number_for_another_document_is_told() -> None:
    async def story() -> None:
        here = place("g14")

        async def sent(number: str, *edits: tuple[str, str], **more: Any) -> SubmitResult:
            packet = document("H49.22", number=number, **more)
            for old, new in edits:
                packet = changed(packet, old, new)
            return await here.submit(packet, sha256(packet).hexdigest())

        other_id = ("<edXML:DocumentId>G14,", "<edXML:DocumentId>G14-bis,")
        assert "EDXML-022" not in codes((await sent("7")).findings)
        assert "EDXML-022" not in codes((await sent("8")).findings)
        assert "EDXML-022" in codes((await sent("7", other_id)).findings)
        assert "EDXML-022" in codes((await sent("7", other_id, ("BM-VP</edXML:CodeN", "bm-vp</edXML:CodeN"))).findings)
        of_last_year = (">2026/11/22</edXML:PromulgationDate>", ">2025/11/22</edXML:PromulgationDate>")
        assert "EDXML-022" not in codes((await sent("7", other_id, of_last_year)).findings)
        assert "EDXML-022" not in codes((await sent("7", sender="G14.01")).findings)

    run(story())


def test_the_same_document_once_more_is_told_and_taken() -> None:
    async def story() -> None:
        here, packet = place("g14"), document("H49.22")
        assert "EDXML-023" not in codes((await here.submit(packet)).findings)
        again = await here.submit(packet, "2")
        assert [code for code in codes(again.findings) if code < "EDXML-030"][-1] == "EDXML-023"
        assert "EDXML-022" not in codes(again.findings)
        assert again.packet_id

    run(story())


def test_of_two_that_race_for_a_number_one_is_told() -> None:
    async def story() -> None:
        here = place("g14")
        one, other = document("H49.22"), changed(document("H49.22"), "<edXML:DocumentId>G14,", "<edXML:DocumentId>x,")
        answers = await asyncio.gather(here.submit(one, "1"), here.submit(other, "2"))
        assert sorted("EDXML-022" in codes(answer.findings) for answer in answers) == [False, True]

    run(story())


def test_what_lies_open_on_the_disk_quotes_nothing_of_the_document() -> None:
    async def story() -> None:
        here = place("g14")
        packet = document("H49.22", subject="Trichyeukin " * 60, attachments=[("tenkin.pdf", b"khong phai pdf")])
        for old, new in (
            (">2026/11/22</edXML:PromulgationDate>", ">ngaykin</edXML:PromulgationDate>"),
            ("<edXML:Priority>0", "<edXML:Priority>khankin"),
            ("<edXML:CodeNotation>BM-VP", "<edXML:CodeNotation>" + "kyhieukin" * 4),
        ):
            packet = changed(packet, old, new)
        result = await here.submit(packet)
        assert {"EDXML-040", "EDXML-042", "EDXML-050", "EDXML-063", "EDXML-074"} <= set(codes(result.findings))
        rows = b"".join(here.rows().values())
        assert [
            word for word in (b"Trichyeukin", b"tenkin", b"ngaykin", b"khankin", b"kyhieukin") if word in rows
        ] == []
        assert "kin" not in "".join(one.sentence for one in (await here.track()).findings)

    run(story())


def test_a_packet_with_ten_thousand_faults_is_not_answered_with_ten_thousand_sentences() -> None:
    async def story() -> None:
        here = place("g14")
        to = "".join(f"<edXML:To><edXML:OrganId>không {n}</edXML:OrganId></edXML:To>" for n in range(5_000))
        broken = await refused(here, changed(document("mẫu"), "<edXML:DocumentId>", to + "<edXML:DocumentId>"))
        of_codes = [one for one in broken.findings if one.code == "EDXML-030"]
        assert len(of_codes) == 20
        assert of_codes[-1].sentence.endswith("Còn những chỗ khác nữa cùng lỗi này.")

    run(story())


def test_one_recipient_without_a_proper_code_does_not_keep_the_others_from_it() -> None:
    async def story() -> None:
        here = place("g14")
        result = await here.submit(document("H49.22", "Sở mẫu"))
        assert "EDXML-035" in codes(result.findings)
        assert ([one.code for one in result.refused], result.recipients_served) == (["Sở mẫu"], 1)
        assert "EDXML-030" in codes((await refused(here, document("Sở mẫu", "Phòng mẫu"), "2")).findings)

    run(story())


def test_statuses_that_a_node_makes_itself_pass_by_the_rules_of_everybody() -> None:
    async def story() -> None:
        here = place("g14")
        for code in ("01", "15"):
            packet = status_about("9", code, sender="G14", author="H49.22", description="Nút tự báo")
            assert (await here.submit(packet, code)).findings == ()

    run(story())


def test_every_code_has_its_source() -> None:
    from node.edxml.rules import SOURCES

    assert {rule.code for rule in RULES} | {"EDXML-022", "EDXML-023", "EDXML-090", "EDXML-091"} == SOURCES.keys()
