"""Help: what every command says of itself, read as the library draws it."""

from collections.abc import Iterator

import pytest
from rich.text import Text
from typer.core import TyperGroup
from typer.main import get_command

from node.cli.main import app
from tests.cli.conftest import Truc


def commands(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """All commands and groups of a tree, with the words that call them."""
    yield path, command
    if isinstance(command, TyperGroup):
        for name, one in command.commands.items():
            yield from commands(one, (*path, name))


ALL = dict(commands(get_command(app)))


def test_no_words_of_a_help_are_taken_for_markup() -> None:
    eaten = []
    for path, command in ALL.items():
        said = [getattr(command, name, None) for name in ("help", "short_help", "epilog")]
        said += [getattr(param, "help", None) for param in command.params]  # type: ignore[attr-defined]
        eaten += [(path, words) for words in said if words and Text.from_markup(words).plain != words.rstrip("\n")]

    assert ("hold", "lift") in ALL
    assert eaten == []


@pytest.mark.parametrize(
    "path", [path for path, command in ALL.items() if isinstance(command, TyperGroup)], ids=" ".join
)
def test_the_help_of_a_noun_is_in_vietnamese(truc: Truc, path: tuple[str, ...]) -> None:
    shown = truc(*path, "--help")

    assert (shown.code, "Hiện phần này rồi thoát." in shown.out) == (0, True)
    assert "Show this message" not in shown.out
    assert not [word for word in ("─ Options ─", "─ Commands ─") if word in shown.out]
