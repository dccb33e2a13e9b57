"""``lanebaggage demo``: the mock chain on a mesh of real processes, each call drawn, compared with ASM's documentation."""

from __future__ import annotations

import signal
import sys
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click
from rich.console import Console

from ..mesh.demo import FRAMEWORKS, Demo
from .help import examples

if TYPE_CHECKING:
    from types import FrameType


@click.command(
    epilog=examples("lanebaggage demo", "lanebaggage demo --framework fastapi"),
)
@click.option(
    "--framework",
    "names",
    multiple=True,
    type=click.Choice(list(FRAMEWORKS)),
    help="Run the services of this framework only; may be given twice. All of them by default.",
)
def demo(names: tuple[str, ...]) -> None:
    """Start a mesh of mock services and watch lanes at work.

    Nine processes, mocka, mockb and mockc in three versions each, are started on this machine, with the embedded proxy as
    gateway and sidecars. Requests in lanes s1, s2 and s3 travel through them, in each of ASM's pass-through modes, and each
    call is drawn. Then the same services run without the library, and lose the lane. Exit status 1 if any chain is not the
    documented one.
    """
    chosen = [FRAMEWORKS[name] for name in names or FRAMEWORKS]
    missing = [module for framework in chosen for module in framework.modules if find_spec(module) is None]
    if missing:
        raise click.ClickException(f"the demo's services need {', '.join(missing)}: pip install 'lanebaggage[demo]'")
    signal.signal(signal.SIGTERM, _end)
    console = Console(highlight=False)
    started = time.monotonic()
    run = Demo(console)
    for framework in chosen:
        run.run(framework)
    console.rule()
    took = f"in {time.monotonic() - started:.1f} s"
    if run.differences:
        console.print(f"[bold red]{run.differences} of {run.checked} chains differ from the documented ones[/], {took}")
        sys.exit(1)
    console.print(f"[green]All {run.checked} chains are as documented[/], {took}")


def _end(_number: int, _frame: FrameType | None) -> None:
    """A termination unwinds the stack as an interrupt does, so that no service is left running."""
    sys.exit(128 + signal.SIGTERM)
