"""Intake: what happens between a packet's octets and the answer that it is durable.

        small:  read and encrypt at once ---------------.
        large:  read, encrypt, write to a file as it flows '--> check --> [group: one signature, one commit] --> answer

Reading includes judging by the rules (decision 0009). A packet that is refused leaves nothing behind. A body too large for the store
is a file, and no file may stay that no packet names: after any outcome the store is asked who names it (flow/bodies/files.py).
"""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

from node.errors import Deferred, Denied, Fault, Rejected
from node.flow.admission import Admission
from node.flow.agreed_time import AgreedTime
from node.flow.bodies.files import BodyFiles, require_size
from node.flow.counters import Counters
from node.flow.document import acts, dossier
from node.flow.document.aliases import aliases_in
from node.flow.duties.duty import NODE_SYSTEM
from node.flow.receive.slices import Slices
from node.flow.send.reroute import note_routed, routes_digest
from node.flow.signals import Signals
from node.flow.submit import store
from node.flow.submit.batching import Batcher
from node.flow.submit.check import address, check_submission, require_in_time, require_served
from node.flow.submit.large import LargeSubmit
from node.flow.submit.sealing import Sealed, seal_packet, seal_packet_quickly
from node.flow.submit.store import Draft, Signed, TooEarly
from node.model.code import parse_code
from node.model.directory import Directory
from node.model.finding import require_no_errors
from node.model.header import PacketHeader
from node.model.office import Submission, SubmitResult, System
from node.model.policy import Policy
from node.model.reason import Reason
from node.ports import Ports, Tx
from node.seal.public import sealing_key_of
from node.seal.wrap import Wrapper

GROUP_PAUSE_S = 0.008
"""How long submissions that had company wait for more, and once more while more keep coming (decision 0005)."""
SMALL_PACKET_BYTES_MAX = 1024 * 1024
"""Packets up to this are read and encrypted whole; larger ones flow."""
ZIP_WEIGHT_BYTES = 1024 * 1024
"""Weight of a small packet with a zip in it for the workers: opening the zip may take longer than the packet's own size says."""
ADDRESSED_AS_BYTES, SIGNED_AS_BYTES = 400, 200
"""Weight of a recipient for the workers: when it is looked up in the directory, and when envelope and receipt are written."""


