"""Codes that identify units (mã định danh): two written forms of places in the State, one address; and opaque ones outside of it.

The form of QĐ 20/2020/QĐ-TTg is written from the top down: `H49.22.05`. The older form of QCVN 102:2016 has four groups of
3.2.2.3 characters from the bottom up: `000.05.22.H49`, or without its first group, as before 2016: `05.22.H49`; a group of zeros
stands for "none". Dropping those and turning the rest round gives the canonical form, which is what the mesh routes by.

Organisations outside the State have a code that is not split (domain.md 14.3): `Z01` and up to 32 letters and digits, or the
registration number of an enterprise, of 10 or 12 digits, or of 13 for a branch, which is often written `0101234567-001`. It is one
label, so it lies under nothing, and it is nobody's prefix (decision 0025).

The ends of a text tell its form: a level-1 label is a letter and two digits, and the older form has digits before it. This file does
not know units that got another number when their code was written anew: the directory has aliases for them (model/directory.py,
decision 0010).
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from node.errors import Rejected
from node.model.reason import Reason

CODE_CHARACTERS_MAX = 35
"""QĐ 20/2020/QĐ-TTg: at most 35 characters, of dots, digits and A-Z."""

_NEW = re.compile(r"[A-Z][0-9]{2}(\.[0-9A-Z]+)*")
"""By law A to Y. `Z01` alone and `Z01.05` are read, since stored records may name them, but are granted to nobody (`is_grantable`)."""
_OLD = re.compile(r"([0-9]{3}\.)?[0-9]{2}\.[0-9]{2}\.[A-Z][0-9]{2}")
_LEAF = re.compile(r"Z[0-9]{2}[0-9A-Z]{1,32}|[0-9]{10}|[0-9]{12,13}")
_BRANCH = re.compile(r"([0-9]{10})-([0-9]{3})")
_OLD_WIDTHS = (2, 2, 3)
"""Digits of levels 2, 3 and 4 in the older form."""


@dataclass(frozen=True, slots=True, order=True)
class Code:
    """A unit's address in canonical form; compares and sorts by its labels from the top down."""

    labels: tuple[str, ...]

    def __str__(self) -> str:
        return self.text

    @property
    def text(self) -> str:
        """Canonical form, e.g. H49.22.05."""
        return ".".join(self.labels)

    def is_under(self, prefix: "Code") -> bool:
        """Tell whether this code is the prefix itself or below it, on label boundaries: H49.22 is not under H49.2."""
        return self.labels[: len(prefix.labels)] == prefix.labels

    @property
    def is_leaf(self) -> bool:
        """Tell whether this is an opaque code."""
        return _LEAF.fullmatch(self.labels[0]) is not None

    @property
    def is_grantable(self) -> bool:
        """Tell whether the authority may give this to a node: opaque, or under a level-1 code of the law (A to Y)."""
        return self.is_leaf or not self.labels[0].startswith("Z")

    @property
    def old_form(self) -> str | None:
        """Form of QCVN 102:2016, e.g. 000.05.22.H49; None if the labels do not fit it.

        A level that has no label of its width is left out as zeros: H53.07.001 is 001.00.07.H53.
        """
        top, *rest = self.labels
        groups = []
        for width in _OLD_WIDTHS:
            fits = bool(rest) and len(rest[0]) == width
            groups.append(rest.pop(0) if fits else "0" * width)
        old = ".".join([*reversed(groups), top])
        fits_whole = not rest and _OLD.fullmatch(old) and _labels_of_old(old) == self.labels
        return old if fits_whole else None


def parse_code(text: str) -> Code:
    """Read an identifier code in any written form, in capitals or not, with or without white space around it.

    Raises Rejected(CODE_MALFORMED) with the offending text if it is no form of one, or longer than 35 characters.
    """
    written = text.strip()
    # str.upper and normalisation turn some foreign letters into A-Z; a code with those in it is not a code.
    short_and_plain = len(written) <= CODE_CHARACTERS_MAX and written.isascii()
    code = _code_of(written.upper()) if short_and_plain else None
    if code is None:
        raise Rejected(Reason.CODE_MALFORMED, f"not an identifier code: {text[:60]!r}")
    return code


def parse_leaf(text: str) -> Code:
    """Read an opaque code. Raises Rejected(CODE_MALFORMED) also for a code of another form."""
    try:
        code = parse_code(text)
    except Rejected:
        code = None
    if code is None or not code.is_leaf:
        raise Rejected(Reason.CODE_MALFORMED, f"not an opaque identifier code: {text[:60]!r}")
    return code


@lru_cache(maxsize=65_536)
def _code_of(written: str) -> Code | None:
    if _NEW.fullmatch(written):
        return Code(tuple(written.split(".")))
    if branch := _BRANCH.fullmatch(written):
        written = branch[1] + branch[2]
    if _LEAF.fullmatch(written):
        return Code((written,))
    return Code(_labels_of_old(written)) if _OLD.fullmatch(written) else None


def _labels_of_old(written: str) -> tuple[str, ...]:
    return tuple(label for label in reversed(written.split(".")) if label.strip("0"))
