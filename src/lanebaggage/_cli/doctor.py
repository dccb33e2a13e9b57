"""``lanebaggage doctor``: what is patched and set here, what a URL would be sent, and where a service loses the lane."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from .. import auto_instrument
from .. import doctor as findings
from ..doctor import text
from ..doctor.service import running
from ..instrumentation import FAILED, UNSUPPORTED
from .help import examples

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT_CAPTURE = "127.0.0.1:8899"


@click.command(
    context_settings={"allow_interspersed_args": False},
    epilog=examples(
        "lanebaggage doctor",
        "lanebaggage doctor --url http://api.partner.example/orders",
        "HTTP_PROXY=http://127.0.0.1:8899 lanebaggage run -- gunicorn app:app   # and then, elsewhere:",
        "lanebaggage doctor --probe http://127.0.0.1:8000/orders --capture 127.0.0.1:8899",
        "lanebaggage doctor --probe http://127.0.0.1:8000/orders -- gunicorn app:app",
    ),
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--url", "urls", multiple=True, metavar="URL", help="Say what a call of this URL would carry; may be repeated.")
@click.option("--probe", metavar="URL", help="Send a request in a lane of its own through the service at this URL.")
@click.option(
    "--capture",
    metavar="HOST:PORT",
    help=f"Where to listen for the service's calls: its HTTP_PROXY, or its upstream; {DEFAULT_CAPTURE} if none is set.",
)
@click.option(
    "--wait",
    default=0.5,
    type=click.FloatRange(min=0),
    show_default=True,
    metavar="SECONDS",
    help="Go on listening after the answer.",
)
@click.option("--debug-path", metavar="PATH", help="The service's debug path, whose counters tell more.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- PROGRAM [ARGUMENTS]...]")
def doctor(
    *,
    as_json: bool,
    urls: tuple[str, ...],
    probe: str | None,
    capture: str | None,
    wait: float,
    debug_path: str | None,
    command: tuple[str, ...],
) -> None:
    """Say what is patched and set, and where a lane is lost.

    Run it in a service's environment: same Python, same variables. Alone it lists the settings in force and where each came
    from, what switches lanebaggage on there, and each supported library with its version and what is patched, for which it
    imports the installed ones. With --probe it sends one request through a running service and says which of the calls that
    are made for it lost the lane; a PROGRAM is started for that, with everything set up, and ended again.

    The exit status is 1 where a library is not patched or a lane is lost.
    """
    if command and not probe:
        raise click.UsageError("a program is started for --probe only: lanebaggage doctor --probe URL -- PROGRAM")
    if not probe and (capture or debug_path):
        raise click.UsageError("--capture and --debug-path are of use with --probe URL only")
    auto_instrument()
    if probe:
        found = _probe(probe, capture, wait, debug_path, command)
        _print(as_json, {"probe": found._asdict() | {"hops": [hop._asdict() for hop in found.hops]}}, text.about_probe(found))
        sys.exit(1 if found.lost or not found.hops else 0)
    if urls:
        targets = [findings.target(url, findings.new_lane()) for url in urls]
        _print(
            as_json,
            {"urls": [facts._asdict() for facts in targets]},
            (line for facts in targets for line in text.about_target(facts)),
        )
        return
    failures = findings.import_installed()
    libraries = findings.libraries()
    data = findings.in_service() | {"ways": [way._asdict() for way in findings.ways()], "import_failures": failures}
    lines = [
        f"lanebaggage {data['lanebaggage']}, Python {data['python']}, {sys.executable}",
        "",
        *text.about_settings(findings.settings()),
        "",
        *text.about_ways(findings.ways()),
        "",
        *text.about_libraries(libraries, failures),
    ]
    _print(as_json, data, lines)
    sys.exit(1 if any(facts.status in (FAILED, UNSUPPORTED) for facts in libraries) else 0)


def _probe(url: str, capture: str | None, wait: float, debug_path: str | None, command: tuple[str, ...]) -> findings.Probe:
    if not _can_be_probed(url):
        raise click.BadParameter(f"{url} is no http URL such as http://127.0.0.1:8000/orders", param_hint="--probe")
    host, port = ("127.0.0.1", 0) if command and not capture else _address(capture or _proxy_here() or DEFAULT_CAPTURE)
    debug_url = urlsplit(url)._replace(path=debug_path, query="", fragment="").geturl() if debug_path else ""
    with ExitStack() as stack:
        running_capture = stack.enter_context(findings.capturing(host, port))
        if command:
            stack.enter_context(running(command, url, running_capture.address))
        return findings.probe(url, running_capture, wait=wait, debug_url=debug_url)


def _can_be_probed(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _proxy_here() -> str | None:
    """The proxy of this environment, where it is one on this machine: it is what the service has, too."""
    proxy = urlsplit(os.environ.get("HTTP_PROXY") or os.environ.get("http_proxy") or "")
    return proxy.netloc if proxy.hostname in ("127.0.0.1", "localhost", "::1") and proxy.port else None


def _address(value: str) -> tuple[str, int]:
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise click.BadParameter(f"{value} is no address such as {DEFAULT_CAPTURE}", param_hint="--capture")
    return host.strip("[]"), int(port)


def _print(as_json: bool, data: dict[str, Any], lines: Iterable[str]) -> None:
    click.echo(json.dumps(data, indent=1) if as_json else "\n".join(lines))
