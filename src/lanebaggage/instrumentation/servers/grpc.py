"""gRPC servers: where a call's handler is looked up, before interceptors and handlers run, in grpc and in grpc.aio.

Both are functions that a server looks up in its module for each call, so servers that were made, and started, earlier are
covered, with interceptors given in whichever way. grpc keeps a context for each call, grpc.aio a task; before grpc 1.60 a
call is a job that its thread pool carries.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from ..._context import CARRIED
from ..concurrency import _jobs
from . import _serve

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


def install(module: Any, patch: Patcher) -> None:
    """Extract in ``_find_method_handler``; callbacks for the call's end run in its lane."""
    if module.__name__ == "grpc.aio._server":
        patch.method(sys.modules["grpc._cython.cygrpc"], "_find_method_handler", _find_in_task)
        return
    if hasattr(module._RPCState(), "context"):
        patch.method(module, "_find_method_handler", _find_in_context)
    else:
        patch.method(module, "_handle_call", _serve.serving(_carried))
    patch.method(module._Context, "add_callback", _add_callback)


def _carried(rpc_event: Any, *_: Any) -> Any:
    return _serve.pairs(rpc_event.invocation_metadata or ())


def _find_in_context(original: Any, gate: Gate) -> Any:
    def _find_method_handler(rpc_event: Any, state: Any, *args: Any) -> Any:
        if gate.on:
            try:
                state.context.run(CARRIED.set, _carried(rpc_event))
            except Exception:
                gate.failed()
        return original(rpc_event, state, *args)

    return _find_method_handler


def _find_in_task(original: Any, gate: Gate) -> Any:
    async def _find_method_handler(method: Any, metadata: Any, *args: Any) -> Any:
        if gate.on:
            try:
                CARRIED.set(_serve.pairs(metadata))  # the task is this call's own, and ends with it
            except Exception:
                gate.failed()
        return await original(method, metadata, *args)

    return _find_method_handler


def _add_callback(original: Any, gate: Gate) -> Any:
    def add_callback(self: Any, callback: Any) -> Any:
        return original(self, partial(_jobs.run, CARRIED.get(), callback) if gate.on else callback)

    return add_callback
