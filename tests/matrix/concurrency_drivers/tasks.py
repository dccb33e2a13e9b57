"""Drivers of event loops: tasks, callbacks, and the threads and processes that a loop hands jobs to."""

from __future__ import annotations

import asyncio
import queue
import threading
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any

import lanebaggage

from .base import SECONDS, Driver, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    Jobs = list[tuple[str | None, Callable[..., Any], tuple[Any, ...]]]


class Loop(Driver):
    """A driver that hands jobs over in the coroutine ``hand_over``, which returns something to await."""

    def __init__(self) -> None:
        self.loop = self.make_loop()

    def make_loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.new_event_loop()

    async def hand_over(self, job: Callable[..., Any], *args: Any) -> Any:
        raise NotImplementedError

    def run_each(self, jobs: Jobs) -> list[Any]:
        async def each() -> list[Any]:
            handed = []
            for lane, job, args in jobs:
                with lanebaggage.lane(lane):
                    handed.append(await self.hand_over(job, *args))
            return [await result for result in handed]

        return self.loop.run_until_complete(each())

    def nested(self) -> str | None:
        async def outer() -> Any:
            return await asyncio.create_task(inner())

        async def inner() -> Any:
            return await (await self.hand_over(lanebaggage.current_lane))

        return self.loop.run_until_complete(outer())

    def cancel(self, seen: list[str | None]) -> None:
        async def cancelling() -> None:
            begun = asyncio.Event()

            async def job() -> None:
                begun.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    seen.append(lanebaggage.current_lane())

            task = asyncio.ensure_future(job())
            await begun.wait()
            task.cancel()
            await asyncio.wait([task])

        self.loop.run_until_complete(cancelling())

    def work(self, job: Callable[..., Any]) -> Any:
        async def start() -> Any:
            with lanebaggage.lane(None):
                return await asyncio.ensure_future(coroutine(job))

        return self.loop.run_until_complete(start())

    def close(self) -> None:
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()


async def coroutine(job: Callable[..., Any], *args: Any) -> Any:
    await asyncio.sleep(0)
    return job(*args)


class Task(Loop):
    """``asyncio.create_task``."""

    cancelled = ("s2",)

    async def hand_over(self, job: Callable[..., Any], *args: Any) -> Any:
        return asyncio.create_task(coroutine(job, *args))


class Gather(Task):
    """``asyncio.gather``, with a time-out around each."""

    async def hand_over(self, job: Callable[..., Any], *args: Any) -> Any:
        async def first(results: Any) -> Any:
            return (await results)[0]

        return first(asyncio.gather(asyncio.wait_for(coroutine(job, *args), SECONDS)))


class TaskGroup(Task):
    """``asyncio.TaskGroup``, Python 3.11."""

    def run_each(self, jobs: Jobs) -> list[Any]:
        async def each() -> list[Any]:
            tasks = []
            async with asyncio.TaskGroup() as group:
                for lane, job, args in jobs:
                    with lanebaggage.lane(lane):
                        tasks.append(group.create_task(coroutine(job, *args)))
            return [task.result() for task in tasks]

        try:
            return self.loop.run_until_complete(each())
        except Exception as group:
            raise group.exceptions[0] from None  # type: ignore[attr-defined] # an ExceptionGroup


class Callback(Task):
    """``call_soon`` and ``call_later``."""

    async def hand_over(self, job: Callable[..., Any], *args: Any) -> Any:
        loop = asyncio.get_running_loop()
        future = loop.create_future()

        def run() -> None:
            try:
                future.set_result(job(*args))
            except Exception as error:
                future.set_exception(error)

        loop.call_soon(loop.call_later, 0, run)
        return future


class FromThread(Task):
    """``asyncio.run_coroutine_threadsafe`` from another thread, whose lane it is."""

    async def hand_over(self, job: Callable[..., Any], *args: Any) -> Any:
        loop = asyncio.get_running_loop()

        def call() -> Any:
            return asyncio.run_coroutine_threadsafe(coroutine(job, *args), loop).result(SECONDS)

        return loop.run_in_executor(None, call)


class ToThread(Loop):
    """``asyncio.to_thread``."""

    cancelled = ("s2",)

    async def hand_over(self, job: Callable[..., Any], *args: Any) -> Any:
        return asyncio.ensure_future(asyncio.to_thread(job, *args))


class RunInExecutor(ToThread):
    """``loop.run_in_executor`` with the loop's own executor."""

    async def hand_over(self, job: Callable[..., Any], *args: Any) -> Any:
        return asyncio.get_running_loop().run_in_executor(None, job, *args)


class OwnExecutor(Executor):
    """An executor that shares no code with those of the standard library; its thread is made a daemon."""

    def __init__(self) -> None:
        self.jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while (job := self.jobs.get()) is not None:
            future, fn, args = job
            try:
                future.set_result(fn(*args))
            except Exception as error:
                future.set_exception(error)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.jobs.put((future, fn, args))
        return future


class RunInOwnExecutor(ToThread):
    """``loop.run_in_executor`` with an executor of the user's own making."""

    def __init__(self) -> None:
        super().__init__()
        self.executor = OwnExecutor()

    async def hand_over(self, job: Callable[..., Any], *args: Any) -> Any:
        return asyncio.get_running_loop().run_in_executor(self.executor, job, *args)

    def close(self) -> None:
        self.executor.jobs.put(None)
        super().close()


