"""Regular expressions as meshes read them: RE2's syntax and full match, on top of ``re``.

Envoy, and with it Istio and ASM, compiles a regex with RE2 (Envoy's ``safe_regex``). What ``re`` takes and RE2 refuses
is refused here too, so that a rule that passes a test is not rejected by the mesh.
"""

from __future__ import annotations

import re
from typing import Final

from .errors import RoutingError

MAX_PATTERN: Final = 1024
"""Characters of a pattern; no lane rule comes near it."""

_NOT_RE2: Final = {
    "(?=": "look-ahead",
    "(?!": "look-ahead",
    "(?<=": "look-behind",
    "(?<!": "look-behind",
    "(?P=": "back-reference",
    "(?(": "conditional group",
    "(?>": "atomic group",
    "(?#": "comment",
}


def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern for ``fullmatch``, with RE2's ASCII classes.

    :raises RoutingError: RE2 would not take the pattern.
    """
    if len(pattern) > MAX_PATTERN:
        raise RoutingError(f"a regex of {len(pattern)} characters; write one of at most {MAX_PATTERN}")
    at = 0
    in_class = False
    translated = []
    while at < len(pattern):
        character = pattern[at]
        if character == "\\":
            escape = pattern[at : at + 2]
            if escape[1:].isdigit() and escape != "\\0" and not in_class:
                raise _refused(pattern, "back-reference")
            translated.append("\\Z" if escape == "\\z" else escape)
            at += 2
            continue
        if in_class:
            in_class = character != "]" or pattern[at - 1] == "[" or pattern[at - 2 : at] == "[^"
        elif character == "[":
            in_class = True
        elif character == "(":
            for start, name in _NOT_RE2.items():
                if pattern.startswith(start, at):
                    raise _refused(pattern, name)
        elif character == "+" and pattern[at - 1 : at] in ("*", "+", "?", "}") and pattern[at - 2 : at - 1] != "\\":
            raise _refused(pattern, "possessive quantifier")
        translated.append(character)
        at += 1
    try:
        return re.compile("".join(translated), re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise RoutingError(f"the regex {pattern!r} does not compile: {error}") from None


def _refused(pattern: str, name: str) -> RoutingError:
    return RoutingError(f"the regex {pattern!r} has a {name}, which RE2, and so the mesh, does not know; write it without")
