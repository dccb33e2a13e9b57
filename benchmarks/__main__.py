"""The command line: ``python -m benchmarks --quick requests wsgi``."""

from __future__ import annotations

import subprocess
import sys

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from . import (
    cases,  # noqa: F401 - enters them
    page,
)
from .budgets import BUDGETS
from .case import CASES, Case
from .configs import CONFIGS
from .parts import PARTS
from .rounds import WorkerError, measure

err = Console(stderr=True)
out = Console(width=170)


@click.command()
@click.argument("names", nargs=-1, metavar="[CASE]...")
@click.option("--quick", is_flag=True, help="Few rounds; good for a first look, not for a claim.")
@click.option("--config", "configs", multiple=True, type=click.Choice(list(CONFIGS)), help="Only these configurations.")
@click.option("--rounds", type=int, help="Rounds of each generation of processes; 8, or 4 with --quick.")
@click.option("--generations", type=int, help="How often the processes are made anew; 2, or 1 with --quick.")
@click.option("--list", "listing", is_flag=True, help="Print the cases and the other parts.")
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
    """Measure what lanebaggage and its peers add to a call, and the other parts. Without a CASE: everything, in 25 minutes.

    "budgets" stands for the cases that have a budget, in the configurations that it is compared with.
    """
    if listing:
        for name, entry in {**CASES, **PARTS}.items():
            click.echo(f"{name:24}{entry.what}")
        return
    if "budgets" in names:
        names = (*(name for name in names if name != "budgets"), *BUDGETS)
        configs = configs or ("floor", "lanebaggage", "otel-api")
    if unknown := [name for name in names if name not in CASES and name not in PARTS]:
        raise click.UsageError(f"no case is called {unknown[0]}; --list prints them")
    where = page.machine()
    failed = []
    for name in [name for name in names if name in PARTS] if names else PARTS:
        err.print(f"{name} ...", highlight=False)
        try:
            grid = PARTS[name].measure(quick=quick)
        except (RuntimeError, subprocess.CalledProcessError, click.ClickException) as error:
            failed.append(name)
            err.print(f"{name} could not be measured: {error}", highlight=False, markup=False)
            continue
        out.print(grid.shown(PARTS[name].what))
        if write:
            page.write(name, grid.markdown())
    chosen = [CASES[name] for name in names if name in CASES] if names else list(CASES.values())
    rounds = rounds or (4 if quick else 8)
    generations = generations or (1 if quick else 2)
    results = measured(chosen, list(dict.fromkeys(["none", *configs])) if configs else list(CONFIGS), rounds, generations)
    if results:
        out.print(page.every(results).shown("Cases"))
        out.print(page.within_budget(results).shown("Budgets"))
        if write:
            page.write_cases(results, where, rounds * generations)
    sys.exit(1 if failed or len(results) < len(chosen) else 0)


def measured(chosen: list[Case], configs: list[str], rounds: int, generations: int) -> page.Results:
    """Measure cases, with a bar that shows how far it is; those that cannot be measured are named."""
    results: page.Results = {}
    columns = (TextColumn("{task.description:24}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err) as progress:
        bar = progress.add_task("", total=len(chosen) * rounds * generations)
        for case in chosen:
            progress.update(bar, description=case.name)
            try:
                results[case.name] = measure(
                    case, configs, rounds=rounds, generations=generations, tick=lambda: progress.advance(bar)
                )
            except WorkerError as error:
                progress.console.print(f"{case.name} could not be measured: {error}", highlight=False, markup=False)
                continue
            progress.console.print(page.line(case, results[case.name]), highlight=False, soft_wrap=True)
    return results


if __name__ == "__main__":
    main()
