"""Run by Python itself, before the program, where ``lanebaggage run`` put this directory first on PYTHONPATH.

A ``sitecustomize`` of the user's, which this file stands in front of, is executed as the module that it would have been.
The directory stays on the path, so that subprocesses, reloaders and workers find it as well.
"""

import os
import sys


def _users_own() -> None:
    """Execute the next sitecustomize on the path in our place; what it raises is Python's to report, as ever."""
    from importlib.machinery import PathFinder

    here = os.path.dirname(__file__)
    if here not in sys.path:
        return
    spec = PathFinder.find_spec("sitecustomize", sys.path[sys.path.index(here) + 1 :])
    if spec is None or spec.loader is None:
        return
    from importlib.util import module_from_spec

    module = module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


def _lanebaggage() -> None:
    try:
        from lanebaggage._launcher.start import start_in_children
    except ImportError as error:
        print(
            f"lanebaggage: {sys.executable} runs without it, since it is not installed there ({error}); "
            "pip install lanebaggage with that Python",
            file=sys.stderr,
        )
    else:
        start_in_children()


try:
    _users_own()
finally:
    _lanebaggage()
