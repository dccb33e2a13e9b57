"""gevent: monkey-patched before or after, greenlets with a context of their own."""

from __future__ import annotations

import subprocess
import sys
from contextvars import Context

import pytest

import lanebaggage

PROGRAM = """
{first}
{second}
import threading
from concurrent.futures import ThreadPoolExecutor
import gevent
import lanebaggage

seen = []

def note():
    gevent.sleep(0)
    seen.append(lanebaggage.current_lane())

with lanebaggage.lane("s2"):
    pool = ThreadPoolExecutor(1)
    jobs = [gevent.spawn(note), threading.Thread(target=note), threading.Thread(target=note, daemon=True)]
    for thread in jobs[1:]:
        thread.start()
    pool.submit(note).result()
jobs[0].join()
for thread in jobs[1:]:
    thread.join()
pool.submit(note).result()
print(sorted(seen, key=str), seen[-1])
"""
PATCH = "from gevent import monkey; monkey.patch_all()"
INSTRUMENT = "import lanebaggage; lanebaggage.auto_instrument()"


@pytest.mark.parametrize("order", [(PATCH, INSTRUMENT), (INSTRUMENT, PATCH)], ids=["patched-before", "patched-after"])
def test_monkey_patching(order: tuple[str, str]) -> None:
    """Greenlets, threads and pools have the lane, daemons and the pool's own thread none, in either order."""
    program = PROGRAM.format(first=order[0], second=order[1])
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "[None, None, 's2', 's2', 's2'] None\n", done.stderr


def test_own_context_is_kept() -> None:
    """A greenlet that was given a context of its own keeps it, and one that was started is left alone."""
    import gevent

    lanebaggage.auto_instrument()
    greenlet = gevent.Greenlet(lanebaggage.current_lane)
    greenlet.gr_context = own = Context()
    with lanebaggage.lane("s2"):
        greenlet.start()
        greenlet.start()
    assert greenlet.get() is None
    assert greenlet.gr_context is own
    with lanebaggage.lane("s2"):
        greenlet.start()  # finished long ago; gevent ignores it
    assert greenlet.get() is None


def test_only_the_lane_is_inherited() -> None:
    """No other context variable reaches a greenlet because of us."""
    from contextvars import ContextVar

    import gevent

    lanebaggage.auto_instrument()
    variable: ContextVar[str] = ContextVar("variable", default="default")
    variable.set("caller's")
    with lanebaggage.lane("s2"):
        assert gevent.spawn(lambda: (variable.get(), lanebaggage.current_lane())).get() == ("default", "s2")


def test_executor_of_gevent() -> None:
    """gevent's own ThreadPoolExecutor carries, and so does ``loop.run_in_executor`` with it."""
    from gevent.threadpool import ThreadPoolExecutor

    lanebaggage.auto_instrument()
    with ThreadPoolExecutor(1) as pool:
        with lanebaggage.lane("s2"):
            assert pool.submit(lanebaggage.current_lane).result() == "s2"
        assert pool.submit(lanebaggage.current_lane).result() is None