class Intake:
    """Takes packets from offices."""

    def __init__(
        self,
        ports: Ports,
        policy: Policy,
        signals: Signals,
        counters: Counters,
        wrapper: Wrapper,
        slices: Slices,
        body_files: BodyFiles,
        admission: Admission,
        agreed_time: AgreedTime,
    ) -> None:
        self._ports = ports
        self._policy = policy
        self._node_id = ports.keys.node_id
        self._signals = signals
        self._counters = counters
        self._wrapper = wrapper
        self._slices = slices
        self._body_files = body_files
        self._routes: tuple[Directory, bytes] | None = None
        self._admission = admission
        self._agreed_time = agreed_time
        self._large = LargeSubmit(ports, policy, body_files)
        self._submits: Batcher[Draft, SubmitResult] = Batcher(
            self._store_drafts,
            size_max=policy.submit_group_max,
            pause=lambda: ports.clock.sleep(GROUP_PAUSE_S),
        )

    async def submit(
        self, system: System, submission: Submission, packet: bytes | AsyncIterator[bytes]
    ) -> SubmitResult:
        """Take a packet for delivery; see Node.submit."""
        try:
            return await self._take(system, submission, packet)
        except Fault as fault:
            self._counters.refused[fault.reason] += 1
            raise

    async def _take(self, system: System, submission: Submission, packet: bytes | AsyncIterator[bytes]) -> SubmitResult:
        check_submission(submission, self._policy)
        if isinstance(packet, bytes):
            sealed = await self._seal_small(packet)
        else:
            head, rest = await self._large.head(packet, SMALL_PACKET_BYTES_MAX)
            if rest is not None:
                with self._counters.uploading("office"):
                    return await self._submit_large(system, submission, head, rest)
            sealed = await self._seal_small(head)
        try:
            require_in_time(submission, self._agreed_time.best_ms())
            require_no_errors(sealed.findings)
            size_bytes = sealed.body_ref.body_bytes
            self._admission.require_small(store.lane_of(sealed.header, size_bytes, self._policy), size_bytes)
            return await self._hand_over(system, submission, sealed)
        except (Rejected, Denied, Deferred):
            first = await self._first_answer(system, submission, sealed)
            if first is None:
                raise
            self._counters.repeated += 1
            return first

    async def _first_answer(self, system: System, submission: Submission, sealed: Sealed) -> SubmitResult | None:
        """Return the answer to a packet that was taken when rules or directory were others: a repeat is a repeat (law 3)."""
        sid, digest = submission.submission_id, sealed.packet_sha256
        return await self._ports.store.transact(lambda tx: store.repeat_of(tx, system, sid, digest))

    async def _hand_over(self, system: System, submission: Submission, sealed: Sealed) -> SubmitResult:
        if sealed.body is not None and len(sealed.body) <= self._policy.inline_body_bytes_max:
            return await self._stored(await self._draft(system, submission, sealed))
        # The caller may go away meanwhile; it must be settled all the same whether a packet names the file.
        return await self._body_files.to_the_end(self._hand_over_file(system, submission, sealed))

    async def _hand_over_file(self, system: System, submission: Submission, sealed: Sealed) -> SubmitResult:
        """Store a packet whose body is a file, and remove the file if no packet names it in the end.

        Asks the store who names it, whatever the answer was: a refusal stores nothing, but what was put off may yet become durable.
        """
        body_sha256 = sealed.body_ref.body_sha256
        try:
            draft = await self._draft(system, submission, sealed)
            if draft.body is not None:
                await self._ports.bodies.put(body_sha256, draft.body)
            return await self._stored(replace(draft, body=None))
        finally:
            await self._body_files.drop([body_sha256])

    async def _stored(self, draft: Draft) -> SubmitResult:
        """Store a draft with others, and let it arrive at recipients on this very node if these are very many."""
        result = await self._submits.ask(draft)
        local = sum(node == self._node_id for node in draft.addressed.routes.values())
        if local > self._policy.arrive_at_once:
            # The packet is taken, whatever becomes of this: a repeat, or the sweeper, goes on with it.
            with suppress(Fault):
                await self._slices.finish(result.packet_id, draft.header)
        return result

    async def _seal_small(self, packet: bytes) -> Sealed:
        require_size(len(packet), self._policy)
        content_key, now_ms = self._ports.entropy.token(32), self._agreed_time.best_ms()
        run = self._ports.workers.run
        sealed = await run(len(packet), lambda: seal_packet_quickly(packet, content_key, now_ms))
        if sealed is None:
            sealed = await run(ZIP_WEIGHT_BYTES, lambda: seal_packet(packet, content_key, now_ms))
        return sealed

    async def _draft(self, system: System, submission: Submission, sealed: Sealed) -> Draft:
        directory, now_ms = self._ports.directory.current(), self._agreed_time.best_ms()
        run, weight = self._ports.workers.run, _recipients(sealed.header) * ADDRESSED_AS_BYTES
        aliases = await run(weight, lambda: aliases_in(sealed.header, directory, now_ms))
        everybody: list[str] = []
        if acts.asks_its_own_author(sealed.header, aliases):
            code = parse_code(sealed.header.sender).text
            everybody = await self._everybody_asked(sealed.header, system, aliases.get(code, code))
        weight += len(everybody) * ADDRESSED_AS_BYTES
        addressed = await run(
            weight,
            lambda: address(sealed.header, system, directory, now_ms, aliases=aliases, instead=everybody),
        )
        require_served(addressed, submission, self._policy)
        return Draft(
            system,
            submission,
            sealed.header,
            addressed,
            sealed.packet_sha256,
            sealed.content_key,
            sealed.body,
            sealed.body_ref,
            sealed.findings,
            submission.answers_packet_id,
            routed_by=self._routes_digest(directory),
        )

    def _routes_digest(self, directory: Directory) -> bytes:
        """Return the digest of a directory's map of prefixes, made once for each."""
        if self._routes is None or self._routes[0] is not directory:
            self._routes = (directory, routes_digest(directory))
        return self._routes[1]

    async def _everybody_asked(self, header: PacketHeader, system: System, author: str) -> list[str]:
        """Return who got the document that a status 13 of its author takes back. Raises Rejected(NOT_FOUND) if nobody did."""
        document_id = header.subject_document_id
        if author not in system.units:
            return []  # `address` refuses it, as every packet in another's name
        found = await self._ports.store.transact(lambda tx: dossier.recipients(tx, author, document_id))
        if not found:
            raise Rejected(
                Reason.NOT_FOUND, f"{author} has sent no document {document_id[:200]!r}: nobody can give it back"
            )
        return found

    async def _submit_large(
        self, system: System, submission: Submission, head: bytes, rest: AsyncIterator[bytes]
    ) -> SubmitResult:
        sid = submission.submission_id
        known = await self._ports.store.transact(lambda tx: store.repeat_of(tx, system, sid, None))
        if known is not None:
            # A repeat needs no file: its octets are only compared, by their digest, with those of the first time.
            digest = await self._large.digest(head, rest)
            again = await self._ports.store.transact(lambda tx: store.repeat_of(tx, system, sid, digest))
            assert again is not None
            self._counters.repeated += 1
            return again
        require_in_time(submission, self._agreed_time.best_ms())
        self._admission.require_large(len(head))  # how long the stream will be is not said
        return await self._hand_over(system, submission, await self._large.seal(head, rest))

    async def _store_drafts(self, drafts: list[Draft]) -> list[SubmitResult | Exception]:
        """Serve the submissions that arrived together: one signature, one commit."""
        drafts = await self._with_requests(drafts)
        answers = await self._sign_and_store(drafts)
        while early := [place for place, answer in enumerate(answers) if isinstance(answer, TooEarly)]:
            # Rare: the clock was set back, or two acts about one document came in the same millisecond.
            again = [_after(drafts[place], answers[place]) for place in early]
            for place, answer in zip(early, await self._sign_and_store(again), strict=True):
                answers[place] = answer
        self._signals.outbox.send(
            {node for draft in drafts for node in draft.addressed.routes.values()} - {self._node_id}
        )
        local = [one for one in drafts if self._node_id in one.addressed.routes.values()]
        if local:
            self._signals.notice.send(None)
        if any(acts.may_oblige(one.header) for one in local):
            self._signals.duty.send(None)
        return [answer for answer in answers if not isinstance(answer, TooEarly)]

    async def _sign_and_store(self, drafts: list[Draft]) -> list[SubmitResult | TooEarly | Exception]:
        ports, policy, now_ms = self._ports, self._policy, self._agreed_time.best_ms()
        own = ports.directory.current().nodes.get(self._node_id)
        own_key = sealing_key_of(own, now_ms) if own is not None else None
        if own_key is None:
            raise Deferred(
                Reason.DIRECTORY_EMPTY, f"the directory has no valid sealing key of this node, {self._node_id}"
            )
        weight = sum(len(draft.addressed.routes) for draft in drafts) * SIGNED_AS_BYTES
        signed = await ports.workers.run(
            weight, lambda: store.sign_drafts(drafts, ports.keys, self._wrapper, now_ms, policy, own_key)
        )
        # Read again: couriers rely on rows that are written in the order of their times, which are those of our own clock.
        stored_ms = ports.clock.now_ms()

        def write(tx: Tx) -> tuple[list[SubmitResult | TooEarly | Exception], list[Signed], bool]:
            stored: list[Signed] = []
            answers = store.store_group(tx, signed, stored_ms, policy, stored)
            maps = {one.draft.routed_by for one in stored}
            return answers, stored, bool(stored) and note_routed(tx, maps, stored[0].envelope.packet_id)

        answers, stored, is_late = await ports.store.transact(write)
        if is_late:
            self._signals.routed_late.send(None)
        self._count(answers, stored)
        return answers

    def _count(self, answers: list[SubmitResult | TooEarly | Exception], stored: list[Signed]) -> None:
        counters = self._counters
        for one in stored:
            counters.submitted[one.envelope.kind, one.draft.system.name == NODE_SYSTEM] += 1
            if one.own_receipt is not None:
                # Recipients on this very node: the delivery ends with our own receipt, in the same commit.
                for outcome in one.own_receipt.receipt.outcomes:
                    counters.units_served[outcome.reason] += 1
                    counters.ended[outcome.reason] += 1
        if len(stored) < len(answers):
            counters.repeated += sum(isinstance(answer, SubmitResult) for answer in answers) - len(stored)

    async def _with_requests(self, drafts: list[Draft]) -> list[Draft]:
        """Let each 15 and 16 name the packet that it answers. The envelope says so, hence it is looked up before the signing."""
        places = [place for place, draft in enumerate(drafts) if draft.needs_request]
        if not places:
            return drafts
        asking = [drafts[place] for place in places]
        found = await self._ports.store.transact(lambda tx: store.requests_answered(tx, asking))
        drafts = list(drafts)
        for place, packet_id in zip(places, found, strict=True):
            drafts[place] = replace(drafts[place], answers_packet_id=packet_id)
        return drafts


def _recipients(header: PacketHeader) -> int:
    """Return how many recipients a packet names."""
    return len(header.recipients) + len(acts.named_besides_to(header))


def _after(draft: Draft, answer: SubmitResult | TooEarly | Exception) -> Draft:
    assert isinstance(answer, TooEarly)
    return replace(draft, create_after_ms=answer.newest_ms)
