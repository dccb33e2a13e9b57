"""Threads of the mesh: one that runs an event loop, and workers that never run out. All daemons, all in an empty context."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextvars import Context
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    T = TypeVar("T")


PATIENCE: Final = 1.0
"""Seconds that the end of a mesh waits for code that blocks."""


class LoopThread:
    """An event loop in a thread of its own.

    :param name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._answers = True
        self._thread = threading.Thread(target=Context().run, args=(self._run,), name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            asyncio.set_event_loop(None)

    def submit(self, coroutine: Coroutine[Any, Any, T], context: Context | None = None) -> Future[T]:
        """Run a coroutine in the loop, in a context that has nothing of the caller's.

        :param context: for the coroutine's task; an empty one unless given.
        """
        future: Future[T] = Future()

        def start() -> None:
            task = self.loop.create_task(coroutine)
            self._tasks.add(task)

            def done(task: asyncio.Task[T]) -> None:
                self._tasks.discard(task)
                if task.cancelled():
                    future.cancel()
                elif error := task.exception():
                    future.set_exception(error)
                else:
                    future.set_result(task.result())

            task.add_done_callback(done)

        self.loop.call_soon_threadsafe(start, context=context or Context())
        return future

    def call(self, coroutine: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Run a coroutine in the loop and wait for its result."""
        return self.submit(coroutine).result(timeout)

    def answers(self) -> bool:
        """Whether something may be run in the loop: no code blocks it. One that did not answer is not asked again."""
        if self._answers:
            turn = threading.Event()
            self.loop.call_soon_threadsafe(turn.set)
            self._answers = turn.wait(PATIENCE)
        return self._answers

    def close(self) -> None:
        """Cancel what is left, stop the loop and end the thread; one that code blocks ends as soon as it does not."""
        if self.loop.is_closed():
            return
        if not self.answers():
            self.loop.call_soon_threadsafe(self.loop.stop)
            return
        try:
            self.call(_cancel_others(), 5)
        except FutureTimeoutError:
            pass
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE)
        if not self._thread.is_alive():
            self.loop.close()


async def _cancel_others() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 4)
    await asyncio.get_running_loop().shutdown_asyncgens()


class Workers:
    """Runs each job at once, in an idle thread or a new one: a bounded pool would deadlock in a chain that meets itself."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads: list[threading.Thread] = []

    def run(self, job: Callable[[], object]) -> None:
        """Run a job, which must not raise."""
        if not self._idle.acquire(blocking=False):
            thread = threading.Thread(target=Context().run, args=(self._work,), name="lanebaggage-mesh-worker", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._jobs.put(job)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            Context().run(job)
            self._idle.release()

    def close(self) -> None:
        """End the threads as they finish what they do."""
        for _ in self._threads:
            self._jobs.put(None)
        until = time.monotonic() + PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._threads.clear()
