"""granian: what wraps a bare ASGI, RSGI or WSGI callable for its Rust workers, once for each, after the application is loaded.

Nothing below it is Python: a worker calls what was wrapped. So a worker that has started is not changed by a later
``auto_instrument()``; the application's own module may call it, since that is imported before. An RSGI application answers
through Rust, too: nothing is added to its answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _asgi, _serve, _wsgi

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


_APPLICATIONS = {
    "_asgi_call_wrap": _asgi.application,
    "_rsgi_call_wrap": _serve.serving_async(lambda scope, _: _serve.pairs(scope.headers.items())),
    "_wsgi_call_wrap": _wsgi.application,
}


def install(module: Any, patch: Patcher) -> None:
    """Extract in the callable that a worker is given."""
    for name, application in _APPLICATIONS.items():
        if hasattr(module, name):
            patch.method(module, name, _wrapping(application))


def _wrapping(application: Any) -> Any:
    def make(original: Any, gate: Gate) -> Any:
        def wrap(callback: Any, *args: Any, **kwargs: Any) -> Any:
            return original(application(callback, gate) if gate.on else callback, *args, **kwargs)

        return wrap

    return make
