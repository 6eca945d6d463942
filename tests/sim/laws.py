"""The laws, checked when the world has come to rest (architecture.md 3, mesh.md 3.2), and those checked while it runs.

At rest, from the outside: every accepted packet stands in the inbox of each recipient once and only once with the octets it was
sent with, or has failed visibly with a signed reason; the sender's Track agrees and can prove it; statuses are where they belong.
From the inside: outboxes are empty, receipts agree between nodes, no disk shows a secret, every packet has the body it needs.

While it runs (`Watch`): a receipt that leaves a node must already be on its disk, and no node ever signs two different ones.
"""

from node.errors import Fault
from node.model.delivery import State
from node.model.office import DeliveryView, OutboxView
from node.model.reason import Reason
from node.model.receipt import Level, SignedReceipt
from node.rows import keys
from node.rows.records import PacketRecord
from node.seal.signature import RECEIPT_LABEL, verify
from node.wire import codec
from node.wire.truc.v1 import mesh_service_pb2 as pb
from tests.sim import agree_law, kept_law, once_law
from tests.sim.both_sides import sides_of
from tests.sim.expiry_laws import EXPIRED_LAW, SUPERSEDE_LAW, check_expired, check_superseded
from tests.sim.grown import has_grown
from tests.sim.hook_laws import check_hooks
from tests.sim.ledger import Ledger, Sent
from tests.sim.life_laws import check_lives, excuses, lives_of
from tests.sim.world import CLOSED_AT_HOME, World

CALLS_PER_MINUTE_MAX = 120
"""So few packets are written in a world that more calls over one road in a minute are a loop without a pause."""


class Watch:
    """Looks at every answer that leaves a node (invariants I5 and I9)."""

    def __init__(self, world: World, ledger: Ledger, *, looks_at_disks: bool = True) -> None:
        self.receipts = 0
        self._world = world
        self._ledger = ledger
        self._looks_at_disks = looks_at_disks
        self._signed: dict[tuple[bytes, int, str, int, int], SignedReceipt] = {}
        world.network.on_reply = self._reply

    def _reply(self, node_id: str, verb: str, reply: bytes) -> None:
        if verb == "push":
            answers = list(pb.PushResponse.FromString(reply).answers)
        elif verb == "commit":
            answers = [pb.CommitResponse.FromString(reply).answer]
        elif verb == "offer":
            answers = [pb.OfferResponse.FromString(reply).answer]
        else:
            return
        for answer in answers:
            if answer.HasField("receipt"):
                self._spoken(node_id, codec.signed_receipt_from_proto(answer.receipt))

    def _spoken(self, node_id: str, signed: SignedReceipt) -> None:
        self.receipts += 1
        receipt = codec.decode_receipt(signed.receipt)
        disk = self._world.machines[node_id].disk
        stored = codec.signed_receipt_to_bytes(signed)
        key = keys.receipt(receipt.packet_id, receipt.level, receipt.signer_node)
        durable = disk.durable(key)
        # It may have grown since it was read for this answer.
        is_there = durable is not None and (
            durable == stored
            or (receipt.level is Level.DELIVERED and has_grown(signed, codec.signed_receipt_from_bytes(durable)))
        )
        if self._looks_at_disks and not is_there:
            self._ledger.breaks("law 1", f"{node_id} spoke of {receipt.packet_id.hex()} before it was durable")
        # A relay that has burned down, or has forgotten what it had carried, takes custody a second time if it is asked again, by another
        # receipt: then it has the packet since another time.
        since_ms = 0
        if receipt.level is Level.CUSTODY:
            packet = disk.durable(keys.packet(receipt.packet_id))
            since_ms = PacketRecord.FromString(packet).accept_time_ms if packet is not None else 0
        burns = disk.burns if receipt.level is Level.CUSTODY else 0
        name = (receipt.packet_id, int(receipt.level), receipt.signer_node, burns, since_ms)
        # The same receipt under a new signature is the same: its first key may be good no more (receipts.sign_again).
        before = self._signed.setdefault(name, signed)
        if receipt.level is Level.DELIVERED and has_grown(before, signed):
            self._signed[name] = signed
        elif before.receipt != signed.receipt and not (receipt.level is Level.DELIVERED and has_grown(signed, before)):
            self._ledger.breaks("I5", f"{receipt.signer_node} signed two receipts for {receipt.packet_id.hex()}")


