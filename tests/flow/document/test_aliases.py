"""Old codes and new ones side by side (decision 0010): who is reached, who may send under which code, and that both sides see the same.

H49.99 is another code of H49.22 in its own province; H37.99 is one that another province gives away; the ministry is called G14.99 too.
"""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.edxml.reader import read_header
from node.errors import Denied, Rejected
from node.flow.document.aliases import aliases_in
from node.flow.submit.check import Addressed, address, require_served, route
from node.model.code import Code, parse_code
from node.model.delivery import State
from node.model.directory import Alias, Directory, Unit, Zone, directory_of
from node.model.life import LifeState
from node.model.mesh import Answer, PushPacket
from node.model.office import NO_LEASE, Submission, System
from node.model.policy import Policy
from node.model.reason import Reason
from tests.clocks import NOW
from tests.flow.acts import UNIT, Pair, ask_back, id_in, replacement, update, withdrawal
from tests.flow.receive.test_verify import answer_to, refused_for_good, refused_without_receipt, statement
from tests.flow.support import Place, directory, envelope_for, parcel_for, place, push_of, run
from tests.papers import document, status_about

OLD = Alias("H49.99", "H49.22")
ABROAD = Alias("H37.99", "H49.22")
MINISTRY = Alias("G14.99", "G14")
ALIASES = (OLD, ABROAD, MINISTRY)
SYSTEM = System("qlvb", frozenset({"G14", "G14.01"}))
QUIET = Policy(arrival=False)


def addressed(*recipients: str, sender: str = "G14", known: Directory | None = None) -> Addressed:
    header, known = read_header(document(*recipients, sender=sender)), known or directory(aliases=ALIASES)
    return address(header, SYSTEM, known, NOW, aliases=aliases_in(header, known, NOW))


def pair(*aliases: Alias, province: Directory | None = None, policy: Policy = QUIET) -> Pair:
    known = directory(aliases=aliases or ALIASES)
    return Pair(place("g14", policy, known=known), place("h49", policy, known=province or known))


# --- who is reached ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ["H49.99", "000.00.99.H49", "h49.99 ", "H37.99", "000.00.99.H37", "00.99.H37"])
def test_an_alias_in_either_form_reaches_its_unit_wherever_it_stands(written: str) -> None:
    found = addressed(written)
    assert (found.routes, found.refused) == ({"H49.22": "h49"}, ())
    assert found.aliases == ((parse_code(written).text, "H49.22"),)


def test_a_unit_that_is_addressed_by_all_its_codes_is_served_once() -> None:
    found = addressed("H49.99", "H49.22", "000.00.99.H37", "H37")
    assert found.routes == {"H49.22": "h49", "H37": "h37"}
    assert found.aliases == (("H37.99", "H49.22"), ("H49.99", "H49.22"))


@pytest.mark.parametrize(
    ("alias", "said"),
    [
        (replace(OLD, valid_from_ms=NOW + 1), "H49.99 stands for H49.22 only from 15/01/2027 15:00; write H49.22"),
        (replace(OLD, valid_to_ms=NOW), "H49.99 stood for H49.22 until 15/01/2027 15:00; write H49.22"),
        (replace(OLD, unit="H49.77"), "H49.99 stands for H49.77, which is no open unit in the directory"),
        (replace(OLD, unit="G14.99"), "H49.99 stands for G14.99, which is no open unit in the directory"),
    ],
)
def test_an_alias_that_leads_nowhere_now_says_so_and_names_the_code_to_write(alias: Alias, said: str) -> None:
    found = addressed("H49.99", "H37", known=directory(aliases=[alias, MINISTRY]))
    assert found.routes == {"H37": "h37"}
    [refused] = found.refused
    assert (refused.code, refused.reason) == ("H49.99", Reason.RECIPIENT_UNKNOWN)
    assert said in refused.detail


def test_an_alias_holds_from_its_first_moment_to_before_its_last() -> None:
    known = directory(aliases=[Alias("H49.99", "H49.22", NOW, NOW + 10)])
    code, unit = parse_code("H49.99"), parse_code("H49.22")
    resolved = {at: known.resolve(code, at) for at in (NOW - 1, NOW, NOW + 9, NOW + 10)}
    assert resolved == {NOW - 1: code, NOW: unit, NOW + 9: unit, NOW + 10: code}


