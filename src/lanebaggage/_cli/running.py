"""``lanebaggage run``: its help and its completion; the launcher reads the same table of options by itself."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from .._launcher import run as launch
from .._launcher.options import OPTIONS
from .help import examples

if TYPE_CHECKING:
    from collections.abc import Callable


def _options(function: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(OPTIONS):
        shape: dict[str, Any] = {"metavar": option.metavar} if option.metavar else {"is_flag": True}
        function = click.option(option.name, help=option.help, expose_value=False, **shape)(function)
    return function


@click.command(
    epilog=examples(
        "lanebaggage run -- gunicorn app:app",
        "lanebaggage run -- uvicorn app:app --reload",
        "lanebaggage run --trace-header baggage --allow '*.partner.example' -- python -m orders",
    ),
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@_options
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="[--] PROGRAM [ARGUMENTS]...")
def run(command: tuple[str, ...]) -> None:  # noqa: ARG001 - read by the launcher
    """Start a program with lanebaggage on in all its Python processes.

    The program is any command: a server, python -m, a console script, a shell script that starts one. Signals, input,
    output and exit status are its own. Options that are given here win over LANEBAGGAGE_* variables of the environment.
    """
    arguments = sys.argv[1:]
    sys.exit(launch(arguments[arguments.index("run") + 1 :]))
