"""Switches: what may go wrong in a world beside the old troubles, and which laws are asked. One table of each: here a fault or a law that
the code stands at last is switched on for everybody, by one word.

A seed draws from the faults that are on (`holds`, and those named by `--with`): each by its share, and one seed in eight gets all of
them, but of those that cost as much as all the rest of a day (`is_dear`) only those that it draws. `--only` names the faults that every
seed gets, and no others: this is how a fault is seen alone. A law that does not hold yet is asked only if it is named.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tests.sim.machine import stream

ALL_OF_THEM = 1 / 8


@dataclass(frozen=True)
class Switch:
    """A fault or a law by its name; `holds`: the code stands it, so it is on unless somebody says otherwise."""

    name: str
    holds: bool
    what: str
    share: float = 0.2
    is_dear: bool = False


HOLDS, NOT_YET = True, False
FAULTS = (
    Switch(
        "editions", HOLDS, "editions reach nodes at different times: units are added and closed, aliases begin and end"
    ),
    Switch("moves", HOLDS, "units and whole prefixes go over to another node"),
    Switch("hello", HOLDS, "nodes that hear of an edition by Hello only (needs a fault that publishes editions)"),
    Switch("keys", HOLDS, "signing and sealing keys change, published before use, the old ones end"),
    Switch("tls", HOLDS, "TLS certificates change, published before use"),
    Switch("revoked", HOLDS, "a node is struck off the directory and comes back with other keys"),
    Switch("retention", HOLDS, "everything is kept for minutes, and swept within the day"),
    Switch("clocks", HOLDS, "a clock is minutes to years off for a time, and jumps back"),
    Switch("wrong-clock", NOT_YET, "a clock is off for good"),
    Switch("pauses", HOLDS, "a process stands still while time goes on"),
    Switch("eio", HOLDS, "reads of bodies and rows fail for a time"),
    Switch("flips", HOLDS, "a row or a body is damaged until the operator restores it"),
    Switch("poison", HOLDS, "one function of one node raises for one packet what is not a Fault"),
    Switch("lines", HOLDS, "lines carry so many octets a second"),
    Switch("floods", HOLDS, "much that is not urgent for one peer, and then something urgent", 0.1, is_dear=True),
    Switch("circulars", HOLDS, "documents to hundreds of units", 0.05, is_dear=True),
    Switch("probe", HOLDS, "at the end every loop is given something to do", 0.25),
)
LAWS = (
    Switch("L-expired", HOLDS, "a final EXPIRED: no inbox has it, or ever gets it"),
    Switch("L-supersede", HOLDS, "a DELIVERED after EXPIRED_UNCONFIRMED wins"),
    Switch("L-urgent", HOLDS, "an urgent item waits for a few pushes of other lanes at most"),
    Switch("L-loops", HOLDS, "every loop lives, and does what it is given to do"),
    Switch("L-agree", HOLDS, "a delivery is in the same state on both sides"),
    Switch("L-kept", HOLDS, "nothing that a unit was given is forgotten before its time"),
    Switch("L-once", HOLDS, "no packet is in two inboxes of one unit"),
)
NAMES = frozenset(one.name for one in (*FAULTS, *LAWS))
EDITIONS = frozenset({"editions", "moves", "keys", "tls", "revoked"})
"""Faults that publish editions."""


@dataclass(frozen=True)
class Switches:
    """What is on in a run: `extra` beside what holds; or `only` these faults, in every seed."""

    extra: frozenset[str] = frozenset()
    only: frozenset[str] | None = None

    def faults_of(self, seed: int) -> frozenset[str]:
        """Choose the faults of a seed."""
        if self.only is not None:
            return frozenset(one.name for one in FAULTS if one.name in self.only)
        numbers = stream(seed, "faults")
        everything = numbers.random() < ALL_OF_THEM
        chances = [(one, numbers.random()) for one in FAULTS]
        return frozenset(
            one.name
            for one, chance in chances
            if self._is_on(one) and (chance < one.share or (everything and not one.is_dear))
        )

    def laws(self) -> frozenset[str]:
        """Return the laws of this file that are asked."""
        return frozenset(one.name for one in LAWS if self._is_on(one) or one.name in (self.only or ()))

    def _is_on(self, one: Switch) -> bool:
        return one.holds or one.name in self.extra

    @property
    def words(self) -> str:
        """As the command line says it, to replay a seed."""
        extra = f" --with {','.join(sorted(self.extra))}" if self.extra else ""
        return extra + (f" --only {','.join(sorted(self.only))}" if self.only is not None else "")


DEFAULT = Switches()


def named(text: str | None) -> frozenset[str]:
    """Read names from the command line; "all" stands for all of them. Raises ValueError for one that there is not."""
    names = frozenset(filter(None, (text or "").split(",")))
    if names == {"all"}:
        return NAMES
    if unknown := names - NAMES:
        raise ValueError(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(sorted(NAMES))}")
    return names


def laws_named(names: Iterable[str]) -> frozenset[str]:
    """Return those of the names that are laws."""
    return frozenset(names) & {one.name for one in LAWS}
