"""``lanebaggage route``: one decision of the router."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import click

from ..routing import Request, Router, TraceMemory, load_workloads, with_workloads
from ..routing.explain import explain, explain_routes
from ..routing.matching import on_the_wire
from ._lane_files import FILES, Read, called
from .help import examples

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..routing import Decision


def _setting(name: str, *choices: str, says: str) -> Callable[[Any], Any]:
    """A setting of the router; the first choice is the default."""
    return click.option(name, type=click.Choice(choices), default=choices[0], show_default=True, help=says)


@click.command(
    epilog=examples(
        "lanebaggage route --mesh lanes.yaml --to mockb -H 'x-asm-prefer-tag: s3'",
        "lanebaggage route --mesh lanes.yaml --path /mock -H 'x-asm-prefer-tag: s3' --explain",
        "lanebaggage route --mesh lanes.yaml --to mockb --from s2 --down mockb=s2",
    ),
)
@click.option(
    "--mesh", "paths", multiple=True, required=True, type=FILES, metavar="FILE", help="Lane YAML, or a directory of it."
)
@click.option(
    "--workloads",
    multiple=True,
    type=click.Path(exists=True),
    metavar="FILE",
    help="Deployments and Services that decide what a lane has.",
)
@click.option("--group", metavar="NAME", help="The lane group, where the files hold several.")
@click.option("--to", "service", metavar="SERVICE", help="The service called; without it the request goes to the gateway.")
@click.option("--from", "source", metavar="LANE", help="Lane of the caller's own pods; what strict mode goes by.")
@click.option("-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A header of the request.")
@click.option("-X", "--method", default="GET", show_default=True, help="The method.")
@click.option("--path", default="/", show_default=True, help="Path, with query.")
@click.option("--host", default="", help="The host asked for.")
@click.option(
    "--remembered", multiple=True, metavar="TRACE=LANE", help="What the caller's sidecar remembers, in trace-ID mode."
)
@click.option("--down", multiple=True, metavar="SERVICE[=LANE]", help="A service without healthy endpoint, in one lane or all.")
@click.option("--choice", type=click.FloatRange(0, 1, max_open=True), default=0.0, help="Picks among weights; 0 up to 1.")
@_setting("--unknown-lane", "baseline", "fallback", "error", says="A header that names no lane.")
@_setting("--no-lane", "baseline", "fallback", "error", says="A request without lane, inside the mesh.")
@_setting("--unmatched", "baseline", "error", says="A request at the gateway that no rule matches.")
@_setting("--repeated", "joined", "each", says="How rules compare a repeated header.")
@_setting("--carrier", "header", "baggage", says="What counts first in baggage mode.")
@click.option("--baggage-key", default="", metavar="KEY", help="The lane's member in baggage.  [default: the route header]")
@_setting("--traceparent", "whole", "trace-id", says="What a sidecar remembers of it.")
@_setting("--unlisted", "absent", "present", says="A service that a lane has pods for, and does not list.")
@click.option("--explain", "explained", is_flag=True, help="Say what was compared.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def route(
    paths: tuple[str, ...],
    workloads: tuple[str, ...],
    group: str | None,
    service: str | None,
    source: str | None,
    remembered: tuple[str, ...],
    headers: tuple[str, ...],
    method: str,
    path: str,
    host: str,
    down: tuple[str, ...],
    choice: float,
    unlisted: Literal["absent", "present"],
    explained: bool,
    form: str,
    **settings: Any,
) -> None:
    """Say where a mesh would send one request, and why.

    The status is 0 if some instance serves the request, else 1.
    """
    request = Request(method, on_the_wire(path), host, [_header(each) for each in headers])
    read = Read(paths, repeated=settings["repeated"])
    lines: list[tuple[str, str]] = []

    def available(name: str, lane: str) -> bool:
        return name not in down and f"{name}={lane}" not in down

    if read.groups:
        chosen = read.group(group, service)
        if workloads:
            chosen = with_workloads(chosen, load_workloads(*workloads), unlisted=unlisted)
        router = Router(chosen, **settings)
        if service is None:
            decision = router.ingress(request, available=available, choice=choice)
        else:
            memory = _memory(remembered)
            decision = router.route(service, request, source=source, available=available, memory=memory)
        if explained:
            lines = explain(chosen, request, decision, None if service is None else called(chosen, service))
    else:
        if service is None:
            decision = read.table.ingress(request, available=available, choice=choice)
        else:
            decision = read.table.route(service, request, source=source, available=available, choice=choice)
        if explained:
            lines = explain_routes(read.table, request, decision, service, source)
    _print_decision(decision, lines, form)
    if not decision.ok:
        raise SystemExit(1)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise click.BadParameter(f"{text[:60]!r} is no header; write 'name: value'", param_hint="-H")
    return name.strip(), on_the_wire(value.strip())


def _memory(remembered: tuple[str, ...]) -> TraceMemory:
    memory = TraceMemory()
    for each in remembered:
        trace, equals, lane = each.rpartition("=")
        if not equals:
            raise click.BadParameter(f"{each[:60]!r} names no lane; write TRACE=LANE", param_hint="--remembered")
        memory.remember(trace, lane, 0.0)
    return memory


def _print_decision(decision: Decision, lines: list[tuple[str, str]], form: str) -> None:
    if form == "json":
        fields = ("service", "lane", "target", "fallback", "status", "reason", "rule")
        shown: dict[str, Any] = {name: getattr(decision, name) for name in fields}
        shown["set_headers"] = dict(decision.set_headers)
        if lines:
            shown["explain"] = [{"what": what, "how": how} for what, how in lines]
        click.echo(json.dumps(shown, indent=2))
        return
    click.echo(str(decision))
    width = max((len(what) for what, _ in lines), default=0)
    for what, how in lines:
        click.echo(f"  {what.ljust(width)}  {how}")
