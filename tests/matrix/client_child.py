"""A process in which the library is imported after auto_instrument(): ``python -m matrix.client_child MODULE DRIVER URL``."""

from __future__ import annotations

import sys
from importlib import import_module

import lanebaggage

_, module, name, url = sys.argv
driver = getattr(import_module(module), name)
assert driver.module not in sys.modules, f"{driver.module} was imported already"
lanebaggage.auto_instrument()
client = driver()
with lanebaggage.lane("s2"):
    client.send(url)
client.send(url)
client.close()
