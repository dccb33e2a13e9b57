"""Servers: the lane of a request is current while it is served, its body streamed and its background work done."""
