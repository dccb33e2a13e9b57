"""Settings: precedence, presets, checks, and errors that say what to write instead."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from lanebaggage import SettingsError
from lanebaggage._settings import BAGGAGE_MODE, CUSTOM_HEADER_MODE, PRESETS, SETTINGS, TRACE_ID_MODE, resolve


@pytest.mark.parametrize(
    ("arguments", "environ", "route", "trace", "mode", "source"),
    [
        ({}, {}, "x-asm-prefer-tag", "x-asm-prefer-tag", CUSTOM_HEADER_MODE, "default"),
        ({"route_header": "X-Lane"}, {}, "x-lane", "x-lane", CUSTOM_HEADER_MODE, "argument"),
        ({}, {"LANEBAGGAGE_ROUTE_HEADER": " X-Lane "}, "x-lane", "x-lane", CUSTOM_HEADER_MODE, "LANEBAGGAGE_ROUTE_HEADER"),
        ({"route_header": "a"}, {"LANEBAGGAGE_ROUTE_HEADER": "b"}, "a", "a", CUSTOM_HEADER_MODE, "argument"),
        ({"trace_header": "my-trace-id"}, {}, "x-asm-prefer-tag", "my-trace-id", TRACE_ID_MODE, "default"),
        ({}, {"LANEBAGGAGE_TRACE_HEADER": "Baggage"}, "x-asm-prefer-tag", "baggage", BAGGAGE_MODE, "default"),
        ({"preset": "mse"}, {}, "x-mse-tag", "x-mse-tag", CUSTOM_HEADER_MODE, "preset mse"),
        ({}, {"LANEBAGGAGE_PRESET": "okteto"}, "okteto-divert", "baggage", BAGGAGE_MODE, "preset okteto"),
        ({"preset": "mse", "route_header": "x-mine"}, {}, "x-mine", "x-mse-tag", TRACE_ID_MODE, "argument"),
        ({}, {"LANEBAGGAGE_ROUTE_HEADER": ""}, "x-asm-prefer-tag", "x-asm-prefer-tag", CUSTOM_HEADER_MODE, "default"),
    ],
)
def test_precedence(arguments: dict[str, Any], environ: dict[str, str], route: str, trace: str, mode: str, source: str) -> None:
    """Argument, variable, preset, default, in this order; each setting knows where it came from."""
    settings = resolve(arguments, environ)
    assert (settings.route_header, settings.trace_header, settings.mode) == (route, trace, mode)
    assert settings.sources["route_header"] == source


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_usable(preset: str) -> None:
    """Each neighbour's carrier resolves to settings that pass every check."""
    settings = resolve({"preset": preset}, {})
    assert settings.baggage_key.lower() == settings.route_header


def test_lists_and_flags() -> None:
    """Lists are comma-separated in the environment; blanks and repetitions do no harm."""
    settings = resolve(
        {},
        {
            "LANEBAGGAGE_PASS_THROUGH": "X-Request-Id, x-sermant-*,,x-request-id",
            "LANEBAGGAGE_ALLOW": "a.example , 10.0.0.0/8",
            "LANEBAGGAGE_EDGE": "Yes",
            "LANEBAGGAGE_LANES": "s1,s2",
            "LANEBAGGAGE_DISABLED": "flask",
        },
    )
    assert settings.pass_through == ("x-request-id", "x-sermant-*")
    assert settings.allow == ("a.example", "10.0.0.0/8")
    assert settings.edge is True
    assert settings.lanes == {"s1", "s2"}
    assert settings.disabled == {"flask"}


@pytest.mark.parametrize(
    ("arguments", "environ", "message"),
    [
        ({"preset": "azure"}, {}, r"argument: no preset is called 'azure'; presets are asm, "),
        ({}, {"LANEBAGGAGE_PRESET": "azure"}, r"LANEBAGGAGE_PRESET: no preset"),
        (
            {"route_header": "x lane"},
            {},
            r"argument: route_header must be a header name such as x-asm-prefer-tag, not 'x lane'",
        ),
        ({"route_header": "x-läne"}, {}, r"must be a header name"),
        ({"route_header": 7}, {}, r"must be a header name"),
        ({"route_header": "baggage"}, {}, r"set trace_header='baggage'"),
        ({"trace_header": "Authorization"}, {}, r"trace_header cannot be authorization"),
        ({"pass_through": ["cookie"]}, {}, r"pass_through cannot be cookie"),
        ({"pass_through": "*"}, {}, r"would forward everything"),
        ({"pass_through": "x*"}, {}, r"would forward everything"),
        ({"pass_through": 7}, {}, r"must be a list of names"),
        ({"allow": [7]}, {}, r"allow must hold texts"),
        ({"baggage_key": "a b"}, {}, r"baggage_key must be a token"),
        ({}, {"LANEBAGGAGE_EDGE": "maybe"}, r"LANEBAGGAGE_EDGE: edge must be true or false"),
        ({"route_header": "x" * 500 + " "}, {}, r"\.\.\.'$"),
    ],
)
def test_an_unusable_value_is_an_error(arguments: dict[str, Any], environ: dict[str, str], message: str) -> None:
    """The message names the source and the setting and shows what to write."""
    with pytest.raises(SettingsError, match=message):
        resolve(arguments, environ)


def test_settings_never_change() -> None:
    """Code that holds settings can rely on them."""
    with pytest.raises(AttributeError, match="auto_instrument"):
        resolve({}, {}).edge = True


def test_the_page_of_settings_has_every_setting_and_preset() -> None:
    """docs/reference/settings.md names what there is: no more, no less, and each default that is one text."""
    page = (Path(__file__).parents[1] / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    first, _, rest = page.partition("## Presets")
    assert re.findall(r"^\| `(\w+)` \|", first.partition("## Modes")[0], re.MULTILINE) == ["preset", *SETTINGS]
    assert re.findall(r"^\| `(\w+)` \|", rest, re.MULTILINE) == list(PRESETS)
    for name, preset in PRESETS.items():
        row = next(line for line in rest.splitlines() if line.startswith(f"| `{name}`"))
        for header in ("route_header", "baggage_key"):
            assert f"`{preset.get(header, name)}`" in row
