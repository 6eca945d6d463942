"""The client for programs without asyncio, safe to use from several threads at a time.

It is AsyncOffice on an event loop of its own, in a thread of its own; a call hands its work over and waits. So both clients do the same,
and there is one transport. The thread ends with `close`, and does not keep a program from ending.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from node.access.credential import Credential
from node.client.asynchronous import PAGE_ENTRIES, AsyncOffice
from node.client.content import Source
from node.client.patience import Patience
from node.model.life import Dossier
from node.model.office import FoundUnit, InboxEntry, SubmitResult, TrackView
from node.net.client import Progress
from node.net.client_fetch import Fetched
from node.office.sent import Named

T = TypeVar("T")

CLOSE_S = 10.0


class Office:
    """A system's connection to its node; see AsyncOffice for what each method does and raises.

    `progress` is called in the client's own thread. A program that forks must make its Office after that.
    """

    def __init__(
        self, credential: Credential | Path | str, *, patience: Patience | None = None, instance: str = ""
    ) -> None:
        """`credential`: what `truc system add` wrote, or the path of its file; `instance`: see AsyncOffice. Raises as it does."""
        self._office = AsyncOffice(credential, patience=patience, instance=instance)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="truc-office", daemon=True)
        self._thread.start()
        self._closing = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection and end the thread; calls under way in other threads are cancelled. Closing twice is harmless."""
        self._refuse_own_thread()
        with self._closing:
            if self._loop.is_closed():
                return
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(CLOSE_S)
            self._loop.close()

    async def _end(self) -> None:
        await self._office.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._loop.shutdown_default_executor()

    def submit(
        self,
        packet: Source,
        *,
        submission_id: str = "",
        all_or_nothing: bool = False,
        expire_at_ms: int = 0,
        progress: Progress | None = None,
    ) -> SubmitResult:
        """Hand in a packet; see AsyncOffice.submit."""
        return self._wait(
            lambda: self._office.submit(
                packet,
                submission_id=submission_id,
                all_or_nothing=all_or_nothing,
                expire_at_ms=expire_at_ms,
                progress=progress,
            )
        )

    def inbox(self, unit: str = "", *, page_entries: int = PAGE_ENTRIES) -> Iterator[InboxEntry]:
        """Go through what waits for a unit; see AsyncOffice.inbox."""
        page_token = ""
        while True:
            entries, page_token = self._page(unit, page_entries, page_token)
            yield from entries
            if not page_token:
                return

    def _page(self, unit: str, page_entries: int, page_token: str) -> tuple[list[InboxEntry], str]:
        return self._wait(lambda: self._office.inbox_page(unit, page_entries=page_entries, page_token=page_token))

    def fetch(self, packet_id: bytes, unit: str = "", *, lease_ms: int = 0) -> Fetched:
        """Fetch a packet into memory; see AsyncOffice.fetch."""
        return self._wait(lambda: self._office.fetch(packet_id, unit, lease_ms=lease_ms))

    def fetch_to(
        self, packet_id: bytes, path: Path, unit: str = "", *, lease_ms: int = 0, progress: Progress | None = None
    ) -> InboxEntry:
        """Fetch a packet into a new file; see AsyncOffice.fetch_to."""
        return self._wait(lambda: self._office.fetch_to(packet_id, path, unit, lease_ms=lease_ms, progress=progress))

    def acknowledge(self, packet_ids: bytes | Sequence[bytes], unit: str = "") -> int:
        """Take packets out of the inbox; see AsyncOffice.acknowledge."""
        return self._wait(lambda: self._office.acknowledge(packet_ids, unit))

    def send_status(self, packet_id: bytes, code: str, note: str = "", *, unit: str = "") -> SubmitResult:
        """Report what has become of a document; see AsyncOffice.send_status."""
        return self._wait(lambda: self._office.send_status(packet_id, code, note, unit=unit))

    def withdraw(self, document: Named, reason: str, *, recipients: Sequence[str] = ()) -> SubmitResult:
        """Take a document back that the system has sent; see AsyncOffice.withdraw."""
        return self._wait(lambda: self._office.withdraw(document, reason, recipients=recipients))

    def update(
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
        """Mend a document that the system has sent, add recipients to it, or drop some; see AsyncOffice.update."""
        return self._wait(
            lambda: self._office.update(
                document,
                reason,
                add=add,
                drop=drop,
                attach=attach,
                subject=subject,
                content=content,
                document_type=document_type,
                due=due,
                priority=priority,
            )
        )

    def replace(self, documents: Named | Sequence[Named], new: bytes | Path, reason: str = "") -> SubmitResult:
        """Send a new document in place of others that the system has sent; see AsyncOffice.replace."""
        return self._wait(lambda: self._office.replace(documents, new, reason))

    def track(self, *, packet_id: bytes = b"", submission_id: str = "", document_id: str = "") -> TrackView:
        """Show where a packet is; see AsyncOffice.track."""
        return self._wait(
            lambda: self._office.track(packet_id=packet_id, submission_id=submission_id, document_id=document_id)
        )

    def dossier(
        self, *, unit: str = "", author_unit: str = "", document_id: str = "", packet_id: bytes = b""
    ) -> Dossier:
        """Show a document's life; see AsyncOffice.dossier."""
        return self._wait(
            lambda: self._office.dossier(
                unit=unit, author_unit=author_unit, document_id=document_id, packet_id=packet_id
            )
        )

    def search_units(self, query: str, limit: int = 0) -> list[FoundUnit]:
        """Find units; see AsyncOffice.search_units."""
        return self._wait(lambda: self._office.search_units(query, limit))

    def _wait(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Have something done in the client's thread and wait for it; whoever is interrupted takes it back."""
        self._refuse_own_thread()
        with self._closing:
            if self._loop.is_closed():
                raise RuntimeError("this office is closed")
            doing = asyncio.run_coroutine_threadsafe(work(), self._loop)
        try:
            return doing.result()
        except CancelledError as cancelled:
            raise RuntimeError("this office was closed meanwhile") from cancelled
        except BaseException:
            doing.cancel()
            raise

    def _refuse_own_thread(self) -> None:
        """Refuse to wait in the very thread that would do the work: that would last for ever."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("an Office must not be called from its own progress callback")
