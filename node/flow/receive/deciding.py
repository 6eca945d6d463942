"""Deciding: what was verified is signed, written in one transaction and answered; a group together, each item by its own answer.

Receipts are signed before the transaction, which then finds out what is new. Of what was decided before the first receipt is given again.
If that is silent about a unit of this packet, which has come to us since, or about which we are asked, another receipt is needed that says
both (send/supplement.py): it is signed, and takes the first one's place if nobody was faster.
"""

from collections.abc import Sequence
from dataclasses import replace

from node.errors import Fault
from node.flow.counters import Counters
from node.flow.document.acts import may_oblige
from node.flow.receive import accept
from node.flow.receive.slices import Slices
from node.flow.receive.verify import Verdict
from node.flow.send import receipts
from node.flow.send.resigning import receipts_to_sign_anew
from node.flow.signals import Signals
from node.model.mesh import Answer
from node.model.policy import Policy
from node.model.reason import Reason
from node.model.receipt import SignedReceipt
from node.ports import Ports, Tx

Brought = Verdict | receipts.Believed | Answer
"""The outcome of an item before anything is written."""

SUPPLEMENTS_MAX = 3
"""So often a supplementary receipt is made anew because the first was supplemented by somebody else meanwhile."""


class Deciding:
    """Writes verdicts and receipts, and answers."""

    def __init__(self, ports: Ports, policy: Policy, signals: Signals, counters: Counters, slices: Slices) -> None:
        self._ports = ports
        self._policy = policy
        self._node_id = ports.keys.node_id
        self._signals = signals
        self._counters = counters
        self._slices = slices

    async def settle(self, peer_id: str, brought: Sequence[Brought]) -> list[Answer]:
        """Sign the receipts of a group together, write everything in one transaction, and answer in order."""
        verdicts = [one for one in brought if isinstance(one, Verdict)]
        signed = receipts.sign_receipts(self._ports.keys, [verdict.receipt for verdict in verdicts])
        pairs = list(zip(verdicts, signed, strict=True))
        told = [one for one in brought if isinstance(one, receipts.Believed)]
        now_ms, directory = self._ports.clock.now_ms(), self._ports.directory.current()

        def write(tx: Tx) -> tuple[list[accept.Step], list[Answer], list[Reason], set[str]]:
            ended, nodes = list[Reason](), set[str]()
            taken = [accept.take_receipt(tx, one, peer_id, directory, now_ms, ended, nodes) for one in told]
            return accept.store_all(tx, pairs, self._node_id, now_ms, self._policy), taken, ended, nodes

        decided, taken, ended, nodes = await self._ports.store.transact(write)
        steps = zip(verdicts, decided, strict=True)
        stored = await self.verifiable([await self._answered(verdict, step) for verdict, step in steps])
        self._counters.have_ended(ended)
        for (verdict, mine), answer in zip(pairs, stored, strict=True):
            if not verdict.parcel.asked_units:
                self._counters.decided(verdict.envelope.kind, verdict.receipt, mine, answer)
        # A delivery may go on to a unit that has come to this very node.
        targets = nodes | {verdict.parcel.target_node for verdict in verdicts} - {self._node_id}
        if targets:
            self._signals.outbox.send(targets)
        if any(one.accepted_units and one.header is not None and may_oblige(one.header) for one in verdicts):
            self._signals.duty.send(None)
        self._signals.notice.send(None)
        by_verdict, by_receipt = iter(stored), iter(taken)
        return [
            one if isinstance(one, Answer) else next(by_verdict) if isinstance(one, Verdict) else next(by_receipt)
            for one in brought
        ]

    async def _answered(self, verdict: Verdict, step: accept.Step) -> Answer:
        """Go on from what a transaction has found, to the answer."""
        for _ in range(SUPPLEMENTS_MAX):
            if not isinstance(step, accept.Open):
                break
            step = await self._supplement(verdict, step.first)
        if isinstance(step, accept.Begun):
            return await self._finished(step)
        return step if isinstance(step, Answer) else Answer(None, Reason.PEER_BUSY)

    async def _supplement(self, verdict: Verdict, first: SignedReceipt) -> accept.Step:
        """Sign a receipt that says of further units what the verdict does, and let it take the first one's place."""
        further, receipt = accept.further(verdict, first)
        if not further.receipt.outcomes:
            return Answer(first)
        now_ms = self._ports.clock.now_ms()
        believed = receipts.Believed(receipt, receipts.sign_receipts(self._ports.keys, [receipt])[0])
        return await self._ports.store.transact(
            lambda tx: accept.store_further(tx, further, first, believed, now_ms, self._policy)
        )

    async def _finished(self, begun: accept.Begun) -> Answer:
        """Let a packet arrive at all its units; only then its receipt is true."""
        try:
            signed = await self._slices.finish(begun.packet_id, begun.header)
            assert signed is not None, "a packet arrives in slices by its receipt"
            return Answer(signed)
        except Fault as fault:
            return accept.refusal(fault)

    async def verifiable(self, answers: list[Answer]) -> list[Answer]:
        """Return answers, with kept receipts of our own signed anew that nobody could verify."""
        ports = self._ports
        directory, now_ms = ports.directory.current(), ports.clock.now_ms()
        fresh = receipts_to_sign_anew(answers, ports.keys, directory, now_ms)
        if not fresh:
            return answers

        def write(tx: Tx) -> None:
            for one in fresh.values():
                receipts.sign_again(tx, one)

        await ports.store.transact(write)
        return [
            replace(one, receipt=fresh[one.receipt.receipt].signed)
            if one.receipt is not None and one.receipt.receipt in fresh
            else one
            for one in answers
        ]
