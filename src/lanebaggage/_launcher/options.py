"""The options of ``lanebaggage run``: each becomes a ``LANEBAGGAGE_*`` variable of the program's environment.

They are read by hand, so that starting a service never waits for the import of a command-line library. The first argument
that is no option of ours is the program; what follows is the program's alone.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final


class UsageError(Exception):
    """The arguments of ``lanebaggage run`` cannot be used."""


class HelpAsked(Exception):  # noqa: N818 - it is no error
    """``--help`` stands among the launcher's own options."""


class Option:
    """One option."""

    __slots__ = ("help", "metavar", "name", "setting")

    def __init__(self, name: str, metavar: str, explanation: str, setting: str = "") -> None:
        self.name = name
        self.metavar = metavar
        """What stands for its value in the help, or empty for a flag."""
        self.help = explanation
        self.setting = setting or name[2:].replace("-", "_")

    @property
    def variable(self) -> str:
        """The environment variable that it sets."""
        return f"LANEBAGGAGE_{self.setting.upper()}"


OPTIONS: Final = (
    Option("--preset", "NAME", "Headers of a product: asm, signadot, telepresence, mirrord, okteto, mse, sermant, opensergo."),
    Option("--route-header", "NAME", "Header whose value is the lane's name."),
    Option("--trace-header", "NAME", "End-to-end pass-through header; 'baggage' for baggage mode."),
    Option("--baggage-key", "KEY", "Key of the lane's member in baggage."),
    Option("--pass-through", "NAMES", "More headers to forward; x-sermant-* is a prefix."),
    Option("--allow", "HOSTS", "Hosts outside the mesh that may get the headers; * for every host."),
    Option("--edge", "", "Ignore what arrives: this service is called by strangers."),
    Option("--lanes", "NAMES", "The only lane names to believe."),
    Option("--disable", "LIBRARIES", "Libraries to leave alone.", "disabled"),
    Option("--response-header", "NAME", "Response header that tells the lane, such as x-lane."),
    Option("--log-records", "", "Give each record of logging the attribute lane, for formats that name %(lane)s."),
    Option("--debug", "", "Log each decision once per place in the code."),
    Option("--debug-path", "PATH", "Path at which the service reports on itself."),
)


def parse(arguments: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Split the arguments into variables to set and the program's command.

    :raises UsageError: an unknown option, a missing value, or no program.
    :raises HelpAsked: help is wanted, not a program.
    """
    options = {option.name: option for option in OPTIONS}
    variables: dict[str, str] = {}
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        name, equals, value = rest.pop(0).partition("=")
        if name == "--":
            break
        if name in ("--help", "-h"):
            raise HelpAsked
        option = options.get(name)
        if option is None:
            raise UsageError(
                f"there is no option {name}; options of the program come after its name: lanebaggage run -- PROGRAM {name}"
            )
        if not option.metavar:
            if equals:
                raise UsageError(f"{name} takes no value")
            value = "1"
        elif not equals:
            if not rest or rest[0] == "--":
                raise UsageError(f"{name} needs a value: {name} {option.metavar}")
            value = rest.pop(0)
        before = variables.get(option.variable)
        variables[option.variable] = value if before is None or not option.metavar.endswith("S") else f"{before},{value}"
    if not rest:
        raise UsageError("name the program to start, such as: lanebaggage run -- gunicorn app:app")
    return variables, rest
