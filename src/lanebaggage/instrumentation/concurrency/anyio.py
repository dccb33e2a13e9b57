"""AnyIO: jobs of ``to_process.run_sync`` and ``to_interpreter.run_sync`` carry the caller's lane.

Programs import those two functions by name, before us perhaps, so what they call is patched: a worker interpreter's ``call``,
and, for worker processes, the ``pickle`` that the module looks up to send a job. Tasks and threads run in the caller's
context anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _jobs

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


def install(module: Any, patch: Patcher) -> None:
    """Carry in ``to_interpreter._Worker.call``, and in ``to_process.pickle``, which get the function to call."""
    if module.__name__ == "anyio.to_process":
        patch.descriptor(module, "pickle", _Pickle)
    else:
        patch.method(module._Worker, "call", _call)


class _Pickle:
    """``pickle`` as ``to_process`` sees it."""

    def __init__(self, original: Any, gate: Gate) -> None:
        self._original = original
        self._gate = gate

    def dumps(self, command: Any, *args: Any, **kwargs: Any) -> Any:
        """Pickle a command for a worker, the job of a ``run`` in the caller's lane."""
        if self._gate.on and type(command) is tuple and command[:1] == ("run",):
            command = (command[0], _jobs.bound_for_process(command[1]), *command[2:])
        return self._original.dumps(command, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


def _call(original: Any, gate: Gate) -> Any:
    def call(self: Any, func: Any, *args: Any, **kwargs: Any) -> Any:
        return original(self, _jobs.bound_for_process(func) if gate.on else func, *args, **kwargs)

    return call
