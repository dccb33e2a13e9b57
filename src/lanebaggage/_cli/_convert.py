"""``lanebaggage convert``: lane groups in another mesh's format."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from ..routing.asm_write import write_asm
from ..routing.gateway_api_write import write_gateway_api
from ..routing.istio_write import write_istio
from ..routing.regroup import group_of
from ._lane_files import FILES, Read
from .help import examples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..routing import Finding, LaneGroup, Workloads


@click.command(
    epilog=examples(
        "lanebaggage convert lanes.yaml --to istio",
        "lanebaggage convert virtualservices/ --to asm -o lanes.yaml",
        "lanebaggage convert lanes.yaml --to envoy -o envoy.json",
    ),
)
@click.argument("paths", nargs=-1, required=True, type=FILES, metavar="FILE...")
@click.option("--to", "target", required=True, type=click.Choice(["istio", "gateway-api", "asm", "envoy"]), help="The format.")
@click.option("--group", metavar="NAME", help="One lane group of several.")
@click.option("--asm-fallback", is_flag=True, help="With istio: write ASM's extension route[].fallback.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, writable=True), help="A file; standard output unless given.")
def convert(paths: tuple[str, ...], target: str, group: str | None, asm_fallback: bool, output: str | None) -> None:
    """Write lane YAML in another mesh's format.

    What the format cannot say stands there as a comment. From Istio's or Gateway API's routes a lane group is made first;
    what no lane group can say is a warning on standard error.
    """
    read = Read(paths)
    groups = read.groups
    if not groups:
        findings: list[Finding] = []
        groups = [group_of(read.table, findings, group or "lanes")]
        for finding in findings:
            click.echo(f"{finding.severity}: {finding}", err=True)
    elif group is not None or target == "envoy":
        groups = [read.group(group)]
    text = _written(groups, target, asm_fallback, read.workloads)
    if output is None:
        click.echo(text, nl=False)
        return
    with click.open_file(output, "w", encoding="utf-8") as file:
        file.write(text)


def _written(groups: Sequence[LaneGroup], target: str, asm_fallback: bool, workloads: Workloads) -> str:
    if target == "istio":
        return write_istio(groups, asm_fallback=asm_fallback)
    if target == "gateway-api":
        return write_gateway_api(groups, selectors=workloads.selectors)
    if target == "asm":
        return write_asm(groups)
    from ..routing.envoy import bootstrap

    return json.dumps(bootstrap(groups[0]), indent=2) + "\n"
