"""The addresses outside at which systems are told of events: each may be down, refuse, be slow, or take a message and lose its answer.

They survive every crash, and write down all that they have ever taken.
"""

import asyncio
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from node.errors import Deferred
from node.model.office import System
from node.model.reason import Reason
from node.model.webhook import Hook, HookMessage
from tests.sim.loop import Process
from tests.sim.machine import Trace, mark

SET_MS = 1


@dataclass
class Receiver:
    """One system's own address. Probabilities from 0 to 1."""

    system: System
    numbers: random.Random
    down: bool = False
    refuses: float = 0.0
    loses_answer: float = 0.0
    taken: dict[str, bytes] = field(default_factory=dict)
    """Messages that it has taken, by id."""
    notices: dict[str, dict[str, Any]] = field(default_factory=dict)
    """All notices in them, by their own ids."""
    repeats: int = 0
    broken: list[str] = field(default_factory=list)
    """Where a repeat was not what had been sent before."""

    @property
    def hooks(self) -> Mapping[str, Hook]:
        """Return what the operator has set."""
        return {self.system.name: Hook(self.system.name, self.system.units, SET_MS)}

    def take(self, message: HookMessage) -> None:
        """Take a message; a repeat is dropped by its id."""
        if message.message_id in self.taken:
            self.repeats += 1
            if self.taken[message.message_id] != message.body:
                self.broken.append(f"message {message.message_id} came again with other octets")
            return
        self.taken[message.message_id] = message.body
        for notice in json.loads(message.body)["notices"]:
            if notice["id"] in self.notices:
                self.broken.append(f"notice {notice['id']} came in two messages")
            self.notices[notice["id"]] = notice

    def heal(self) -> None:
        """Be there, and answer."""
        self.down, self.refuses, self.loses_answer = False, 0.0, 0.0


class SimHooks:
    """The port Hooks of one process."""

    def __init__(self, receiver: Receiver | None, process: Process, trace: Trace) -> None:
        self._receiver = receiver
        self._process = process
        self._trace = trace
        self._hooks = receiver.hooks if receiver is not None else {}

    def all(self) -> Mapping[str, Hook]:
        """Return what is set."""
        return self._hooks

    async def post(self, system: str, message: HookMessage) -> None:
        """Post a message, or try to."""
        receiver = self._receiver
        assert receiver is not None
        assert receiver.system.name == system
        self._process.check_alive()
        await asyncio.sleep(receiver.numbers.expovariate(1 / 0.3))
        if receiver.down:
            raise Deferred(Reason.HOOK_UNREACHABLE, "nobody is there")
        if receiver.numbers.random() < receiver.refuses:
            raise Deferred(Reason.HOOK_REFUSED, "HTTP 500", retry_after_ms=receiver.numbers.choice((0, 0, 90_000)))
        # It has left before the crash, if it has left at all.
        self._process.check_alive()
        receiver.take(message)
        self._trace(system, f"was told {mark(message.body)}")
        if receiver.numbers.random() < receiver.loses_answer:
            await asyncio.sleep(15)
            raise Deferred(Reason.HOOK_UNREACHABLE, "no answer")
        await asyncio.sleep(receiver.numbers.expovariate(1 / 0.3))
        self._process.check_alive()
