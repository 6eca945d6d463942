"""Urgency (mức độ khẩn) as edXML numbers it, and as people write it: hỏa tốc, hoả tốc, HOA TOC and Hỏa-tốc are one word."""

import re
import unicodedata

PRIORITIES = ("thường", "khẩn", "thượng khẩn", "hỏa tốc", "hỏa tốc hẹn giờ")
"""Degrees of urgency by their numbers (QĐ 28/2018 Điều 10.2.k)."""

WORD_CHARACTERS_MAX = 40


def bare(text: str) -> str:
    """Return a text without accents and capitals, its words parted by one blank: "Hoả-Tốc " is "hoa toc"."""
    letters = unicodedata.normalize("NFD", text.lower().replace("đ", "d"))
    return " ".join(re.findall(r"[a-z0-9]+", "".join(c for c in letters if not unicodedata.combining(c))))


def priority_number(text: str) -> int | None:
    """Return the number of a degree of urgency given by number or name; None if it is none."""
    if len(text) > WORD_CHARACTERS_MAX:
        return None
    written = bare(text)
    if written in _NUMBERS:
        return _NUMBERS[written]
    return int(written) if written in map(str, range(len(PRIORITIES))) and text.strip() == written else None


_NUMBERS = {bare(name): number for number, name in enumerate(PRIORITIES)}
