"""The demo's story: each document is sent, arrives, is compared byte for byte, taken out, answered; then everything is proved.

Nothing is assumed: arrival is what the recipient's inbox says, a receipt counts when its signature has been verified with the key in
the sender's own directory, a status counts when the author's Track shows it.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from node.cli.command import now_ms
from node.client.reporting import about_of, report
from node.demo.bridge import STATUSES, Bridged
from node.demo.figures import Figures
from node.demo.letters import LETTERS, Letter, compose, compose_report
from node.demo.nodes import Nodes, StoryBroken
from node.demo.show import Teller
from node.demo.world import BRIDGED_UNIT, NODE_OF_UNIT
from node.errors import ADVICE
from node.model.code import parse_code
from node.model.delivery import State
from node.model.office import InboxEntry, SubmitResult, TrackView
from node.office.proof import BY_US, verified_by

if TYPE_CHECKING:
    from node.model.directory import Directory
    from node.net.client import OfficeClient


@dataclass(frozen=True, slots=True)
class Sent:
    """A packet that was submitted at a node; `statuses` are expected back from each recipient."""

    node_id: str
    packet_id: bytes
    statuses: int


@dataclass(slots=True)
class Story:
    """The running nodes, a client and the trusted directory for each, the software behind the bridge, what has been sent so far."""

    nodes: Nodes
    offices: Mapping[str, "OfficeClient"]
    bridged: Bridged
    directories: Mapping[str, "Directory"]
    teller: Teller
    figures: Figures = field(default_factory=Figures)
    sent: list[Sent] = field(default_factory=list)

    def office_of(self, unit: str) -> "OfficeClient":
        """Return the client of the software that speaks for a unit."""
        return self.offices[NODE_OF_UNIT[unit]]


async def tell(story: Story) -> list[TrackView]:
    """Play all letters and wait for what they bring back; return the documents as their authors see them. Raises StoryBroken."""
    documents = [await _play(story, number, letter) for number, letter in enumerate(LETTERS, 1)]
    story.teller.waiting_for_statuses()
    for one in story.sent:
        _count(story, one, await _complete(story, one, one.statuses))
    await story.bridged.collect()
    story.figures.bridged = story.bridged.packets
    for office in story.offices.values():
        entries, _ = await office.list_inbox()
        await office.acknowledge([entry.packet_id for entry in entries])
    return [await _complete(story, one, one.statuses) for one in documents]


async def _play(story: Story, number: int, letter: Letter) -> Sent:
    """One document, from its author's hand to the last recipient's first report."""
    packet = compose(letter, now_ms())
    story.teller.letter(number, letter, len(packet))
    started_s = time.monotonic()
    sent = await _hand_in(story, letter, packet)
    story.figures.documents_sent += 1
    story.teller.taken(NODE_OF_UNIT[letter.sender], sent.packet_id, time.monotonic() - started_s)
    units = [parse_code(code).text for code in letter.recipients]
    await asyncio.gather(*(_receive(story, letter, unit, sent.packet_id, packet, started_s) for unit in units))
    _show_receipts(story, sent, await _complete(story, sent, statuses=0))
    return sent


async def _hand_in(story: Story, letter: Letter, packet: bytes) -> Sent:
    """The author's software hands it in, by the door that it knows."""
    statuses = 1 + len(letter.statuses)
    if letter.sender == BRIDGED_UNIT:
        return _note_sent(story, Sent(NODE_OF_UNIT[letter.sender], await story.bridged.send(packet), statuses))
    result = await story.office_of(letter.sender).submit(packet, f"demo-{letter.document_id}")
    return _note(story, letter.sender, result, letter.code, statuses)


def _show_receipts(story: Story, sent: Sent, view: TrackView) -> None:
    for node_id in dict.fromkeys(one.node_id for one in view.deliveries):
        of_node = [one for one in view.deliveries if one.node_id == node_id]
        directory = story.directories[sent.node_id]
        genuine = all(verified_by(one, view.packet_id, directory) == BY_US for one in of_node)
        story.teller.proved(node_id, of_node[0].relay_node, len(of_node), genuine=genuine)


