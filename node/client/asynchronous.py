"""The client for programs on asyncio. One connection, made by the first call; any number of calls at a time, all from one event loop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from node.access.credential import Credential
from node.client.content import Source, content_of
from node.client.patience import Patience
from node.client.reporting import document_of, report
from node.errors import Rejected, fault
from node.model.code import parse_code
from node.model.finding import RulesBroken, Severity
from node.model.life import Dossier
from node.model.office import FoundUnit, InboxEntry, SubmitResult, TrackView
from node.model.reason import Reason
from node.model.status import STATUS_NAMES
from node.net.client import OfficeClient, Progress
from node.net.client_fetch import Fetched
from node.office import changes
from node.office.sent import Named

T = TypeVar("T")

PAGE_ENTRIES = 200
REFUSAL = "02"
ACKNOWLEDGED_PER_CALL = 1_000


class AsyncOffice:
    """A system's connection to its node.

    Every method raises the faults of node.errors: Rejected (the caller's own request or packet is wrong), Denied (the system's credential
    or rights are), Deferred (not now, and patience is at its end: call again later, with the same arguments), Broken (the node, or this
    machine's disk). Units are named by their codes in either form; "" stands for all units of the system.
    """

    def __init__(
        self, credential: Credential | Path | str, *, patience: Patience | None = None, instance: str = ""
    ) -> None:
        """`credential`: what `truc system add` wrote, or the path of its file. Raises as `Credential.load`.

        `instance`: a name for this one of several that fetch from the same inbox, at most 64 characters. Leases are its, so one that
        is started again under its old name goes on at once with what it had fetched. "": a name like no other.
        """
        self._credential = credential if isinstance(credential, Credential) else Credential.load(Path(credential))
        self._patience = patience or Patience()
        self._instance = instance
        self._client: OfficeClient | None = None
        self._is_closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; calls under way end with Deferred. Closing twice is harmless."""
        self._is_closed = True
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def submit(
        self,
        packet: Source,
        *,
        submission_id: str = "",
        all_or_nothing: bool = False,
        expire_at_ms: int = 0,
        progress: Progress | None = None,
    ) -> SubmitResult:
        """Hand in a packet of any size; when this returns, it is durable at the node.

        Without a `submission_id` one follows from the content (and the file's name), so that handing in the same again is harmless.
        `expire_at_ms`: give up delivering then, milliseconds since 1970 UTC; 0: the node's default. `progress(done, all)` in octets is
        called for packets of more than 1 MiB, and begins anew with every try. The result names recipients that cannot be served
        (`refused`) while others can. Raises RulesBroken, which is a Rejected, with the `findings` for a packet that breaks the rules;
        any other fault for a packet that was not taken.
        """
        with ExitStack() as kept:
            content = await asyncio.to_thread(kept.enter_context, content_of(packet, submission_id))

            async def attempt() -> SubmitResult:
                return taken(
                    await self._connected().submit(
                        content.packet,
                        content.submission_id,
                        all_or_nothing=all_or_nothing,
                        expire_at_ms=expire_at_ms,
                        progress=progress,
                    )
                )

            return await self._patience.with_retries(attempt)

    async def submit_once(self, packet: Source, submission_id: str) -> SubmitResult:
        """Hand in a packet that says what its id stands for, once, although its octets may differ from one time to the next."""
        with ExitStack() as kept:
            content = await asyncio.to_thread(kept.enter_context, content_of(packet, submission_id))

            async def attempt() -> SubmitResult:
                return taken(await self._connected().submit_once(content.packet, submission_id))

            return await self._patience.with_retries(attempt)

    async def inbox(self, unit: str = "", *, page_entries: int = PAGE_ENTRIES) -> AsyncIterator[InboxEntry]:
        """Go through what waits for a unit, the most urgent first; pages are fetched as they are needed.

        Acknowledging meanwhile does not disturb it; packets that arrive meanwhile may be met or not.
        """
        page_token = ""
        while True:
            entries, page_token = await self.inbox_page(unit, page_entries=page_entries, page_token=page_token)
            for entry in entries:
                yield entry
            if not page_token:
                return

    async def inbox_page(
        self, unit: str = "", *, page_entries: int = PAGE_ENTRIES, page_token: str = ""
    ) -> tuple[list[InboxEntry], str]:
        """Return one page, and the token of the next one; "" after the last."""
        code = canonical(unit)
        return await self._call(lambda office: office.list_inbox(code, page_size=page_entries, page_token=page_token))

    async def fetch(self, packet_id: bytes, unit: str = "", *, lease_ms: int = 0) -> Fetched:
        """Fetch a packet into memory, its digest checked; it stays in the inbox until it is acknowledged.

        `lease_ms`: keep it from other instances of the same software so long; 0: five minutes, -1: not at all. This instance may
        fetch it again meanwhile.
        """
        code = canonical(unit)
        return await self._call(lambda office: office.fetch(packet_id, code, lease_ms=lease_ms))

    async def fetch_to(
        self, packet_id: bytes, path: Path, unit: str = "", *, lease_ms: int = 0, progress: Progress | None = None
    ) -> InboxEntry:
        """Fetch a packet into a new file, durably and whole or not at all; goes on where an earlier try broke off.

        Raises Broken(ALREADY_EXISTS) if there is such a file.
        """
        code = canonical(unit)
        return await self._call(
            lambda office: office.fetch_to(packet_id, path, code, lease_ms=lease_ms, progress=progress)
        )

    async def acknowledge(self, packet_ids: bytes | Sequence[bytes], unit: str = "") -> int:
        """Take packets that are safely stored out of the inbox; return how many were taken out now. Doing so twice is harmless."""
        code, ids = canonical(unit), [packet_ids] if isinstance(packet_ids, bytes) else list(packet_ids)
        acknowledged = 0
        for start in range(0, len(ids), ACKNOWLEDGED_PER_CALL):
            group = ids[start : start + ACKNOWLEDGED_PER_CALL]
            acknowledged += await self._acknowledge(group, code)
        return acknowledged

    async def _acknowledge(self, group: list[bytes], code: str) -> int:
        return await self._call(lambda office: office.acknowledge(group, code))

    async def send_status(self, packet_id: bytes, code: str, note: str = "", *, unit: str = "") -> SubmitResult:
        """Report to a document's author what has become of it: 03 accepted, 06 done …; see node/model/status.py.

        `packet_id` names a document that the unit has received, also after it was acknowledged. A refusal (02) must have a note
        (QĐ 28/2018 Điều 5 khoản 4). The same report again is the same report. Raises as `submit`, and Rejected(NOT_FOUND).
        """
        own = canonical(unit)
        if code not in STATUS_NAMES:
            raise Rejected(Reason.REQUEST_INVALID, f"{code!r} is no status; known: {', '.join(STATUS_NAMES)}")
        if code == REFUSAL and not note.strip():
            raise Rejected(Reason.REQUEST_INVALID, "a refusal must say why (QĐ 28/2018 Điều 5 khoản 4)")

        async def attempt(office: OfficeClient) -> SubmitResult:
            entry, about = await document_of(office, packet_id, own)
            return taken(await report(office, entry, about, code, note))

        return await self._call(attempt)

    async def withdraw(self, document: Named, reason: str, *, recipients: Sequence[str] = ()) -> SubmitResult:
        """Take a document back that the system has sent, from these recipients (codes in either form), or from all.

        `document`: its packet id in octets, a text (packet id, submission id or DocumentId), or the path of its packet file. Where it was
        not fetched it goes out of the inbox at once, elsewhere the recipient is asked: `track` and `dossier` show the answers. The same
        withdrawal again is the same withdrawal. Raises as `submit`, and Rejected: REQUEST_INVALID without a reason or for what is no
        packet file, NOT_FOUND for what this system has not sent, RECIPIENT_UNKNOWN for a unit to which it did not go.
        """
        return taken(await changes.withdraw(self, document, reason, recipients))

    async def update(
        self,
        document: Named,
        reason: str = "",
        *,
        add: Sequence[str] = (),
        drop: Sequence[str] = (),
        attach: Sequence[Path] = (),
        subject: str = "",
        content: str = "",
        document_type: str = "",
        due: str = "",
        priority: str = "",
    ) -> SubmitResult:
        """Mend a document that the system has sent (named as in `withdraw`), add recipients to it, or drop some; what is "" stays.

        `add`: codes, also "H49.22=Sở mẫu"; who is added gets the document itself, so name its packet file then, or `attach` its files. A
        packet file keeps all that is not mended, its attachments too; of a document that is only named, the node remembers what `track`
        shows. `due`: 2026-10-05 or 05/10/2026; `priority`: 0 to 4 or its name. The same update again is the same update. Raises as
        `withdraw`, and Rejected: REQUEST_INVALID if nothing would change, PACKET_NO_RECIPIENT if all are dropped.
        """
        wish = changes.Changes(tuple(add), tuple(drop), tuple(attach), subject, content, document_type, due, priority)
        return taken(await changes.update(self, document, wish, reason))

    async def replace(self, documents: Named | Sequence[Named], new: bytes | Path, reason: str = "") -> SubmitResult:
        """Send a new document in place of others that the system has sent (named as in `withdraw`).

        `new`: a packet, or the path of its file or of a form (.toml, as `truc packet new` takes), which without recipients goes to all that
        have the old ones. The same replacement again is the same replacement. Raises as `withdraw`.
        """
        old = [documents] if isinstance(documents, Named) else list(documents)
        return taken(await changes.replace(self, old, new, reason))

    async def track(self, *, packet_id: bytes = b"", submission_id: str = "", document_id: str = "") -> TrackView:
        """Show where a packet is, for each recipient; named by exactly one of three names. Raises Rejected(NOT_FOUND)."""
        return await self._call(
            lambda office: office.track(packet_id=packet_id, submission_id=submission_id, document_id=document_id)
        )

    async def dossier(
        self, *, unit: str = "", author_unit: str = "", document_id: str = "", packet_id: bytes = b""
    ) -> Dossier:
        """Show a document's life as a unit sees it; named by DocumentId (and its author), or by any packet about it."""
        codes = {"unit": canonical(unit), "author_unit": canonical(author_unit)}
        return await self._call(lambda office: office.dossier(document_id=document_id, packet_id=packet_id, **codes))

    async def search_units(self, query: str, limit: int = 0) -> list[FoundUnit]:
        """Find units by code, or by words of their name with or without accents; 0: 20 of them."""
        return await self._call(lambda office: office.search_units(query, limit))

    async def _call(self, call: Callable[[OfficeClient], Awaitable[T]]) -> T:
        return await self._patience.with_retries(lambda: call(self._connected()))

    def _connected(self) -> OfficeClient:
        """Return the client of the loop that runs now; gRPC binds a channel to the loop in which it is made."""
        if self._is_closed:
            raise RuntimeError("this office is closed")
        if self._client is None:
            self._client = OfficeClient.connect(self._credential, self._instance)
        return self._client


def canonical(unit: str) -> str:
    """Return a unit's code as the node compares it; "" stays. Raises Rejected(CODE_MALFORMED)."""
    return parse_code(unit).text if unit else ""


def taken(result: SubmitResult) -> SubmitResult:
    """Return the result of a packet that was taken; raise the fault of one that was not."""
    if result.reason is Reason.NONE:
        return result
    if result.reason is Reason.PACKET_BREAKS_RULES and any(one.severity is Severity.ERROR for one in result.findings):
        raise RulesBroken(result.findings)
    refused = "; ".join(f"{one.code}: {one.reason.name}" for one in result.refused)
    raise fault(result.reason, ": ".join(part for part in (result.detail, refused) if part))
