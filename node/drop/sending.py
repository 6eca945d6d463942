"""Sending, from gui/ to the node: finished files are claimed, made a packet if need be, handed in, and laid where their outcome belongs."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node.client import AsyncOffice
from node.directory.files import disk_faults, write_file
from node.drop import consignment, paperwork, texts
from node.drop.consignment import OURS, RECEIPT, RECEIPT_TEXT, REFUSAL, REFUSAL_TEXT, Consignment
from node.drop.paperwork import Event, Tell, composed
from node.drop.places import STOP_ALL, Places, is_plain
from node.drop.quiet import Quiet, is_whole_packet
from node.errors import Denied, Fault, Rejected
from node.model.finding import RulesBroken
from node.model.office import SubmitResult
from node.model.reason import Reason

PACKET_ENDING, FORM_ENDING = ".edxml", ".toml"
UNFINISHED_ENDINGS = (".part", ".tmp", ".crdownload", ".partial", ".filepart", ".swp")
"""Names under which programs write a file that they will rename when it is whole."""
UNFINISHED_BEGINNINGS = (".", "~")
GONE = "đã biến mất trước khi kịp gửi."


@dataclass
class Sender:
    """Sends what people put into gui/."""

    places: Places
    office: AsyncOffice
    tell: Tell
    on_accepted: Callable[[Path], None]
    """Told the folder of each consignment that the node has accepted, in da-gui/."""
    quiet: Quiet = field(default_factory=Quiet)
    _left: dict[str, str] = field(default_factory=dict)
    """Words about files that stay where they are, each said once."""
    _finished: set[Path] = field(default_factory=set)
    """Files that the last look at gui/ found finished."""

    async def round(self, now_ms: int) -> None:
        """Go on with consignments under way, and take up finished files.

        A file that cannot be taken is told and does not stop the others. Raises what stops all: Deferred, Denied, Broken.
        """
        with disk_faults(self.places.sending):
            waiting = consignment.under_way(self.places)
        for one in waiting:
            await self._send(one)
        for main in self._ready(now_ms):
            try:
                claimed = self._claim(main)
            except FileNotFoundError:
                self._leave(main, GONE)
                continue
            except OSError as error:
                self._leave(main, f"không lấy lên được: {error.strerror}.")
                continue
            if claimed is not None:
                await self._send(claimed)
        self._tell_lonely()

    def has_unfinished(self) -> bool:
        """Tell whether something is in gui/ that the next look may find finished. Raises Broken(IO_FAILED)."""
        with disk_faults(self.places.to_send):
            paths = list(self.places.to_send.iterdir())
        return any(path.name not in self._left and not is_hidden(path.name) for path in paths)

    def _ready(self, now_ms: int) -> list[Path]:
        """Look at gui/; return packets and forms that are finished, forms first: a file that a form attaches is not sent for itself."""
        with disk_faults(self.places.to_send):
            paths = sorted(self.places.to_send.iterdir())
            self._finished = self.quiet.look(paths, now_ms)
            names = {path.name for path in (*paths, *self.places.sending.iterdir())}
        self._left = {name: said for name, said in self._left.items() if name in names}
        ready = [path for path in paths if not is_hidden(path.name) and self._is_ready(path, path in self._finished)]
        return sorted(ready, key=lambda path: (not path.name.lower().endswith(FORM_ENDING), path.name))

    def _is_ready(self, path: Path, is_quiet: bool) -> bool:
        name = path.name.lower()
        try:
            if not is_plain(path):
                return self._leave(path, "chỉ nhận tệp thường, không nhận thư mục hay liên kết.")
            if shown(path.name) != path.name:
                return self._leave(path, "tên tệp không phải UTF-8; hãy đổi tên.")
            if path.name in OURS:
                return self._leave(path, "tên này dành cho biên nhận; hãy đổi tên khác.")
            if name.endswith(PACKET_ENDING):
                return is_quiet or is_whole_packet(path)
        except FileNotFoundError:
            return self._leave(path, GONE)
        except OSError as error:
            return self._leave(path, f"không đọc được ({error.strerror}); hãy kiểm tra quyền đọc.")
        if name.endswith(FORM_ENDING):
            return is_quiet
        return False

    def _claim(self, main: Path) -> Consignment | None:
        """Take up a packet, or a form and its files once they are all there and finished; None: not now, and why was told.

        A form that cannot be read is refused at once. Raises OSError.
        """
        try:
            attached = self._attached(main) if main.name.lower().endswith(FORM_ENDING) else []
        except Rejected as rejected:
            self._refuse(consignment.claim(self.places, main, []), rejected)
            return None
        try:
            return None if attached is None else consignment.claim(self.places, main, attached)
        except Rejected as rejected:  # exchanged for a link while we looked
            self._leave(main, f"{rejected.advice} ({rejected.detail})")
            return None

    def _attached(self, form: Path) -> list[Path] | None:
        """Return the files of a form: those it names, or else those that have its name with another ending. Raises Rejected."""
        names = paperwork.attachments_of(form)
        for name in names:
            if Path(name).name != name or is_hidden(name) or name in OURS:
                raise Rejected(Reason.REQUEST_INVALID, f"{name!r} is no name of a file beside the form")
        finished = {composed(path.name): path for path in self._finished if not is_hidden(path.name) and is_plain(path)}
        if not names:
            beside = (path for path in sorted(finished.values()) if path.stem == form.stem and path != form)
            return [path for path in beside if not path.name.lower().endswith((PACKET_ENDING, FORM_ENDING))]
        for name in names:
            if composed(name) not in finished:
                self._leave(form, f"chờ tệp {name} có đủ ở cạnh.")
                return None
        return [finished[composed(name)] for name in names]

    def _tell_lonely(self) -> None:
        """Tell of finished files that no form has taken along, unless there is a form that still waits."""
        with disk_faults(self.places.to_send):
            left = {path for path in self.places.to_send.iterdir() if not is_hidden(path.name)}
        if any(path.name.lower().endswith(FORM_ENDING) for path in left):
            return
        for path in sorted(left & self._finished):
            if path.name not in self._left and not path.name.lower().endswith(PACKET_ENDING):
                self._leave(
                    path, f"chờ tệp mẫu {path.stem}{FORM_ENDING} nói gửi cho ai; xem 'truc packet new --example'."
                )

    async def _send(self, one: Consignment) -> None:
        """Bring a consignment to its end. Raises what stops all."""
        with disk_faults(one.folder):
            ended = one.end(self.places)
        if ended is not None:  # we were stopped between the outcome and the move
            if ended.parent == self.places.sent:
                self.on_accepted(ended)
            return
        try:
            result = await self._submit(one)
        except Fault as fault:
            if fault.reason in STOP_ALL:
                raise
            if isinstance(fault, Rejected | Denied):
                self._refuse(one, fault)
            else:
                self._leave(one.folder, f"{fault.advice} ({fault.detail})", fault.exit_code)
            return
        document, text = texts.receipt(one.main, result)
        write_outcome(one.folder, RECEIPT, document, RECEIPT_TEXT, text)
        folder = self._end(one)
        self.on_accepted(folder)
        self.tell(
            Event("sent", one.main, f"nút đã nhận, {result.recipients_served} nơi nhận; xem da-gui/{folder.name}")
        )

    async def _submit(self, one: Consignment) -> SubmitResult:
        """Make the packet if need be, and hand it in. Raises as AsyncOffice.submit."""
        submission_id = await asyncio.to_thread(one.submission_id)
        if not one.is_form:
            return await self.office.submit(one.packet, submission_id=submission_id)
        files = [one.folder / name for name in one.attached]
        with disk_faults(one.folder):
            await asyncio.to_thread(one.compose, lambda aim: paperwork.compose(one.folder / one.main, files, aim))
        return await self.office.submit_once(one.packet, submission_id)

    def _refuse(self, one: Consignment, fault: Fault) -> None:
        findings = fault.findings if isinstance(fault, RulesBroken) else ()
        document, text = texts.refusal(one.main, fault, findings)
        write_outcome(one.folder, REFUSAL, document, REFUSAL_TEXT, text)
        where = f"loi/{self._end(one).name}/{REFUSAL_TEXT}"
        self.tell(Event("refused", one.main, f"{fault.advice} Xem {where}", fault.exit_code))

    def _end(self, one: Consignment) -> Path:
        with disk_faults(one.folder):
            folder = one.end(self.places)
        assert folder is not None, "its outcome was just written"
        return folder

    def _leave(self, path: Path, said: str, exit_code: int = 0) -> bool:
        """Say once why a file or consignment stays where it is."""
        if self._left.get(path.name) != said:
            self._left[path.name] = said
            self.tell(Event("left", shown(path.name), said, exit_code))
        return False


def shown(name: str) -> str:
    """Return a name with a question mark for every octet that is no UTF-8."""
    return name.encode(errors="replace").decode()


def is_hidden(name: str) -> bool:
    """Tell whether a name says that it is nobody's business, or not finished."""
    return name.startswith(UNFINISHED_BEGINNINGS) or name.lower().endswith(UNFINISHED_ENDINGS)


def write_outcome(folder: Path, name: str, document: dict[str, Any], text_name: str, text: str) -> None:
    """Write what became of a consignment: the text first, for the document is the outcome. Raises Deferred(DISK_FULL), Broken."""
    write_file(folder / text_name, text.encode())
    write_file(folder / name, json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n")
