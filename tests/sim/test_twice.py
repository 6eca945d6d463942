"""The rehearsal finds functions that do not do the same twice, and lets pure ones through."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from node.errors import Rejected
from node.model.reason import Reason
from node.ports import Tx
from node.store.embedded.overlay import OverlayTx
from node.store.memory.store import InstantDisk, MemoryEngine
from tests.sim.twice import NotPure, same, twice


def run(fn: Callable[[Tx], object]) -> object:
    engine = MemoryEngine(InstantDisk(), {b"a": b"1"})
    return twice(fn, engine)(OverlayTx(engine))


def test_a_pure_function_is_let_through() -> None:
    def move(tx: Tx) -> bytes | None:
        value = tx.get(b"a")
        tx.put(b"b", value or b"")
        tx.delete(b"a")
        return value

    assert run(move) == b"1"


def test_a_fault_passes_through() -> None:
    def refuse(tx: Tx) -> None:
        raise Rejected(Reason.NOT_FOUND, "nothing of that name")

    with pytest.raises(Rejected, match="nothing of that name"):
        run(refuse)


def test_changing_what_made_it_is_noticed_by_the_answer_by_the_rows_and_by_the_fault() -> None:
    seen: list[int] = []

    def counts(tx: Tx) -> int:
        seen.append(1)
        return len(seen)

    def writes(tx: Tx) -> None:
        seen.append(1)
        tx.put(b"n", bytes([len(seen)]))

    def refuses_once(tx: Tx) -> None:
        seen.append(1)
        if len(seen) % 2:
            raise Rejected(Reason.NOT_FOUND, "only now")

    for impure in (counts, writes, refuses_once):
        seen.clear()
        with pytest.raises(NotPure):
            run(impure)


def test_what_has_no_equality_of_its_own_is_compared_by_what_it_holds() -> None:
    class Plain:
        def __init__(self, value: int) -> None:
            self.value = value

    @dataclass(slots=True, eq=False)
    class Slotted:
        value: int

    assert same(Plain(1), Plain(1))
    assert not same(Plain(1), Plain(2))
    assert same([Slotted(1)], [Slotted(1)])
    assert not same({"a": Slotted(1)}, {"a": Slotted(2)})
    assert not same(object(), object())
