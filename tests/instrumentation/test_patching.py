"""Patching: in place, guarded, undone to the very object found, whoever patched on top."""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import Any
from unittest import mock

import pytest

from lanebaggage.instrumentation import _patching
from lanebaggage.instrumentation._patching import Gate, MissingAttributeError, Patcher


class Base:
    def inherited(self) -> str:
        return "inherited"

    @property
    def attribute(self) -> str:
        return "attribute"


class Library(Base):
    def method(self, value: int = 1) -> str:
        """Doc."""
        return f"method {value}"

    async def later(self) -> str:
        return "later"

    @classmethod
    def by_class(cls) -> str:
        return cls.__name__

    @staticmethod
    def static() -> str:
        return "static"


def loud(original: Any, gate: Gate) -> Any:
    def replacement(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        return f"{result}!" if gate.on else result

    return replacement


def loud_proxy(gate: Gate) -> Any:
    def wrapper(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        return f"{wrapped(*args, **kwargs)}!"

    return wrapper


def handed_on(original: Any, gate: Gate) -> Any:
    def replacement(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **kwargs)

    return replacement


def handed_on_proxy(gate: Gate) -> Any:
    def wrapper(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        return wrapped(*args, **kwargs)

    return wrapper


@pytest.fixture
def snapshot() -> Any:
    before = {owner: dict(vars(owner)) for owner in (Base, Library)}
    yield before
    _patching.undo_all()
    for owner, names in before.items():
        for name, value in names.items():
            if name not in ("__dict__", "__weakref__") and vars(owner).get(name) is not value:
                setattr(owner, name, value)


@pytest.mark.parametrize("form", ["method", "wrap"])
@pytest.mark.parametrize(
    ("name", "plain"), [("method", "method 1"), ("inherited", "inherited"), ("by_class", "Library"), ("static", "static")]
)
def test_a_method_is_replaced_and_put_back(snapshot: Any, form: str, name: str, plain: str) -> None:
    """Objects and functions taken earlier see the replacement; undo gives back the identical attribute, or none."""
    subject = Library()
    patcher = Patcher("library")
    getattr(patcher, form)(Library, name, loud if form == "method" else loud_proxy)
    assert getattr(subject, name)() == f"{plain}!"
    assert getattr(Library(), name)() == f"{plain}!"
    assert _patching.patched("library") == [f"{__name__}.Library.{name}"]
    _patching.undo_all()
    assert getattr(subject, name)() == plain
    assert vars(Library).get(name) is snapshot[Library].get(name)
    assert (name in vars(Library)) == (name in snapshot[Library])


@pytest.mark.parametrize("form", ["method", "wrap"])
def test_a_replacement_looks_like_the_original(snapshot: Any, form: str) -> None:
    """Name, documentation and signature are the original's, for the frameworks that ask."""
    original = Library.method
    getattr(Patcher("library"), form)(Library, "method", loud if form == "method" else loud_proxy)
    assert (Library.method.__name__, Library.method.__doc__) == ("method", "Doc.")
    assert inspect.signature(Library.method) == inspect.signature(original)


@pytest.mark.parametrize("form", ["method", "wrap"])
def test_a_replacement_of_a_coroutine_function_is_mocked_as_one(snapshot: Any, form: str) -> None:
    """A replacement may hand on the original's coroutine; ``autospec`` gives a mock that is awaited all the same."""
    getattr(Patcher("library"), form)(Library, "later", handed_on if form == "method" else handed_on_proxy)
    assert asyncio.run(Library().later()) == "later"
    with mock.patch.object(Library(), "later", autospec=True, return_value="mocked") as later:
        assert asyncio.run(later()) == "mocked"
    getattr(Patcher("library"), form)(Library, "method", loud if form == "method" else loud_proxy)
    with mock.patch.object(Library(), "method", autospec=True, return_value="mocked") as method:
        assert method() == "mocked"


def test_patching_twice_patches_once(snapshot: Any) -> None:
    """A second install, as after a reload, does not stack."""
    Patcher("library").method(Library, "method", loud)
    Patcher("library").method(Library, "method", loud)
    assert Library().method() == "method 1!"


@pytest.mark.parametrize("form", ["method", "wrap"])
def test_a_later_patch_of_somebody_else_stays(snapshot: Any, form: str) -> None:
    """Undo below a foreign patch switches ours off; switched on again, ours works once and not twice."""
    patcher, make = Patcher("library"), loud if form == "method" else loud_proxy
    getattr(patcher, form)(Library, "method", make)
    ours = Library.method

    def foreign(self: Any) -> str:
        return f"<{ours(self)}>"

    Library.method = foreign  # type: ignore[assignment, method-assign]
    assert Library().method() == "<method 1!>"
    _patching.undo_all()
    assert vars(Library)["method"] is foreign
    assert Library().method() == "<method 1>"
    getattr(Patcher("library"), form)(Library, "method", make)
    assert vars(Library)["method"] is foreign
    assert Library().method() == "<method 1!>"


def test_a_foreign_patch_that_has_gone_since(snapshot: Any) -> None:
    """Where the foreign patch was taken off meanwhile, ours is put in place anew and still works once."""
    Patcher("library").method(Library, "method", loud)
    ours = Library.method
    Library.method = lambda self: f"<{ours(self)}>"  # type: ignore[assignment, method-assign]
    _patching.undo_all()
    Library.method = snapshot[Library]["method"]  # type: ignore[method-assign]
    Patcher("library").method(Library, "method", loud)
    assert Library().method() == "method 1!"
    _patching.undo_all()
    assert vars(Library)["method"] is snapshot[Library]["method"]


def test_a_missing_attribute_is_named_and_what_was_done_rolls_back(snapshot: Any) -> None:
    """A version without what is patched is left as it was, whole."""
    patcher = Patcher("library")
    patcher.method(Library, "method", loud)
    with pytest.raises(MissingAttributeError, match=r"Library\.gone"):
        patcher.method(Library, "gone", loud)
    patcher.rollback()
    assert vars(Library)["method"] is snapshot[Library]["method"]
    assert _patching.patched("library") == []


def test_a_descriptor_is_replaced_and_put_back(snapshot: Any) -> None:
    """Properties are replaced in the same way."""
    Patcher("library").descriptor(Base, "attribute", lambda found, gate: property(lambda self: f"{found.fget(self)}!"))
    assert Library().attribute == "attribute!"
    _patching.undo_all()
    assert vars(Base)["attribute"] is snapshot[Base]["attribute"]


def test_a_failure_of_ours_is_reported_once_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    """The warning names the library, the type and the place, never what the exception says."""
    gate = Gate("library")
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            try:
                raise ValueError("secret")
            except ValueError:
                gate.failed()
    assert len(caplog.records) == 1
    assert "library" in caplog.text
    assert f"ValueError at {__name__}:" in caplog.text
    assert "secret" not in caplog.text


def test_a_wrapt_proxy_below_is_called_as_a_method() -> None:
    """A neighbour's wrapt wrapper, patched earlier, still gets the instance it was called on."""
    import wrapt

    class Library:
        def method(self) -> str:
            return "method"

    def neighbour(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        return f"{type(instance).__name__} {wrapped(*args, **kwargs)}"

    wrapt.wrap_function_wrapper(Library, "method", neighbour)
    Patcher("test").method(Library, "method", loud)
    assert Library().method() == "Library method!"