def test_a_closed_unit_is_refused_and_its_successor_named_unless_its_code_is_an_alias_in_force() -> None:
    closed = {"H49.22": Unit("H49.22", "Sở cũ", valid_to_ms=NOW, successor="H37.10")}
    refused = addressed("H49.22", known=directory(units=closed)).refused[0]
    assert "unit H49.22 is closed, its successor is H37.10" in refused.detail
    known = directory(units=closed, aliases=[Alias("H49.22", "H37.10", NOW)])
    assert addressed("000.00.22.H49", known=known).routes == {"H37.10": "h37"}
    assert known.resolve(parse_code("H49.22"), NOW - 1) == parse_code("H49.22"), "until it closed it was a unit"


def reported_to(code: str, status: str, known: Directory) -> Addressed:
    header = read_header(status_about("7", status, sender="G14", author=code))
    return address(header, SYSTEM, known, NOW, aliases=aliases_in(header, known, NOW))


@pytest.mark.parametrize("status", ["01", "03", "06", "15", "16"])
@pytest.mark.parametrize(
    ("code", "unit", "alias"),
    [
        ("H49.22", Unit("H49.22", "Sở cũ", valid_to_ms=NOW, successor="H37.10"), OLD),
        ("000.00.22.H49", Unit("H49.22", "Sở cũ", valid_to_ms=NOW), OLD),
        ("H49.99", Unit("H49.22", "Sở mẫu"), replace(OLD, valid_to_ms=NOW)),
        ("H49.99", Unit("H49.22", "Sở cũ", valid_to_ms=NOW), replace(OLD, valid_to_ms=NOW)),
    ],
)
def test_a_report_reaches_its_author_though_its_unit_is_closed_or_the_alias_has_ended(
    status: str, code: str, unit: Unit, alias: Alias
) -> None:
    found = reported_to(code, status, directory(units={"H49.22": unit}, aliases=[alias, MINISTRY]))
    assert (found.routes, found.refused) == ({"H49.22": "h49"}, ())


@pytest.mark.parametrize(
    ("code", "status", "unit", "alias"),
    [
        ("H49.22", "13", Unit("H49.22", "Sở cũ", valid_to_ms=NOW), OLD),
        ("H49.99", "13", Unit("H49.22", "Sở mẫu"), replace(OLD, valid_to_ms=NOW)),
        ("H49.99", "03", Unit("H49.22", "Sở mẫu"), replace(OLD, valid_from_ms=NOW + 1)),
        ("H49.22", "03", Unit("H49.22", "Sở mới", valid_from_ms=NOW + 1), OLD),
        ("H49.98", "03", Unit("H49.22", "Sở mẫu"), OLD),
    ],
)
def test_what_is_new_or_for_nobody_is_refused_as_ever(code: str, status: str, unit: Unit, alias: Alias) -> None:
    found = reported_to(code, status, directory(units={"H49.22": unit}, aliases=[alias, MINISTRY]))
    assert (found.routes, [one.reason for one in found.refused]) == ({}, [Reason.RECIPIENT_UNKNOWN])


def test_a_packet_with_more_aliases_than_recipients_are_allowed_is_too_complex() -> None:
    found = addressed("H49.99", "H37.99")
    with pytest.raises(Rejected) as refused:
        require_served(found, Submission("1"), Policy(recipients_max=1))
    assert refused.value.reason is Reason.PACKET_TOO_COMPLEX
    assert "2 aliases, at most 1" in refused.value.detail


# --- who sends --------------------------------------------------------------------------------------------------------


def test_a_system_that_owns_the_unit_sends_under_its_alias() -> None:
    found = addressed("H37", sender="000.00.99.G14")
    assert (found.sender.text, found.aliases) == ("G14", (("G14.99", "G14"),))


def test_a_system_that_does_not_own_the_unit_does_not_get_it_by_an_alias() -> None:
    known = directory(aliases=[Alias("G14.01", "H37")], units={"G14.01": Unit("G14.01", "Cục", valid_to_ms=NOW)})
    with pytest.raises(Denied, match=r"does not speak for H37, for which G14\.01 stands"):
        addressed("H49", sender="G14.01", known=known)


def calling_itself(code: str, unit: str = "G14", **changes: object) -> PushPacket:
    return push_of(
        document("H49.22", sender=code), sender_unit=unit, aliases=((code, unit),), sender_alias=code, **changes
    )  # type: ignore[arg-type]


def test_a_recipient_takes_a_sender_under_a_code_of_the_origins_own_prefix_without_knowing_the_alias() -> None:
    answer, _ = answer_to(calling_itself("G14.99"))
    assert statement(answer).outcomes[0].reason is Reason.NONE


