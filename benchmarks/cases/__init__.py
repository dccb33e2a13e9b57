"""The cases; importing this package enters them all."""

from . import alone, clients, jobs, servers

__all__ = ["alone", "clients", "jobs", "servers"]
