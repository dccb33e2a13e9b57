"""Threads, tasks and processes: situations, and what runs the jobs that they are tested with."""

from __future__ import annotations

import sys

from .concurrency_drivers import greenlets, tasks, threads
from .table import Role

CONCURRENCY = Role(
    "concurrency",
    "Threads, tasks and processes",
    {
        "own-job": "a job has the lane of whoever handed it over",
        "object-made-before": "executor, pool or loop made before `auto_instrument()`",
        "import-after": "library imported after `auto_instrument()`",
        "none": "a job handed over outside every lane has none",
        "lazy-worker": "a pool's worker that a request was the first to need keeps nothing",
        "exception": "a job that raises",
        "cancellation": "a job that is cancelled",
        "nested": "a job that hands over a job",
        "five-lanes": "40 jobs (2 where each is a process) of each of 5 lanes at the same time",
        "worker-in-request": "a long-lived worker started inside a request",
        "undo": "`uninstrument()` puts back the identical attributes",
    },
)

NO_POOL = "each job has a thread, task or process of its own: there is no pool"
NO_CANCEL = "it cannot be cancelled"
DAEMONS = "daemonic processes have no children"
CALLER = "it runs nothing beside its caller: there is no worker"
ADD = CONCURRENCY.add

ADD("threading.Thread", threads.Thread, lazy_worker=NO_POOL, cancellation=NO_CANCEL)
ADD("Thread subclass", threads.Subclass, lazy_worker=NO_POOL, cancellation=NO_CANCEL)
ADD("threading.Timer", threads.Timer, lazy_worker=NO_POOL, worker_in_request="a timer runs one job")
ADD("ThreadPoolExecutor", threads.Pool)
ADD("ThreadPoolExecutor.map", threads.Map)
ADD("executor with its own context hand-over", threads.ContextPool)
ADD("ProcessPoolExecutor, fork", threads.ProcessPool)
ADD("ProcessPoolExecutor, spawn", threads.SpawnPool)
ADD("multiprocessing.Process, fork", threads.Process, lazy_worker=NO_POOL, cancellation=NO_CANCEL)
ADD("multiprocessing.Process, spawn", threads.SpawnProcess, lazy_worker=NO_POOL, cancellation=NO_CANCEL)
ADD("multiprocessing.Pool", threads.MultiPool, cancellation=NO_CANCEL, nested=DAEMONS)
ADD("multiprocessing.pool.ThreadPool", threads.MultiThreadPool, cancellation=NO_CANCEL)
ADD("asyncio.create_task", tasks.Task, lazy_worker=NO_POOL)
ADD("asyncio.gather, wait_for", tasks.Gather, lazy_worker=NO_POOL)
if sys.version_info >= (3, 11):
    ADD("asyncio.TaskGroup", tasks.TaskGroup, lazy_worker=NO_POOL)
ADD("call_soon, call_later", tasks.Callback, lazy_worker=NO_POOL)
ADD("run_coroutine_threadsafe", tasks.FromThread, lazy_worker=NO_POOL)
ADD("asyncio.to_thread", tasks.ToThread)
ADD("run_in_executor", tasks.RunInExecutor)
ADD("run_in_executor, own executor", tasks.RunInOwnExecutor)
ADD("uvloop tasks", tasks.Uvloop, lazy_worker=NO_POOL)
ADD("uvloop run_in_executor", tasks.UvloopExecutor)
ADD("sync_to_async", tasks.SyncToAsync)
ADD("async_to_sync", tasks.AsyncToSync, cancellation=NO_CANCEL, worker_in_request=CALLER)
ADD("AnyIO task group", tasks.AnyioGroup, lazy_worker=NO_POOL)
ADD("AnyIO to_thread", tasks.AnyioThread, lazy_worker="AnyIO's threads end with the event loop")
ADD("AnyIO from_thread", tasks.AnyioFromThread, lazy_worker=NO_POOL)
ADD("AnyIO to_process", tasks.AnyioProcess)
ADD("Trio nursery", tasks.TrioNursery, lazy_worker=NO_POOL)
ADD("Trio to_thread, from_thread", tasks.TrioThread)
ADD("gevent.spawn", greenlets.Spawn, lazy_worker=NO_POOL)
ADD("gevent.pool.Pool", greenlets.Pool, lazy_worker="each job has a greenlet of its own")
ADD("gevent ThreadPool", greenlets.ThreadPool, cancellation=NO_CANCEL, worker_in_request="its threads run jobs only")
