"""Extremes: unusual packets that are allowed go through a node octet for octet; those that are too much are refused in few words."""

import unicodedata
from dataclasses import replace
from typing import Any

import pytest

from node.errors import Rejected
from node.model.code import parse_code
from node.model.directory import Directory, Unit, directory_of
from node.model.finding import RulesBroken
from node.model.policy import Policy
from node.model.reason import Reason
from tests.flow.large_support import POLICY, pieces
from tests.flow.submit.test_rules_at_the_door import changed, codes
from tests.flow.support import Place, directory, place, run
from tests.papers import document

NFC = unicodedata.normalize("NFC", "Quyết định ưu đãi")
NFD = unicodedata.normalize("NFD", "Quyết định ưu đãi")


async def there_and_back(here: Place, packet: bytes, submission_id: str = "1") -> Any:
    """Submit a packet to a unit of the same node, fetch it and compare; return the result."""
    result = await here.submit(packet, submission_id)
    assert await here.fetch(result.packet_id, "G14.01") == packet
    return result


@pytest.mark.parametrize(
    "subject",
    [NFC, NFD, f"{NFC} {NFD}", "👩\u200d⚖️ 📄 🇻🇳", "Trích\u0085yếu \u202e ngược", "ký tự \ue000 riêng", "𠀀𪜈 chữ Nôm"],
)
def test_texts_are_kept_as_they_are_and_shown_so(subject: str) -> None:
    async def story() -> None:
        here = place("g14")
        await there_and_back(here, document("G14.01", subject=subject))
        [entry] = await here.inbox("G14.01")
        assert entry.subject == (await here.track()).subject == subject

    run(story())


def test_a_subject_of_64_kib_is_kept_whole_with_a_warning() -> None:
    async def story() -> None:
        here, subject = place("g14"), ("Quyết định " * 6_000)[: 64 * 1024].strip()
        result = await there_and_back(here, document("G14.01", subject=subject))
        assert "EDXML-040" in codes(result.findings)
        assert (await here.inbox("G14.01"))[0].subject == subject

    run(story())


@pytest.mark.parametrize("control", ["\x00", "\x07", "\x1b", "\ufffe", "&#0;", "&#x1b;", "&#xFFFF;"])
def test_a_character_that_xml_does_not_allow_is_refused(control: str) -> None:
    async def story() -> None:
        here = place("g14")
        with pytest.raises(Rejected) as caught:
            await here.submit(changed(document("G14.01"), "V/v thử", f"V/v {control} thử"))
        assert caught.value.reason is Reason.PACKET_NOT_XML
        assert here.tables() <= {"m"}

    run(story())


def test_an_impossible_date_is_kept_in_an_identifier_and_warned_of_as_a_date() -> None:
    async def story() -> None:
        here = place("g14")
        packet = document("G14.01").replace(b"2026/11/22", b"2014/02/30")
        result = await there_and_back(here, packet)
        assert {"EDXML-051", "EDXML-054"} <= set(codes(result.findings))
        view = await here.node.track(here.system, document_id="G14,2014/02/30,123/BM-VP")
        assert view.promulgation_date == "2014/02/30"

    run(story())


def of_many(count: int) -> tuple[Directory, list[str]]:
    """The usual directory, in which H49 has many communes more."""
    usual = directory()
    communes = [f"H49.{number // 100 + 100}.{number % 100:02}" for number in range(count)]
    zones = [
        replace(zone, units={**zone.units, **{code: Unit(code, f"Xã {code}") for code in communes}})
        if zone.prefix == parse_code("H49")
        else zone
        for zone in usual.zones.values()
    ]
    return directory_of(2, 0, list(usual.nodes.values()), zones), communes


def test_5000_recipients_are_all_served() -> None:
    async def story() -> None:
        known, communes = of_many(5_000)
        here = place("g14", known=known)
        result = await here.submit(document(*communes))
        assert (result.recipients_served, result.refused) == (5_000, ())
        assert len((await here.track()).deliveries) == 5_000

    run(story())


def with_attachments(count: int) -> bytes:
    return document("G14.01", attachments=[(f"phụ lục {number}.pdf", b"%PDF-1.4") for number in range(count)])


def test_10000_attachments_go_through_and_more_are_too_many() -> None:
    async def story() -> None:
        here, packet = place("g14", Policy(packet_bytes_max=64 << 20)), with_attachments(10_000)
        result = await here.submit(pieces(packet, 1 << 20))
        assert await here.fetch(result.packet_id, "G14.01") == packet
        one_more = packet.replace(b"<Attachment>", b"<Attachment/><Attachment>", 1)
        with pytest.raises(Rejected) as caught:
            await here.submit(pieces(one_more, 1 << 20), "2")
        assert caught.value.reason is Reason.PACKET_TOO_COMPLEX
        assert "attachments_max 10000" in caught.value.detail

    run(story())


def test_10000_empty_attachments_are_answered_in_twenty_sentences() -> None:
    async def story() -> None:
        here = place("g14", POLICY)
        empty = changed(with_attachments(1), "JVBERi0xLjQ=", "").replace(
            b"<Attachment>", b"<Attachment/>" * 9_999 + b"<Attachment>"
        )
        with pytest.raises(RulesBroken) as caught:
            await here.submit(pieces(empty))
        found = codes(caught.value.findings)
        assert (found.count("EDXML-070"), found.count("EDXML-071")) == (20, 20)
        assert len(caught.value.detail) < 500

    run(story())