async def check(
    world: World, ledger: Ledger, *, clocks_jump: bool = False, asked: frozenset[str] = frozenset()
) -> None:
    """Check everything that must hold at rest, and those laws of switches.py that are asked; what does not is noted in the ledger."""
    tracked = [sent for sent in ledger.sent.values() if await _check_known(world, ledger, sent)]
    if len(tracked) < len(ledger.sent):
        return
    lives = {(life.author, life.document_id, life.unit): life for life in lives_of(ledger)}
    for sent in tracked:
        for delivery in ledger.views[sent.result.packet_id].deliveries:
            life = None if sent.is_report else lives[sent.paper.sender, sent.paper.document_id, delivery.unit]
            _check_delivery(world, ledger, sent, delivery, excused=life is not None and excuses(world, life, sent))
    if "retention" not in world.faults:
        await check_lives(world, ledger, clocks_jump=clocks_jump)
    _check_both_sides(world, ledger, asked)
    check_hooks(world, ledger, clocks_jump=clocks_jump)
    calls, origin, target, minute = world.network.busiest
    if calls > CALLS_PER_MINUTE_MAX:
        ledger.breaks("I18", f"{origin} called {target} {calls} times in minute {minute}: it does not back off")
    for name in world.machines:
        await _check_outbox(world, ledger, name)
        _check_secrets(world, ledger, name)
        _check_bodies(world, ledger, name)


def _check_both_sides(world: World, ledger: Ledger, asked: frozenset[str]) -> None:
    """Laws that ask what the author was told against what the recipient has."""
    sides = sides_of(world)
    if EXPIRED_LAW in asked:
        check_expired(sides, ledger)
    if SUPERSEDE_LAW in asked:
        check_superseded(sides, ledger)
    if kept_law.LAW in asked and "retention" not in world.faults:
        kept_law.check_kept(world, sides, ledger)
    if once_law.LAW in asked:
        once_law.check_once(sides, ledger)
    if agree_law.LAW in asked:
        lives = [(life, sent) for life in lives_of(ledger) for sent in life.acts]
        excused = {(sent.result.packet_id, life.unit) for life, sent in lives if excuses(world, life, sent)}
        agree_law.check_agreement(sides, ledger, excused, swept="retention" in world.faults)


async def _check_known(world: World, ledger: Ledger, sent: Sent) -> bool:
    """Laws 1 and 2 for one accepted packet: its node knows it, with all its recipients. Returns False if it does not."""
    paper, name = sent.paper, f"{sent.paper.system}/{sent.paper.submission_id}"
    process, node = world.machines[sent.node_id].process, world.machines[sent.node_id].node
    assert process is not None
    system = world.systems[sent.node_id]
    try:
        view = await process.call(node.track(system, packet_id=sent.result.packet_id), 30.0)
    except Fault as fault:
        ledger.breaks("law 1", f"{name} was accepted, and Track says {fault}")
        return False
    ledger.tracked(view)
    expected = sent.served()
    if {delivery.unit for delivery in view.deliveries} != expected or sent.result.recipients_served != len(expected):
        ledger.breaks("law 2", f"{name}: for {expected}, shown for {[one.unit for one in view.deliveries]}")
    for unit in paper.recipients:
        if unit not in expected and any(key == (unit, sent.result.packet_id) for key in ledger.received):
            ledger.breaks("law 2", f"{name}: {unit} was named as refused and got it")
    return True


def _check_delivery(world: World, ledger: Ledger, sent: Sent, delivery: DeliveryView, *, excused: bool) -> None:
    packet_id, unit = sent.result.packet_id, delivery.unit
    name = f"{sent.paper.system}/{sent.paper.submission_id} for {unit}"
    received = ledger.received.get((unit, packet_id))
    if delivery.state is State.WAITING:
        ledger.breaks("law 2", f"{name}: still waits at rest, {delivery.reason.name}")
        return
    if delivery.state is State.DELIVERED:
        if received is None or received.taken:
            if not excused:
                ledger.breaks("law 1", f"{name}: said to be delivered, never seen in the inbox")
        elif not received.fetched or not received.acknowledged:
            ledger.breaks("law 1", f"{name}: delivered, and could not be fetched")
    elif (
        delivery.reason is Reason.RECIPIENT_UNKNOWN
        and not sent.is_report
        and (unit == CLOSED_AT_HOME or world.book.closes(unit))
    ):
        if received is not None:
            ledger.breaks("law 2", f"{name}: refused, and in the inbox all the same")
    elif delivery.reason not in (Reason.EXPIRED, ledger.unconfirmed) or not sent.paper.expire_after_ms:
        ledger.breaks("law 1", f"{name}: failed without need, {delivery.reason.name}")
    _check_proof(world, ledger, sent, delivery)