class Uvloop(Task):
    """uvloop, ``create_task``."""

    distribution = "uvloop"

    def make_loop(self) -> asyncio.AbstractEventLoop:
        import uvloop

        return uvloop.new_event_loop()


class UvloopExecutor(RunInOwnExecutor):
    """uvloop, ``run_in_executor`` with an executor of the user's own making."""

    distribution = "uvloop"
    make_loop = Uvloop.make_loop


class SyncToAsync(Loop):
    """asgiref, ``sync_to_async``."""

    distribution = "asgiref"
    cancelled = ("s2",)

    async def hand_over(self, job: Callable[..., Any], *args: Any) -> Any:
        from asgiref.sync import sync_to_async

        return asyncio.ensure_future(sync_to_async(job)(*args))


class AsyncToSync(Driver):
    """asgiref, ``async_to_sync``, and back to a thread."""

    distribution = "asgiref"

    def run_each(self, jobs: Jobs) -> list[Any]:
        from asgiref.sync import async_to_sync, sync_to_async

        results = []
        for lane, job, args in jobs:
            with lanebaggage.lane(lane):
                results.append(async_to_sync(sync_to_async(job))(*args))
        return results


class AnyioGroup(Driver):
    """AnyIO, ``TaskGroup.start_soon``."""

    distribution = "anyio"
    backend = "asyncio"
    cancelled = ("s2",)

    async def hand_over(self, group: Any, outcome: Outcome, job: Callable[..., Any], args: tuple[Any, ...]) -> None:
        import anyio.lowlevel

        async def run() -> None:
            await anyio.lowlevel.checkpoint()
            outcome.run(job, *args)

        group.start_soon(run)

    def run_each(self, jobs: Jobs) -> list[Any]:
        import anyio

        outcomes = [Outcome() for _ in jobs]

        async def each() -> None:
            async with anyio.create_task_group() as group:
                for outcome, (lane, job, args) in zip(outcomes, jobs, strict=True):
                    with lanebaggage.lane(lane):
                        await self.hand_over(group, outcome, job, args)

        anyio.run(each, backend=self.backend)
        return [outcome.get() for outcome in outcomes]

    def nested(self) -> str | None:
        import anyio

        outcome = Outcome()

        async def outer(group: Any) -> None:
            await self.hand_over(group, outcome, lanebaggage.current_lane, ())

        async def start() -> None:
            async with anyio.create_task_group() as group:
                group.start_soon(outer, group)

        anyio.run(start, backend=self.backend)
        return outcome.get()

    def cancel(self, seen: list[str | None]) -> None:
        import anyio

        async def job(begun: anyio.Event) -> None:
            begun.set()
            try:
                await anyio.sleep_forever()
            finally:
                seen.append(lanebaggage.current_lane())

        async def cancelling() -> None:
            begun = anyio.Event()
            async with anyio.create_task_group() as group:
                group.start_soon(job, begun)
                await begun.wait()
                group.cancel_scope.cancel()

        anyio.run(cancelling, backend=self.backend)

    def work(self, job: Callable[..., Any]) -> Any:
        with lanebaggage.lane(None):
            return self.run(job)


class AnyioThread(AnyioGroup):
    """AnyIO, ``to_thread.run_sync``."""

    async def hand_over(self, group: Any, outcome: Outcome, job: Callable[..., Any], args: tuple[Any, ...]) -> None:
        import anyio.to_thread

        group.start_soon(anyio.to_thread.run_sync, lambda: outcome.run(job, *args))


class AnyioFromThread(AnyioGroup):
    """AnyIO, ``from_thread.run`` of a thread."""

    async def hand_over(self, group: Any, outcome: Outcome, job: Callable[..., Any], args: tuple[Any, ...]) -> None:
        import anyio.from_thread
        import anyio.to_thread

        async def back() -> None:
            outcome.run(job, *args)

        group.start_soon(anyio.to_thread.run_sync, lambda: anyio.from_thread.run(back))


class AnyioProcess(AnyioGroup):
    """AnyIO, ``to_process.run_sync``."""

    async def hand_over(self, group: Any, outcome: Outcome, job: Callable[..., Any], args: tuple[Any, ...]) -> None:
        import anyio.to_process

        async def run() -> None:
            try:
                result = await anyio.to_process.run_sync(job, *args)
            except Exception as error:
                outcome.error = error
            else:
                outcome.value = result
            outcome.done.set()

        group.start_soon(run)


class TrioNursery(AnyioGroup):
    """Trio, ``nursery.start_soon``."""

    distribution = "trio"
    backend = "trio"


class TrioThread(AnyioGroup):
    """Trio, ``to_thread.run_sync`` and ``from_thread.run``."""

    distribution = "trio"
    backend = "trio"

    async def hand_over(self, group: Any, outcome: Outcome, job: Callable[..., Any], args: tuple[Any, ...]) -> None:
        import trio

        async def back() -> None:
            outcome.run(job, *args)

        group.start_soon(trio.to_thread.run_sync, lambda: trio.from_thread.run(back))
