"""The command line: ``python -m benchmarks --quick requests wsgi``."""

from __future__ import annotations

import sys
from time import monotonic

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from . import (
    cases,  # noqa: F401 - enters them
    page,
)
from .case import CASES
from .configs import CONFIGS
from .rounds import WorkerError, measure


@click.command()
@click.argument("names", nargs=-1, metavar="[CASE]...")
@click.option("--quick", is_flag=True, help="Few rounds; good for a first look, not for a claim.")
@click.option("--config", "configs", multiple=True, type=click.Choice(list(CONFIGS)), help="Only these configurations.")
@click.option("--rounds", type=int, help="Rounds of each generation of processes; 12, or 5 with --quick.")
@click.option("--generations", type=int, help="How often the processes are made anew; 2, or 1 with --quick.")
@click.option("--list", "listing", is_flag=True, help="Print the cases.")
@click.option("--write", is_flag=True, help="Write the figures and the picture into docs/performance.*.")
def main(
    names: tuple[str, ...],
    quick: bool,
    configs: tuple[str, ...],
    rounds: int | None,
    generations: int | None,
    listing: bool,
    write: bool,
) -> None:
    """Measure what lanebaggage and its peers add to a call. Without a CASE: all of them."""
    if listing:
        for case in CASES.values():
            click.echo(f"{case.name:24}{case.what}")
        return
    if unknown := [name for name in names if name not in CASES]:
        raise click.UsageError(f"no case is called {unknown[0]}; --list prints them")
    chosen = [CASES[name] for name in names] or list(CASES.values())
    rounds = rounds or (5 if quick else 12)
    generations = generations or (1 if quick else 2)
    wanted = list(dict.fromkeys(["none", *configs])) if configs else list(CONFIGS)
    results = {}
    failed = []
    started = monotonic()
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:24}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=len(chosen) * rounds * generations)
        for case in chosen:
            progress.update(bar, description=case.name)
            try:
                results[case.name] = measure(
                    case, wanted, rounds=rounds, generations=generations, tick=lambda: progress.advance(bar)
                )
            except WorkerError as error:
                failed.append(case.name)
                console.print(f"[red]{case.name} could not be measured[/red]: {error}", highlight=False)
                continue
            console.print(page.line(case, results[case.name]), highlight=False)
    Console(width=160).print(page.table(results))
    if write:
        page.write(results, seconds=monotonic() - started)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
