"""Regular expressions as meshes read them: RE2's syntax and full match, on top of ``re``.

Envoy, and with it Istio and ASM, compiles a regex with RE2 (Envoy's ``safe_regex``; https://github.com/google/re2/wiki/Syntax).
A pattern is translated piece by piece: what ``re`` takes and RE2 refuses is refused, so that a rule that passes a test is not
rejected by the mesh, and what means something else there is written in ``re``'s way.
"""

from __future__ import annotations

import re
from typing import Final

from .errors import RoutingError

MAX_PATTERN: Final = 1024
"""Characters of a pattern; no lane rule comes near it."""
MAX_REPEAT: Final = 1000
"""RE2's limit of a counted repetition."""

_PIECE: Final = re.compile(
    r"""
    (?P<quoted>\\Q(?P<literal>.*?)(?:\\E|\Z))
  | (?P<hexadecimal>\\x(?:(?P<two>[0-9A-Fa-f]{2})|\{(?P<braced>[0-9A-Fa-f]{1,6})\}))
  | (?P<octal>\\0[0-7]{0,2}|\\[1-7][0-7]{1,2})
  | (?P<escape>\\.)
  | (?P<posix>\[:(?P<negated>\^?)(?P<name>[a-z]+):\])
  | (?P<group>\((?:\?(?:P?<[A-Za-z_][A-Za-z0-9_]*>|[imsU]*(?:-[imsU]+)?[:)]))?)
  | (?P<counted>\{(?P<least>[0-9]+)(?:,(?P<most>[0-9]*))?\})
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_SAME: Final = frozenset("dDwWbBAnrtfva")
"""Escapes of letters that mean the same in both."""
_GROUPS: Final = {
    "?=": "look-ahead",
    "?!": "look-ahead",
    "?<=": "look-behind",
    "?<!": "look-behind",
    "?P=": "back-reference",
    "?>": "atomic group",
    "?(": "conditional group",
    "?#": "comment",
}
_POSIX: Final = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": r"\x00-\x7f", "blank": r"\t ", "cntrl": r"\x00-\x1f\x7f", "digit": "0-9",
    "graph": "!-~", "lower": "a-z", "print": " -~", "punct": r"!-/:-@\[-`{-~", "space": r"\t\n\v\f\r ", "upper": "A-Z",
    "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}  # fmt: skip


def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern for ``fullmatch``.

    :raises RoutingError: RE2 would not take the pattern, or Python cannot compare by it.
    """
    if len(pattern) > MAX_PATTERN:
        raise RoutingError(f"a regex of {len(pattern)} characters; write one of at most {MAX_PATTERN}")
    try:
        return re.compile(_Translation(pattern).text(), re.ASCII)
    except (re.error, OverflowError, RecursionError, ValueError) as error:
        if isinstance(error, RoutingError):
            raise
        raise RoutingError(f"the regex {pattern!r} does not compile, {error}; close what is open, or escape it") from None


class _Translation:
    """One pattern on its way from RE2's syntax to that of ``re``.

    Inside a class it is known whether a range can start or end here, since a hyphen means something else otherwise.
    """

    _taken: int | None = None
    """Characters of the piece that were used, where that is not all of them."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._in_class = False
        self._class_start = 0
        self._range = ""
        self._repeated = False

    def text(self) -> str:
        written = []
        at = 0
        while at < len(self._pattern):
            piece = _PIECE.match(self._pattern, at)
            assert piece is not None, "the last alternative takes any character"
            written.append(self._piece(piece))
            at = piece.end() if self._taken is None else at + self._taken
        return "".join(written)

    def _piece(self, piece: re.Match[str]) -> str:
        self._taken = None
        repeated, self._repeated = self._repeated, False
        if self._in_class and piece["other"] is None and piece["posix"] is None:
            self._range = "" if self._range == "end" else "start"
        if piece["quoted"] is not None:
            return re.escape(piece["literal"])
        if piece["hexadecimal"] is not None:
            return re.escape(chr(int(piece["two"] or piece["braced"], 16)))
        if piece["octal"] is not None:
            return re.escape(chr(int(piece["octal"][1:], 8)))
        if piece["escape"] is not None:
            return self._escape(piece["escape"][1])
        if self._in_class:
            return self._member(piece)
        if piece["group"] is not None:
            return self._group(piece)
        if piece["counted"] is not None:
            return self._counted(piece, repeated)
        character = piece[0][0]
        self._taken = 1
        if character == "[":
            self._in_class = True
            self._class_start = piece.start()
            self._range = ""
        elif character in "*+?":
            if repeated and character != "?":
                raise self._refused(f"repetition of a repetition, {character}")
            self._repeated = True
        elif character == "{":
            return "\\{"
        return character

    def _escape(self, letter: str) -> str:
        if letter in "zAbB" and self._in_class:
            raise self._refused(f"escape \\{letter} in a class")
        if letter == "z":
            return r"\Z"
        if letter == "s" or letter == "S":
            inside = r"\t\n\f\r "
            if self._in_class and letter == "S":
                raise self._refused(r"\S in a class")
            return inside if self._in_class else f"[{'^' if letter == 'S' else ''}{inside}]"
        if letter in _SAME:
            return f"\\{letter}"
        if letter in "pP":
            raise self._refused(f"\\{letter}")
        if letter.isdigit():
            raise self._refused("back-reference")
        if letter.isalnum():
            raise self._refused(f"escape \\{letter}")
        return re.escape(letter)

    def _member(self, piece: re.Match[str]) -> str:
        """A piece of a character class."""
        if piece["posix"] is not None:
            if piece["name"] not in _POSIX or piece["negated"]:
                raise self._refused(f"class {piece['posix']}")
            return _POSIX[piece["name"]]
        character = piece[0][0]
        self._taken = 1
        first = self._pattern[self._class_start + 1 : piece.start()] in ("", "^")
        if character == "]" and not first:
            self._in_class = False
            return character
        if character == "^" and piece.start() == self._class_start + 1:
            return character
        if character == "-" and self._range == "start" and self._pattern[piece.end() : piece.end() + 1] != "]":
            self._range = "end"
            return character
        self._range = "" if self._range == "end" else "start"
        return re.escape(character)

    def _group(self, piece: re.Match[str]) -> str:
        text = piece["group"]
        following = self._pattern[piece.end() : piece.end() + 3]
        if text == "(":
            if following.startswith("?"):
                names = (name for start, name in _GROUPS.items() if following.startswith(start))
                raise self._refused(next(names, f"group ({following}"))
            return text
        if "<" in text:
            return text.replace("(?<", "(?P<")
        flags = text.replace("U", "")  # which of several ways to match is taken makes no difference to a full match
        if flags.endswith(")"):
            if piece.start() > 0:
                raise self._refused(f"flag {text} in the middle")
            flags = flags.partition("-")[0].rstrip(")") + ")"  # what is switched off was not on
        return {"(?)": "", "(?-:": "(?:"}.get(flags, flags)

    def _counted(self, piece: re.Match[str], repeated: bool) -> str:
        if repeated:
            raise self._refused(f"repetition of a repetition, {piece['counted']}")
        if max(int(piece["least"]), int(piece["most"] or 0)) > MAX_REPEAT:
            raise self._refused(f"repetition {piece['counted']} of more than {MAX_REPEAT}")
        self._repeated = True
        return piece["counted"]

    def _refused(self, what: str) -> RoutingError:
        why = "which the mesh (RE2) or this model does not take"
        return RoutingError(f"the regex {self._pattern!r} has a {what}, {why}; write it without")
