"""truc vxp: calls to the VXP bridge by hand, without the vendor's software."""

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from node.cli.command import Command, Json, Noun, read_input
from node.cli.output import tell
from node.errors import Denied, Rejected
from node.model.reason import Reason
from node.wording.plain import in_vietnam

app = typer.Typer(cls=Noun, no_args_is_help=True)

SECRET_VARIABLE = "TRUC_VXP_SECRET"  # noqa: S105  a name
_FILE_OPERATION, _RAW_OPERATION = "sendEdoc", "downloadEdoc"


@app.callback()
def _noun() -> None:
    """Gọi thử cầu VXP bằng tay, không cần phần mềm QLVB."""


@app.command(cls=Command)
def sign(
    operation: Annotated[str, typer.Argument(help="Tên lệnh của cầu, ví dụ getReceivedEdocList.", metavar="OPERATION")],
    argument: Annotated[
        list[str] | None,
        typer.Argument(help="Tham số tên=giá trị, ví dụ docId=… hoặc messagetype=edoc.", metavar="NAME=VALUE"),
    ] = None,
    system: Annotated[str, typer.Option("--systemid", help="Tên hệ thống (systemid).", metavar="NAME")] = "",
    secret_file: Annotated[
        Path | None,
        typer.Option("--secret-file", help=f"Tệp chứa secret; hoặc đặt biến {SECRET_VARIABLE}.", metavar="FILE"),
    ] = None,
    endpoint: Annotated[
        str, typer.Option(help="Địa chỉ cầu, không có / ở cuối.", metavar="URL")
    ] = "http://127.0.0.1:7403/vxp",
    packet: Annotated[
        Path | None, typer.Option("--file", help="Gói tin edXML để gửi (sendEdoc).", metavar="FILE")
    ] = None,
    as_json: Json = False,
) -> None:
    """Ký một lời gọi như thư viện VXP ký, và in lệnh curl để dán. Secret không hiện ra."""
    from node.access.vxp_signing import file_digest, signed_fields

    if not system:
        raise typer.BadParameter("cần --systemid", param_hint="'--systemid'")
    if (packet is not None) != (operation == _FILE_OPERATION):
        raise typer.BadParameter(f"--file đi cùng {_FILE_OPERATION}, và chỉ với nó")
    arguments = dict(map(_argument, argument or []))
    if packet is not None:
        defaults = {"from": system, "servicetype": "eDoc", "messagetype": "edoc"}
        arguments = {**defaults, **arguments, "hash-file": file_digest(read_input(packet))}
    else:
        arguments = {"servicetype": "eDoc", "messagetype": "edoc", **arguments}
    fields = signed_fields(system, _secret(secret_file), arguments, in_vietnam(), has_file=packet is not None)
    command = _curl(f"{endpoint.rstrip('/')}/{operation}", fields, operation, packet)
    document = {"url": f"{endpoint.rstrip('/')}/{operation}", "headers": fields, "command": command}
    # One line, and never broken: whoever pastes it must get it whole.
    if as_json:
        tell(as_json, document, list)
    else:
        print(command)


def _argument(written: str) -> tuple[str, str]:
    name, equals, value = written.partition("=")
    if not equals or not name.strip() or not name.isascii():
        raise Rejected(Reason.REQUEST_INVALID, f"tham số {written!r:.60} không có dạng tên=giá trị")
    return name.strip(), value


def _secret(path: Path | None) -> str:
    from node.seal.files import read_private

    secret = read_private(path).decode().strip() if path else os.environ.get(SECRET_VARIABLE, "").strip()
    if not secret:
        raise Denied(Reason.CREDENTIAL_MISSING, f"chưa có secret: dùng --secret-file TỆP hoặc biến {SECRET_VARIABLE}")
    return secret


def _curl(url: str, fields: dict[str, str], operation: str, packet: Path | None) -> str:
    body = [] if operation == _RAW_OPERATION else ["--data-binary", f"@{packet}" if packet else "{}"]
    headers = [word for name, value in fields.items() for word in ("-H", f"{name}: {value}")]
    return shlex.join(["curl", "-sS", *headers, *body, url])
