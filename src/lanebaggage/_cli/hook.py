"""``lanebaggage install-hook``: let ``LANEBAGGAGE_AUTO=1`` switch lanebaggage on where the command cannot be changed."""

from __future__ import annotations

import click

from .._launcher import hook
from .help import examples


@click.command(
    epilog=examples("lanebaggage install-hook", "LANEBAGGAGE_AUTO=1 gunicorn app:app", "lanebaggage install-hook --remove")
)
@click.option("--remove", is_flag=True, help="Take the hook away again.")
def install_hook(*, remove: bool) -> None:
    """Let LANEBAGGAGE_AUTO=1 switch lanebaggage on in this Python.

    For images whose command cannot be changed: writes one line into this Python's site-packages, which Python runs at
    every start, and which does nothing unless the variable is set. Nothing like it is installed with the package.
    """
    if not remove:
        click.echo(f"{hook.install()} written; set LANEBAGGAGE_AUTO=1 to start a program with lanebaggage on")
    elif removed := hook.remove():
        click.echo("\n".join(f"{path} removed" for path in removed))
    else:
        click.echo("there is no hook in this Python")
