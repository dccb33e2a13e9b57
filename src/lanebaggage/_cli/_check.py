"""``lanebaggage check``: the lints of lane files, for people, for programs and for GitHub."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from ..routing import Finding, RoutingError
from ..routing.check import check as find
from ..routing.errors import ERROR, WARNING
from ._lane_files import texts_of
from .help import examples

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command(
    epilog=examples(
        "lanebaggage check lanes.yaml workloads.yaml",
        "lanebaggage check deploy/ --format github",
        "lanebaggage check lanes.yaml --fail-on warning",
        "kubectl get asmswimlanegroups,asmswimlanes -o yaml | lanebaggage check -",
    ),
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(), metavar="FILE...")
@click.option("--format", "form", type=click.Choice(["text", "json", "github"]), default="text", show_default=True)
@click.option(
    "--fail-on",
    type=click.Choice([ERROR, WARNING]),
    default=ERROR,
    show_default=True,
    help="The least that fails.",
)
def check(paths: tuple[str, ...], form: str, fail_on: str) -> None:
    """Find mistakes in lane YAML before it is deployed.

    Files and directories with lane groups and lanes, Deployments and Services, TrafficLabel and ASMHeaderPropagation,
    VirtualService, DestinationRule and HTTPRoute; - is standard input. The status is 1 if something is wrong.
    """
    findings: list[Finding] = []
    files: list[tuple[str, str]] = []
    for path in paths:
        try:
            files += texts_of([path])
        except RoutingError as refused:
            findings += refused.findings
    findings += find(files) if files or not findings else []
    if form == "json":
        click.echo(json.dumps([_as_json(finding) for finding in findings], indent=2))
    elif form == "github":
        for finding in findings:
            click.echo(_as_github(finding))
    else:
        _print_findings(findings, len(files))
    if any(finding.severity == ERROR or fail_on == WARNING for finding in findings):
        raise SystemExit(1)


def _print_findings(findings: Sequence[Finding], files: int) -> None:
    for finding in findings:
        place = click.style(str(finding.place), bold=True)
        severity = click.style(finding.severity, fg="red" if finding.severity == ERROR else "yellow")
        click.echo(f"{place}: {severity}: {finding.what} [{finding.code}]")
        click.echo(f"    why: {finding.why}")
        click.echo(f"    fix: {finding.fix}")
    counted = Counter(finding.severity for finding in findings)
    texts = [f"{count} {name}{'s' if count > 1 else ''}" for name, count in sorted(counted.items())]
    click.echo(f"{', '.join(texts) or 'nothing wrong'} in {files} file{'s' if files != 1 else ''}")


def _as_json(finding: Finding) -> dict[str, Any]:
    names = ("code", "severity", "what", "why", "fix")
    return {"file": finding.place.file, "line": finding.place.line, **{name: getattr(finding, name) for name in names}}


def _as_github(finding: Finding) -> str:
    """A workflow command (https://docs.github.com/actions/reference/workflow-commands-for-github-actions)."""
    place = finding.place
    position = {"file": place.file, "line": str(place.line)} if place.line else {"file": place.file}
    properties = {**position, "title": finding.code}
    written = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in properties.items())
    return f"::{finding.severity} {written}::{_escaped(f'{finding.what}; {finding.why}. {finding.fix}', '')}"


def _escaped(text: str, more: str) -> str:
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text
