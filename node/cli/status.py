"""truc status: the processing statuses of documents. Each verb has a file of its own."""

import typer

from node.cli import status_report, status_send
from node.cli.command import Command, HomeCommand, Noun

app = typer.Typer(cls=Noun, no_args_is_help=True)
app.command("send", cls=Command)(status_send.send)
app.command("report", cls=HomeCommand)(status_report.report)