async def _receive(story: Story, letter: Letter, unit: str, packet_id: bytes, packet: bytes, started_s: float) -> None:
    """The recipient's software: look, fetch, compare, take out, report."""
    if unit == BRIDGED_UNIT:
        identical = await _receive_bridged(story, letter) == packet
    else:
        identical = await _receive_by_office(story, letter, unit, packet_id) == packet
    story.figures.copies_compared += 1
    story.figures.bytes_identical = story.figures.bytes_identical and identical
    story.teller.arrived(unit, time.monotonic() - started_s, ("01", *letter.statuses), identical=identical)


async def _receive_by_office(story: Story, letter: Letter, unit: str, packet_id: bytes) -> bytes:
    from node.edxml.reader import read_header

    office = story.office_of(unit)
    entry = await story.nodes.until(lambda: _in_inbox(office, unit, packet_id), f"văn bản {letter.code} tới {unit}")
    fetched = await office.fetch(packet_id, unit)
    await office.acknowledge([packet_id], unit)
    about = about_of(read_header(fetched.packet), unit)
    for code in letter.statuses:
        _note(story, unit, await report(office, entry, about, code), f"trạng thái {code}", 0)
    return fetched.packet


async def _receive_bridged(story: Story, letter: Letter) -> bytes:
    """The same through the bridge: poll, fetch, done; the statuses are packets like any other."""

    async def look() -> bytes | None:
        await story.bridged.collect()
        return story.bridged.drawer.get(letter.document_id)

    packet = await story.nodes.until(look, f"văn bản {letter.code} tới {BRIDGED_UNIT} qua cầu VXP")
    for code in letter.statuses:
        packet_id = await story.bridged.send(compose_report(packet, BRIDGED_UNIT, code, now_ms()), STATUSES)
        _note_sent(story, Sent(NODE_OF_UNIT[BRIDGED_UNIT], packet_id, 0))
    return packet


def _note(story: Story, unit: str, result: SubmitResult, what: str, statuses: int) -> Sent:
    """Remember a submission. Raises StoryBroken if the node refused it, or a recipient of it."""
    for reason, detail in [(result.reason, result.detail), *((one.reason, one.code) for one in result.refused)]:
        if reason:
            raise StoryBroken(f"Nút {NODE_OF_UNIT[unit]} từ chối {what}: {ADVICE[reason]} ({detail})")
    return _note_sent(story, Sent(NODE_OF_UNIT[unit], result.packet_id, statuses))


def _note_sent(story: Story, sent: Sent) -> Sent:
    story.sent.append(sent)
    story.figures.packets_sent += 1
    return sent


async def _in_inbox(office: "OfficeClient", unit: str, packet_id: bytes) -> InboxEntry | None:
    entries, _ = await office.list_inbox(unit)
    return next((entry for entry in entries if entry.packet_id == packet_id), None)


async def _complete(story: Story, sent: Sent, statuses: int) -> TrackView:
    """Wait until every delivery of a packet is final and has so many statuses."""

    async def look() -> TrackView | None:
        view = await story.offices[sent.node_id].track(packet_id=sent.packet_id)
        done = all(one.state.is_final and len(one.statuses) >= statuses for one in view.deliveries)
        return view if done else None

    return await story.nodes.until(look, f"mọi biên nhận và trạng thái của gói {sent.packet_id.hex()[:10]}")


def _count(story: Story, sent: Sent, view: TrackView) -> None:
    figures, directory = story.figures, story.directories[sent.node_id]
    figures.deliveries += len(view.deliveries)
    figures.packets_delivered += all(one.state is State.DELIVERED for one in view.deliveries)
    figures.packets_relayed += any(one.relay_node for one in view.deliveries)
    figures.statuses_returned += sum(len(one.statuses) for one in view.deliveries)
    figures.receipts_verified += sum(verified_by(one, view.packet_id, directory) == BY_US for one in view.deliveries)
