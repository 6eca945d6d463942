"""Folding Vietnamese words to what people type: no accents, đ as d, no capitals; and the abbreviations everybody uses.

`Ủy ban nhân dân xã Đắk Rơ Wa` folds to `uy ban nhan dan xa dak ro wa`, whichever Unicode form it was written in.
"""

import re
import unicodedata
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+")
_D = str.maketrans("đð", "dd")
"""đ has no decomposition in Unicode; ð is what some old converters made of it."""

ABBREVIATIONS: dict[str, tuple[str, ...]] = {
    "ubnd": ("uy", "ban", "nhan", "dan"),
    "hdnd": ("hoi", "dong", "nhan", "dan"),
    "ub": ("uy", "ban"),
    "vp": ("van", "phong"),
    "tp": ("thanh", "pho"),
    "tphcm": ("thanh", "pho", "ho", "chi", "minh"),
    "hcm": ("ho", "chi", "minh"),
    "tx": ("thi", "xa"),
    "tw": ("trung", "uong"),
    "bql": ("ban", "quan", "ly"),
    "mttq": ("mat", "tran", "to", "quoc"),
    "tttt": ("thong", "tin", "truyen", "thong"),
    "gd": ("giao", "duc"),
    "dt": ("dao", "tao"),
    "gddt": ("giao", "duc", "dao", "tao"),
    "khcn": ("khoa", "hoc", "cong", "nghe"),
    "khdt": ("ke", "hoach", "dau", "tu"),
    "tnmt": ("tai", "nguyen", "moi", "truong"),
    "nnmt": ("nong", "nghiep", "moi", "truong"),
    "nnptnt": ("nong", "nghiep", "phat", "trien", "nong", "thon"),
    "gtvt": ("giao", "thong", "van", "tai"),
    "ldtbxh": ("lao", "dong", "thuong", "binh", "xa", "hoi"),
    "vhttdl": ("van", "hoa", "the", "thao", "du", "lich"),
    "bhxh": ("bao", "hiem", "xa", "hoi"),
    "thpt": ("trung", "hoc", "pho", "thong"),
    "thcs": ("trung", "hoc", "co", "so"),
}
"""Folded abbreviation -> the words it stands for; in queries and in names alike."""


@lru_cache(maxsize=65_536)
def fold_word(text: str) -> tuple[str, ...]:
    """Return the folded words of a text without blanks (one word, or several at punctuation)."""
    decomposed = unicodedata.normalize("NFD", text.casefold())
    return tuple(_WORD.findall("".join(c for c in decomposed if not unicodedata.combining(c)).translate(_D)))


def fold(text: str) -> list[str]:
    """Return the folded words of a text, in order. The cache is over words: a country's names use a few thousand of them."""
    return [word for raw in text.split() for word in fold_word(raw)]


def initials(words: list[str]) -> str:
    """Return the first letters, as people abbreviate a name (`và` is left out): Sở Nội vụ tỉnh Lào Cai -> snvtlc."""
    return "".join(word[0] for word in words if word != "va")


def expanded(words: list[str]) -> list[str]:
    """Return the words with every known abbreviation written out."""
    return [full for word in words for full in ABBREVIATIONS.get(word, (word,))]