@pytest.mark.parametrize(
    "alias", [Alias("H37.98", "G14"), Alias("H37.98", "G14", 0, NOW - 5), Alias("H37.98", "G14", NOW + 5)]
)
def test_a_recipient_takes_a_sender_under_a_code_that_its_holder_lists_for_it_though_it_has_ended(alias: Alias) -> None:
    known = directory(aliases=[alias])
    answer, _ = answer_to(calling_itself("H37.98"), known=known)  # type: ignore[arg-type]
    assert statement(answer, known).outcomes[0].reason is Reason.NONE


@pytest.mark.parametrize(
    "aliases",
    [(), (Alias("H37.98", "H37"),), (Alias("H37.99", "G14"),)],
    ids=["none", "of another unit", "another code"],
)
def test_a_code_that_nobody_gave_the_sender_is_refused_without_a_receipt(aliases: Sequence[Alias]) -> None:
    refused_without_receipt(calling_itself("H37.98"), Reason.PEER_SPEAKS_FOR_OTHERS, known=directory(aliases=aliases))  # type: ignore[arg-type]


def test_an_older_directory_puts_a_packet_off_and_the_newer_one_takes_it() -> None:
    async def story() -> None:
        here, item = place("h49"), calling_itself("H37.98")
        [answer] = await here.push(item)  # type: ignore[arg-type]
        assert (answer.receipt, answer.reason) == (None, Reason.PEER_SPEAKS_FOR_OTHERS)
        here.directory.directory = directory(version=2, aliases=[Alias("H37.98", "G14")])
        [answer] = await here.push(item)  # type: ignore[arg-type]
        assert answer.receipt is not None
        assert [entry.sender_unit for entry in await here.inbox("H49.22")] == ["G14"]

    run(story())


def test_a_sender_that_only_addresses_itself_by_anothers_code_need_not_explain_it() -> None:
    """Found by the simulation (seed 1001): a status 13 to its own author, under a code of which the recipient had not heard."""
    answer, _ = answer_to(push_of(document("H49.22", "H37.98"), aliases=(("H37.98", "G14"),)))
    assert statement(answer).outcomes[0].reason is Reason.NONE


def test_a_large_packet_under_a_code_that_nobody_gave_is_put_off_before_its_upload() -> None:
    async def story() -> None:
        here = place("h49")
        answer = await here.node.receive_offer("g14", calling_itself("H37.98").parcel)
        assert (answer, here.tables()) == (Answer(None, Reason.PEER_SPEAKS_FOR_OTHERS, 0, answer.detail), set())  # type: ignore[union-attr]

    run(story())


def test_a_relay_carries_what_its_older_directory_cannot_explain() -> None:
    envelope, body = envelope_for(
        document("H49.22", sender="H37.98"), aliases=(("H37.98", "G14"),), sender_alias="H37.98"
    )
    item = replace(push_of(), parcel=replace(parcel_for(envelope), target_node="h49"), body=body)
    answer, _ = answer_to(item, at="centre")
    assert answer.receipt is not None, answer


def test_a_sender_that_the_envelope_does_not_explain_is_refused_for_good() -> None:
    known = directory(aliases=ALIASES)
    refused_for_good(push_of(document("H49.22", sender="G14.99")), Reason.PEER_SPEAKS_FOR_OTHERS, known=known)
    for sender in ("H37", "G14"):
        item = push_of(document("H49.22", sender=sender), aliases=(("G14.99", "G14"),), sender_alias="G14.99")
        refused_for_good(item, Reason.PEER_SPEAKS_FOR_OTHERS, known=known)


@pytest.mark.parametrize(
    "aliases",
    [
        (("H49.99", "H49.99"),),
        (("H49.99", "H49.22"), ("H37.99", "H49.22")),
        (("H49.99", "H49.22"), ("H49.99", "H49")),
        (("000.00.99.H49", "H49.22"),),
        (("H49.99", "x"),),
        tuple((f"H49.{number:05}", "H49.22") for number in range(10_001)),
    ],
    ids=["itself", "order", "twice", "old form", "no code", "too many"],
)
def test_aliases_that_make_no_sense_are_a_malformed_envelope(aliases: tuple[tuple[str, str], ...]) -> None:
    import node.wire.envelope as wire

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wire, "_flaw", lambda envelope: "")
        envelope, body = envelope_for(document("H49.22"), aliases=aliases)
        item = replace(push_of(), parcel=parcel_for(envelope), body=body)
    refused_without_receipt(item, Reason.ENVELOPE_MALFORMED)


