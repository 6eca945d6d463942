"""Cautious: what a peer brings and this process has died of before is handled alone, and in the end not at all (flow/risk.py)."""

from collections.abc import Awaitable, Callable, Sequence

from node.flow.risk import Risk, name_of_brought
from node.model.mesh import Answer, PushItem, PushPacket
from node.model.reason import Reason

Push = Callable[[str, Sequence[PushItem]], Awaitable[list[Answer]]]


async def cautious_push(risk: Risk, push: Push, peer_id: str, items: Sequence[PushItem]) -> list[Answer]:
    """Take a push as `push` does. While nothing gives reason to be careful this costs nothing."""
    if not risk.is_careful and not risk.banned:
        return await push(peer_id, items)
    names = [_name_of(item) for item in items]
    together = [at for at, name in enumerate(names) if name not in risk.banned and not risk.is_suspect(name)]
    answers: dict[int, Answer] = {}
    if together:
        async with risk.step([names[at] for at in together]):
            told = await push(peer_id, [items[at] for at in together])
        answers.update(zip(together, told, strict=True))
    for at, name in enumerate(names):
        if at not in answers:
            answers[at] = await _alone(risk, push, peer_id, items[at], name)
    return [answers[at] for at in range(len(items))]


async def _alone(risk: Risk, push: Push, peer_id: str, item: PushItem, name: bytes) -> Answer:
    if risk.is_over(name):
        await risk.ban(name, f"something that {peer_id} brings")
    if name in risk.banned:
        return Answer(None, Reason.FAILED_INSIDE, detail="laid aside: this process has died of it")
    async with risk.step([name]):
        [answer] = await push(peer_id, [item])
    return answer


def _name_of(item: PushItem) -> bytes:
    octets = item.parcel.signed_envelope.envelope if isinstance(item, PushPacket) else item.signed_receipt.receipt
    return name_of_brought(octets)
