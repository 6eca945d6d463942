"""Completion of commands and options with TAB, in bash and zsh: `truc --install-completion` and `--show-completion`.

The shell calls `truc` with _TRUC_COMPLETE in its environment, and the library answers with what may come next. The script lies in a file
of ours, which a later call writes anew; one line at the end of .bashrc or .zshrc reads it, and the rest of that file is left alone.
"""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
from typer.completion import completion_init  # type: ignore[attr-defined]  # no exported name does it

from node.cli.command import Noun
from node.cli.output import console, line, mark, text
from node.errors import Rejected
from node.model.reason import Reason

INSTALL, SHOW = "--install-completion", "--show-completion"
VARIABLE = "_TRUC_COMPLETE"

SCRIPTS = {
    "bash": f"""_truc() {{
  local IFS=$'\\n'
  COMPREPLY=( $(env COMP_WORDS="${{COMP_WORDS[*]}}" COMP_CWORD="$COMP_CWORD" {VARIABLE}=complete_bash "$1") )
}}

complete -o default -F _truc truc
""",
    # Works from a folder of $fpath as well as when it is sourced: the library's own script only defines itself at the first TAB there.
    "zsh": f"""#compdef truc

_truc() {{
  eval $(env _TYPER_COMPLETE_ARGS="${{words[1,$CURRENT]}}" {VARIABLE}=complete_zsh truc)
}}

if [ "${{funcstack[1]}}" = _truc ]; then _truc "$@"; else compdef _truc truc; fi
""",
}
"""Shell -> what it has to read. The variables and what is answered are the library's (typer._completion_classes)."""

LINES = {
    "bash": "[ -r {0} ] && . {0}",
    "zsh": "(( $+functions[compdef] )) || {{ autoload -Uz compinit && compinit; }}; [ -r {0} ] && . {0}",
}
"""Shell -> the line that reads the script when it starts."""


class Root(Noun):
    """The whole command. Its options of completion may leave out the shell."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put in the shell that the user works with, then go on as usual."""
        return super().parse_args(ctx, with_shell(args, os.environ))


def with_shell(args: list[str], environment: Mapping[str, str]) -> list[str]:
    """Return the arguments with the shell of the environment behind an option of completion that stands there without one."""
    if not args or args[0] not in (INSTALL, SHOW) or (len(args) > 1 and not args[1].startswith("-")):
        return args
    return [args[0], Path(environment.get("SHELL", "")).name, *args[1:]]


def prepare(environment: Mapping[str, str]) -> None:
    """Let the library know its shells, where one of them is asking; it answers "Shell bash not supported" otherwise."""
    if VARIABLE in environment:
        completion_init()


def shells(incomplete: str) -> list[str]:
    """Return the shells that begin so."""
    return [shell for shell in SCRIPTS if shell.startswith(incomplete)]


def show(ctx: typer.Context, shell: str | None) -> None:
    """Print the script of the shell that --show-completion names; end the command."""
    if shell is None or ctx.resilient_parsing:
        return
    print(_script(shell), end="")
    raise typer.Exit()


def install(ctx: typer.Context, shell: str | None) -> None:
    """Install completion in the shell that --install-completion names, for the user who calls; end the command."""
    if shell is None or ctx.resilient_parsing:
        return
    script = _script(shell)
    file, start = places(shell, os.environ)
    try:
        _write(file, script, start, LINES[shell].format(shlex.quote(str(file))))
    except OSError as error:
        raise Rejected(Reason.REQUEST_INVALID, f"{error.filename}: {error.strerror}") from error
    screen = console()
    screen.print(line(mark(True), " ", text(f"Đã cài gợi ý lệnh cho {shell}: {file}, gọi từ {start}.")), soft_wrap=True)
    screen.print(text("  Mở cửa sổ dòng lệnh mới, gõ truc rồi bấm TAB."))
    raise typer.Exit()


def _script(shell: str) -> str:
    if shell in SCRIPTS:
        return SCRIPTS[shell]
    said = f"chưa hỗ trợ {shell!r}" if shell else "không biết bạn dùng shell nào"
    raise typer.BadParameter(f"{said}; hãy ghi rõ {' hoặc '.join(SCRIPTS)}, ví dụ truc {INSTALL} bash")


def places(shell: str, environment: Mapping[str, str]) -> tuple[Path, Path]:
    """Return where the script goes and which file the shell reads when it starts. Raises Rejected for a user without a home."""
    try:
        home = Path.home()
    except RuntimeError as error:
        raise Rejected(Reason.REQUEST_INVALID, "không biết thư mục riêng của bạn; hãy đặt biến HOME") from error
    data = Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share")
    start = home / ".bashrc" if shell == "bash" else Path(environment.get("ZDOTDIR") or home) / ".zshrc"
    return data / "truc" / f"completion.{shell}", start


def _write(file: Path, script: str, start: Path, reading: str) -> None:
    """Write the script, and add the line that reads it unless it is there. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(script, "utf-8")
    before = start.read_bytes() if start.exists() else b""
    if reading.encode() in before.splitlines():
        return
    with start.open("ab") as end:
        end.write((b"" if not before or before.endswith(b"\n") else b"\n") + reading.encode() + b"\n")