@pytest.mark.parametrize("known", [directory(), directory(units={"H49.22": Unit("H49.22", "Sở", valid_to_ms=NOW)})])
def test_a_repeat_gets_the_first_answer_though_its_alias_or_its_unit_is_no_more(known: Directory) -> None:
    async def story() -> None:
        here, packet = place("g14", known=directory(aliases=ALIASES)), document("H49.99", sender="G14.99")
        first = await here.submit(packet)
        here.directory.directory = known
        assert await here.submit(packet) == first
        with pytest.raises(Rejected) as refused:
            await here.submit(document("H49.99", sender="G14.99", number="124"))
        assert refused.value.reason is Reason.ID_REUSED
        with pytest.raises(Denied):
            await here.submit(packet, "2")

    run(story())


# --- a document's life, whatever its units are called -------------------------------------------------------------------


def test_a_status_comes_back_from_the_unit_by_its_own_code_and_by_its_alias_and_shows_in_track() -> None:
    async def story() -> None:
        two = pair()
        packet = document("000.00.99.H49", sender="G14.99")
        packet_id = await two.send(packet, "1")
        assert await two.province.fetch(packet_id, UNIT, lease_ms=NO_LEASE) == packet, (
            "what is in the packet stays as it is"
        )
        assert await two.province.fetch(packet_id, "H49.99") == packet, "and its unit may ask by any of its codes"
        for code, sender, author in [
            ("03", UNIT, "G14.99"),
            ("05", "H49.99", "G14"),
            ("06", "000.00.99.H37", "G14.99"),
        ]:
            status = status_about("123", code, sender=sender, author=author)
            document_id = b"G14.99,2026/11/22,123/BM-VP"
            await two.province.submit(status.replace(f"{author},2026/11/22,123/BM-VP".encode(), document_id), code)
            two.province.clock.at_ms += 10
        assert await two.carry_back() == ["03", "05", "06"]
        [view] = (await two.views()).values()
        assert (view.unit, view.state, view.status_code) == (UNIT, State.DELIVERED, "06")
        assert [(event.code, event.unit) for event in view.statuses] == [("03", UNIT), ("05", UNIT), ("06", UNIT)]

    run(story())


def test_a_withdrawal_that_names_the_alias_takes_back_what_the_units_own_code_brought() -> None:
    async def story() -> None:
        two = pair()
        await two.send(document(UNIT), "1")
        await two.send(withdrawal("H37.99"), "2")
        assert await two.inbox() == []
        assert await two.work() == ["15"]
        await two.both_say(LifeState.WITHDRAWN)

    run(story())


@pytest.mark.parametrize("to", ["H49.99", "000.00.99.H37", "G14", "G14.99"])
def test_a_status_13_finds_the_document_by_any_code_and_to_any_code_of_its_own_author_all_recipients(to: str) -> None:
    async def story() -> None:
        two = pair()
        packet_id = await two.send(document("H49.99"), "1")
        await two.read(packet_id)
        await two.send(ask_back(to), "2")
        await two.both_say(LifeState.WITHDRAWAL_ASKED)
        await two.answer("16", unit="H49.99")
        await two.both_say(LifeState.WITHDRAWAL_REFUSED)

    run(story())


def test_an_update_drops_and_adds_by_alias_and_who_gets_its_new_code_keeps_the_document() -> None:
    async def story() -> None:
        two = pair(*ALIASES, Alias("H49.98", "H49.22.05"))
        await two.send(document("H49.99", "H49.22.05"), "1")
        await two.send(update("H49.98", dropped=["H37.99"]), "2")
        assert await two.inbox() == []
        assert await two.work() == ["15"]
        await two.both_say(LifeState.WITHDRAWN)
        await two.both_say(LifeState.IN_FORCE, unit="H49.22.05")
        # Somebody corrects an address: out with the old code, in with the new one. It is the same unit.
        await two.send(update(UNIT, added=["H49.22.05"], dropped=["H49.98"]), "3")
        await two.both_say(LifeState.IN_FORCE, unit="H49.22.05")
        assert len(await two.inbox("H49.22.05")) == 3

    run(story())


def test_a_replacement_takes_the_old_document_from_units_named_by_alias() -> None:
    async def story() -> None:
        two = pair()
        await two.send(document(UNIT), "1")
        await two.send(replacement("H49.22.05", number="124", had_gone_to=["H49.99"]), "2")
        assert await two.inbox() == []
        await two.both_say(LifeState.REPLACED)

    run(story())


def test_both_sides_agree_though_the_recipient_knows_no_alias() -> None:
    async def story() -> None:
        two = pair(province=directory())
        await two.send(document("H49.99", "H49.22.05"), "1")
        await two.send(update("H49.22.05", dropped=["H37.99"]), "2")
        assert await two.work() == ["15"]
        await two.both_say(LifeState.WITHDRAWN)
        await two.both_say(LifeState.IN_FORCE, unit="H49.22.05")

    run(story())


