"""A process in which the library is imported after auto_instrument(): ``python -m matrix.client_child LIBRARY URL``."""

from __future__ import annotations

import sys

import lanebaggage
from matrix.clients import CLIENTS

driver = CLIENTS.libraries[sys.argv[1]]
assert driver.module not in sys.modules, f"{driver.module} was imported already"
lanebaggage.auto_instrument()
client = driver()
with lanebaggage.lane("s2"):
    client.send(sys.argv[2])
client.send(sys.argv[2])
client.close()
