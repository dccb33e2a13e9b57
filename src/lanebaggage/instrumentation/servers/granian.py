"""granian: what wraps a bare ASGI or WSGI callable for its Rust workers, once for each worker, after the application is loaded.

Nothing below it is Python: a worker calls what was wrapped. So a worker that has started is not changed by a later
``auto_instrument()``; the application's own module may call it, since that is imported before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _asgi, _wsgi

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


def install(module: Any, patch: Patcher) -> None:
    """Extract in the callable that a worker is given."""
    for name, application in (("_asgi_call_wrap", _asgi.application), ("_wsgi_call_wrap", _wsgi.application)):
        if hasattr(module, name):
            patch.method(module, name, _wrapping(application))


def _wrapping(application: Any) -> Any:
    def make(original: Any, gate: Gate) -> Any:
        def wrap(callback: Any, *args: Any, **kwargs: Any) -> Any:
            return original(application(callback, gate) if gate.on else callback, *args, **kwargs)

        return wrap

    return make