def _check_proof(world: World, ledger: Ledger, sent: Sent, delivery: DeliveryView) -> None:
    """A final state is proved by a receipt of the recipient's node, or by the origin's own if it gave up (I4)."""
    name = f"{sent.paper.system}/{sent.paper.submission_id} for {delivery.unit}"
    if delivery.signed_receipt is None:
        ledger.breaks("law 2", f"{name}: {delivery.state.name} ({delivery.reason.name}) without a receipt")
        return
    receipt = codec.decode_receipt(delivery.signed_receipt.receipt)
    unknown = delivery.reason is Reason.RECIPIENT_UNKNOWN
    deciders = world.book.holders(delivery.unit) if unknown else world.book.homes(delivery.unit)
    signers = {Level.DELIVERED: deciders, Level.FAILED: {sent.node_id}}
    keys_ever = world.book.entry(receipt.signer_node).signing_keys
    signed = delivery.signed_receipt
    if not any(verify(RECEIPT_LABEL, signed.receipt, signed.signature, key.raw) for key in keys_ever):
        ledger.breaks("I4", f"{name}: its receipt does not verify")
    if receipt.packet_id != sent.result.packet_id or receipt.signer_node not in signers.get(receipt.level, ()):
        ledger.breaks("I4", f"{name}: its receipt is {receipt.level.name} of {receipt.signer_node}")
    outcomes = {outcome.unit: outcome.reason for outcome in receipt.outcomes}
    expected = Reason.NONE if delivery.state is State.DELIVERED else delivery.reason
    if outcomes.get(delivery.unit) is not expected:
        ledger.breaks("I4", f"{name}: its receipt says {outcomes}")
    _check_same_receipt(world, ledger, delivery, name)


def _check_same_receipt(world: World, ledger: Ledger, delivery: DeliveryView, name: str) -> None:
    """Both ends hold the same octets (L5); the signer perhaps under a newer signature (receipts.sign_again), or more of them."""
    assert delivery.signed_receipt is not None
    receipt = codec.decode_receipt(delivery.signed_receipt.receipt)
    key = keys.receipt(receipt.packet_id, receipt.level, receipt.signer_node)
    held = world.machines[receipt.signer_node].disk.durable(key)
    if held is None or not has_grown(delivery.signed_receipt, codec.signed_receipt_from_bytes(held)):
        ledger.breaks("I4", f"{name}: {receipt.signer_node} does not hold the receipt it gave")


async def _check_outbox(world: World, ledger: Ledger, name: str) -> None:
    waiting = await waits(world, name)
    if waiting:
        ledger.breaks("law 2", f"{name}: at rest its outbox holds {[(one.node_id, one.kind) for one in waiting]}")


async def waits(world: World, name: str) -> list[OutboxView]:
    """Return what waits in a node's outbox."""
    process, node = world.machines[name].process, world.machines[name].node
    assert process is not None
    answer = await process.call(node.list_outbox("", 100), 30.0)
    return list(answer[0] if isinstance(answer, tuple) else answer)


def _check_secrets(world: World, ledger: Ledger, name: str) -> None:
    """No disk shows what a document or a status says; a relay's shows nothing at all of what it carries (I15)."""
    octets = world.machines[name].disk.everything()
    if b"BIMAT" in octets or b"LOIPHE" in octets:
        ledger.breaks("I15", f"{name}: plaintext on its disk")


def _check_bodies(world: World, ledger: Ledger, name: str) -> None:
    """A packet that needs a body names it and has it; small bodies that nobody needs are gone."""
    disk = world.machines[name].disk
    rows = disk.store.rows_after_crash(disk.store.unsynced)
    needed = set()
    for key, value in rows.items():
        if key.startswith(keys.packet(b"")) and not PacketRecord.FromString(value).body_forgotten:
            digest = codec.decode_envelope(PacketRecord.FromString(value).envelope).body.body_sha256
            needed.add(digest)
            if keys.body_ref(digest, key[1:]) not in rows:
                ledger.breaks("bodies", f"{name}: {key[1:].hex()} does not name the body it needs")
            if keys.body(digest) not in rows and digest not in disk.bodies._sealed:
                ledger.breaks("bodies", f"{name}: {key[1:].hex()} has no body")
    for key in rows:
        if key[:1] in (keys.BODY, keys.body_ref(b"")) and key[1:33] not in needed:
            ledger.breaks("bodies", f"{name}: body {key[1:33].hex()} is kept for nobody")