def test_what_the_node_reports_calls_the_author_as_it_calls_itself_and_by_its_own_code_when_that_is_over() -> None:
    async def story(aliases: Sequence[Alias], called: str) -> None:
        known = directory(aliases=aliases)
        two = Pair(place("g14", known=directory(aliases=ALIASES)), place("h49", known=known))
        await two.send(document("H49.99", sender="G14.99"), "1")
        assert await two.work() == ["01"]
        [entry] = await two.ministry.inbox()
        status = await two.ministry.fetch(entry.packet_id)
        assert read_header(status).recipients == (called,)
        assert (await two.views())[UNIT].status_code == "01"

    run(story(ALIASES, "G14.99"))
    run(story((replace(MINISTRY, valid_to_ms=NOW),), "G14"))
    run(story((), "G14"))


def test_a_document_from_before_the_code_was_an_alias_stays_the_units() -> None:
    """H49.22 is a unit, gets a document, is closed and becomes the alias of H49.22.05; so does the ministry's department G14.01."""

    async def story() -> None:
        then = directory()
        closed = {code: Unit(code, "cũ", valid_to_ms=NOW + 50) for code in ("H49.22", "G14.01")}
        aliases = [Alias("H49.22", "H49.22.05", NOW + 50), Alias("G14.01", "G14", NOW + 50)]
        now = directory(version=2, units=closed, aliases=aliases)
        two = Pair(place("g14", QUIET, known=then), place("h49", QUIET, known=then))
        packet_id = await two.send(document(UNIT, sender="G14.01"), "1")
        await two.read(packet_id)
        for one in (two.ministry, two.province):
            one.directory.directory, one.clock.at_ms = now, NOW + 100
        about = "G14.01,2026/11/22,123/BM-VP"
        done = status_about("123", "06", sender=UNIT, author="G14.01")
        await two.province.submit(done, "06")
        assert await two.carry_back() == ["06"]
        assert (await two.views())[UNIT].status_code == "06"
        await two.send(withdrawal(UNIT).replace(b">G14<", b">G14.01<").replace(b"G14,2026", b"G14.01,2026"), "2")
        theirs = await two.province.node.dossier(two.province.system, UNIT, "G14.01", about)
        assert [entry.sender_unit for entry in theirs.entries] == ["G14.01", "H49.22.05"]

    run(story())


# --- the property -----------------------------------------------------------------------------------------------------

CODES = st.sampled_from([Code((top, *rest)) for top in ("H49", "H37") for rest in [(), ("1",), ("2",), ("1", "1")]])
TIMES = st.sampled_from([0, 5, 10])
UNITS = st.lists(st.builds(Unit, CODES.map(str), st.just("x"), valid_from_ms=TIMES, valid_to_ms=TIMES), max_size=6)
NAMES = st.lists(st.builds(Alias, CODES.map(str), CODES.map(str), TIMES, TIMES), max_size=8)


@given(UNITS, NAMES, st.lists(CODES, unique=True, max_size=4), CODES, st.integers(0, 12))
def test_resolving_is_idempotent_and_ends_at_an_open_unit_of_the_aliases_target(
    units: list[Unit], aliases: list[Alias], prefixes: list[Code], asked: Code, now_ms: int
) -> None:
    """Over any directory at all, also one that breaks every rule."""
    zones = [
        Zone(prefix, f"n{place}", {u.code: u for u in units}, {a.code: a for a in aliases})
        for place, prefix in enumerate(prefixes)
    ]
    known = directory_of(1, 0, [], zones)
    found = known.resolve(asked, now_ms)
    assert known.resolve(found, now_ms) == found
    if found != asked:
        alias, unit = known.alias(asked), known.unit(found)
        assert alias is not None
        assert unit is not None
        assert (alias.unit, alias.holds_at(now_ms), unit.holds_at(now_ms)) == (found.text, True, True)
        assert known.zone_of(found) is known.zone_of(parse_code(alias.unit))
        if not unit.valid_to_ms:
            assert route(found, known, now_ms)


def test_the_parcels_of_this_file_are_what_a_real_node_makes() -> None:
    async def story() -> None:
        two = pair()
        item = await two.submit(document("H49.99", sender="G14.99"), "1")
        assert await here_takes(two.province, item)
        assert id_in(item)

    run(story())


async def here_takes(here: Place, item: object) -> bool:
    [answer] = await here.push(item)  # type: ignore[arg-type]
    return answer.receipt is not None
