"""In words: rows that views have found, told with the words that lie encrypted on the disk, to those who may see them."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from node.edxml.rules import warning_of
from node.errors import Rejected
from node.flow.bodies.reading import PacketReader
from node.flow.document.dossier import Row
from node.flow.inbox.inbox import Held
from node.flow.send.routing import Outlook
from node.flow.views import deadlines, track
from node.flow.views.history import Found
from node.flow.views.track import Page, Tracked
from node.model.calendar import Calendar
from node.model.deadline import Deadline
from node.model.delivery import State
from node.model.envelope import Envelope
from node.model.life import Dossier, DossierEntry, LifeAct, LifeState
from node.model.office import DeliveryView, InboxEntry, System, TrackView
from node.model.reason import Reason
from node.model.receipt import SignedReceipt
from node.model.status import StatusEvent
from node.ports import Ports
from node.rows.records import HeaderRecord
from node.wire import codec
from node.wire.receipt import receipt_time_ms

STATUS_BYTES = 10_000
"""Weight of opening the header of one packet, for the workers."""
ENTRIES_AT_ONCE = 64
"""So many inbox entries are opened in one turn of the loop, about 10 ms."""


class Views:
    """Tells inbox entries, tracked packets and dossiers in words."""

    def __init__(self, ports: Ports, reader: PacketReader, calendar: Calendar, urgent_within_ms: int) -> None:
        self._ports = ports
        self._reader = reader
        self._calendar = calendar
        self._urgent_within_ms = urgent_within_ms

    async def entries(self, helds: list[Held]) -> list[InboxEntry]:
        """Return inbox entries in words, each with what its unit owes; between two slices the loop serves others."""
        entries: list[InboxEntry] = []
        for at in range(0, len(helds), ENTRIES_AT_ONCE):
            entries += await self._some_entries(helds[at : at + ENTRIES_AT_ONCE])
            await asyncio.sleep(0)
        return entries

    async def _some_entries(self, helds: list[Held]) -> list[InboxEntry]:
        opened = [
            (held, codec.decode_envelope(held.packet.envelope), self._reader.header(held.packet)) for held in helds
        ]
        documents = [one for one in opened if deadlines.brings_document(one[2])]
        owed: dict[tuple[str, bytes], tuple[Deadline, ...]] = {}
        if documents:
            reports = await self._ports.store.transact(
                lambda tx: [
                    deadlines.sent_reports(tx, held.unit, envelope.sender_unit, header.document_id)
                    for held, envelope, header in documents
                ]
            )
            for (held, _, header), sent in zip(documents, reports, strict=True):
                owed[held.unit, held.packet_id] = self._owed(header, held.entry.accept_time_ms, sent)
        return [_entry(*one, owed.get((one[0].unit, one[0].packet_id), ())) for one in opened]

    def _owed(
        self, header: HeaderRecord, arrive_time_ms: int, reports: Sequence[deadlines.Report], **more: LifeState
    ) -> tuple[Deadline, ...]:
        return deadlines.of_recipient(header, arrive_time_ms, reports, self._calendar, self._urgent_within_ms, **more)

    def entry(self, held: Held) -> InboxEntry:
        """Return an inbox entry in words, without what the unit owes."""
        return _entry(held, codec.decode_envelope(held.packet.envelope), self._reader.header(held.packet), ())

    async def tracked(
        self, tracked: Tracked, system: System, outlook: Outlook, start: str, page_size: int
    ) -> TrackView:
        """Return a tracked packet in words, with up to `page_size` deliveries (0: all) from a unit on.

        Raises Rejected(NOT_FOUND) if the system does not speak for its sender.
        """
        envelope, header = codec.decode_envelope(tracked.packet.envelope), self._reader.header(tracked.packet)
        if envelope.sender_unit not in system.units:
            raise Rejected(
                Reason.NOT_FOUND, f"packet {tracked.packet_id.hex()} was not submitted by this system's units"
            )
        place = track.Place(tracked.packet_id, envelope.sender_unit, tracked.packet.document_sha256, start)
        shown, following = await self._pages(place, page_size or len(envelope.recipient_units), header, outlook)
        return TrackView(
            packet_id=tracked.packet_id,
            submission_id=tracked.packet.submission_id,
            document_id=header.document_id,
            document_code=header.document_code,
            subject=header.subject,
            sender_unit=envelope.sender_unit,
            create_time_ms=envelope.create_time_ms,
            expire_at_ms=envelope.expire_at_ms,
            deliveries=tuple(shown),
            promulgation_date=header.promulgation_date,
            due_date=header.due_date,
            deadlines=deadlines.of_author(header, envelope.create_time_ms, self._calendar),
            findings=tuple(map(warning_of, header.warnings)),
            business_type=header.business_type,
            document_type_name=header.document_type_name,
            next_page_token=following,
        )

    async def _pages(
        self, place: track.Place, left: int, header: HeaderRecord, outlook: Outlook
    ) -> tuple[list[DeliveryView], str]:
        """Return up to `left` deliveries from a place on, and the unit to go on with; between two pages the loop serves others."""
        shown: list[DeliveryView] = []
        times: dict[SignedReceipt, int] = {}
        while True:
            page = await self._ports.store.transact(partial(track.page, place=place, limit=left, outlook=outlook))
            # Each status lies in a packet of its own, which has to be opened.
            weight = len(page.status_packets) * STATUS_BYTES
            shown += await self._ports.workers.run(weight, partial(self._deliveries, page, header, times))
            left -= len(page.deliveries)
            if not page.following or left <= 0:
                return shown, page.following
            place = replace(place, start=page.following)
            await asyncio.sleep(0)

    def _deliveries(self, page: Page, header: HeaderRecord, times: dict[SignedReceipt, int]) -> list[DeliveryView]:
        """Return deliveries with the statuses' words, and with what each recipient owes once it has the document.

        `times` remembers when receipts were made: each is read once.
        """
        return [self._delivery(view, header, page, times) for view in page.deliveries]

    def _delivery(
        self, view: DeliveryView, header: HeaderRecord, page: Page, times: dict[SignedReceipt, int]
    ) -> DeliveryView:
        statuses = tuple(self._in_words(event, page) for event in view.statuses)
        signed = view.signed_receipt
        if view.state is not State.DELIVERED or signed is None:
            return replace(view, statuses=statuses)
        if signed not in times:
            times[signed] = receipt_time_ms(signed.receipt)
        reports = [deadlines.Report(event.code, _handed_in_ms(event, page)) for event in statuses]
        owed = self._owed(header, times[signed], reports, life=view.life)
        return replace(view, statuses=statuses, deadlines=owed)

    def _in_words(self, event: StatusEvent, page: Page) -> StatusEvent:
        packet = page.status_packets.get(event.packet_id)
        if packet is None:
            return event
        header = self._reader.header(packet)
        return replace(event, description=header.status_description, timestamp_text=header.status_timestamp)

    def dossier(self, found: Found) -> Dossier:
        """Return a document's life in words; the document's own come from the newest packet that brought or updated it."""
        headers = {packet_id: self._reader.header(packet) for packet_id, packet in found.packets.items()}
        told = [row for row in found.rows if row.packet_id in headers]
        best = max(told, key=lambda row: (row.act in (LifeAct.NEW, LifeAct.UPDATE), row.order), default=None)
        about = headers[best.packet_id] if best is not None else HeaderRecord()
        return Dossier(
            unit=found.unit,
            author_unit=found.author,
            document_id=about.document_id or found.document_id,
            document_code=about.document_code,
            subject=about.subject,
            life=found.life,
            entries=tuple(_dossier_entry(row, found, headers) for row in found.rows),
        )


def _entry(held: Held, envelope: Envelope, header: HeaderRecord, deadlines: tuple[Deadline, ...]) -> InboxEntry:
    return InboxEntry(
        packet_id=held.packet_id,
        unit=held.unit,
        sender_unit=envelope.sender_unit,
        kind=envelope.kind,
        lane=envelope.lane.in_inbox,
        accept_time_ms=held.entry.accept_time_ms,
        packet_bytes=envelope.body.packet_bytes,
        packet_sha256=header.packet_sha256,
        document_id=header.document_id,
        document_code=header.document_code,
        subject=header.subject,
        status_code=header.status_code,
        lease_until_ms=held.entry.lease_until_ms,
        fetch_count=held.entry.fetch_count,
        sender_name=header.sender_name,
        business_type=header.business_type,
        promulgation_date=header.promulgation_date,
        due_date=header.due_date,
        deadlines=deadlines,
    )


def _handed_in_ms(event: StatusEvent, page: Page) -> int:
    """Return when a unit handed its status to its node, as that node has signed it."""
    packet = page.status_packets.get(event.packet_id)
    return event.accept_time_ms if packet is None else codec.decode_envelope(packet.envelope).create_time_ms


def _dossier_entry(row: Row, found: Found, headers: dict[bytes, HeaderRecord]) -> DossierEntry:
    packet, header, act = found.packets.get(row.packet_id), headers.get(row.packet_id, HeaderRecord()), row.act
    assert act is not None
    return DossierEntry(
        packet_id=row.packet_id,
        act=act,
        sender_unit=codec.decode_envelope(packet.envelope).sender_unit if packet is not None else "",
        accept_time_ms=row.record.accept_time_ms,
        status_code=row.record.status_code or header.status_code,
        answers_packet_id=row.record.answers_packet_id,
        note=header.status_description or header.business_reason,
        waits_for_document=row.record.waits,
        by_node=row.record.by_node,
    )
