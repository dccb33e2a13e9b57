"""The context: lanes entered and left by hand, on whichever thread, task or generator."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

import lanebaggage
from lanebaggage import LaneError, current_lane, lane
from lanebaggage._context import CARRIED, UNSET, run_in_empty_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


def test_lanes_nest_and_are_put_back() -> None:
    """Each ``with`` puts back what was, after an exception too."""
    seen = [current_lane()]
    with lane("s2") as name:
        seen += [name, current_lane()]
        with suppress(KeyError), lane(None):
            seen.append(current_lane())
            raise KeyError
        seen.append(current_lane())
        with lane("s3"), lane("s1"):
            seen.append(current_lane())
        seen.append(current_lane())
    seen.append(current_lane())
    assert seen == [None, "s2", "s2", None, "s2", "s1", "s2", None]


def test_one_object_may_be_entered_again_inside_itself() -> None:
    """A scope kept in a variable is as good as a new one."""
    scope = lane("s2")
    with scope, scope:
        assert current_lane() == "s2"
    assert current_lane() is None


def test_a_decorator_for_functions_and_coroutine_functions() -> None:
    """The lane is entered at each call, not at decoration."""

    @lane("s2")
    def work(suffix: str) -> str:
        """Doc."""
        return f"{current_lane()}{suffix}"

    @lane("s3")
    async def later() -> str | None:
        await asyncio.sleep(0)
        return current_lane()

    assert (work("!"), work.__doc__, asyncio.run(later()), current_lane()) == ("s2!", "Doc.", "s3", None)


@pytest.mark.parametrize("name", ["", "a b", "a,b", 'a"', "é", "a" * 129, "a\r\nX: y", "a;b", "a%20b", 7, b"s2"])
def test_a_name_that_cannot_travel_is_an_error(name: Any) -> None:
    """The error comes where the mistake is made, and does not repeat the text."""
    with pytest.raises(LaneError, match=r"a lane's name is 1 to 128 ASCII letters") as caught:
        lane(name)
    assert str(name) not in str(caught.value).partition("this is")[2] or name in ("", 7)


def test_leaving_in_a_foreign_context_touches_nothing() -> None:
    """A scope that is left in another context than it was entered in neither raises nor changes that one."""
    scope = lane("s2")
    contextvars.copy_context().run(scope.__enter__)
    with lane("s3"):
        scope.__exit__(None, None, None)
        assert current_lane() == "s3"


def test_a_generator_closed_by_another_thread_leaves_no_trace() -> None:
    """Nothing is reset where it was not set: the other thread keeps what it has."""

    def body() -> Iterator[str | None]:
        with lane("s2"):
            yield current_lane()

    generator = body()
    assert contextvars.copy_context().run(next, generator) == "s2"
    seen: list[str | None] = []

    def close() -> None:
        with lane("s3"):
            generator.close()
            seen.append(current_lane())

    thread = threading.Thread(target=close)
    thread.start()
    thread.join()
    assert (seen, current_lane()) == (["s3"], None)


async def test_an_async_generator_that_is_cancelled_leaves_no_trace() -> None:
    """A cancelled consumer of a lane's generator raises what it would have raised, and nothing of ours."""

    async def body() -> AsyncIterator[str | None]:
        with lane("s2"):
            while True:
                yield current_lane()

    async def consume(started: asyncio.Event) -> None:
        async for _ in body():
            started.set()
            await asyncio.sleep(3600)

    started = asyncio.Event()
    task = asyncio.create_task(consume(started))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert current_lane() is None


def test_an_empty_context_has_no_lane() -> None:
    """In-process hops run there, so that only headers can carry the lane."""
    with lane("s2"):
        assert run_in_empty_context(current_lane) is None
        assert run_in_empty_context(CARRIED.get) is UNSET


def test_none_and_never_set_are_different() -> None:
    """``lane(None)`` says that there is no lane; never having entered one says nothing."""
    assert CARRIED.get() is UNSET
    with lane(None):
        assert CARRIED.get() is None


def test_current_lane_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken ``opentelemetry.context`` means no lane, not an exception in the application."""
    monkeypatch.setitem(sys.modules, "opentelemetry.context", object())
    assert current_lane() is None


def test_importing_imports_nothing_else() -> None:
    """A service that imports the library pays for no third-party module, nor for the heavy ones of the standard library."""
    code = (
        "import sys; before = set(sys.modules); import lanebaggage; lanebaggage.auto_instrument();"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(new - set(sys.stdlib_module_names) - {'lanebaggage'}),"
        " sorted(new & {'asyncio', 'logging', 're', 'typing', 'inspect', 'dataclasses', 'socket', 'http', 'concurrent',"
        " 'ipaddress', 'json'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[] []\n"


def test_public_names() -> None:
    """Every name in ``__all__`` is there and documented."""
    for name in lanebaggage.__all__:
        assert name == "__version__" or getattr(lanebaggage, name).__doc__
