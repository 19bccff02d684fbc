"""The engine's own endpoint in a process of its own: `python _server.py GGUF SLOTS CONTEXT`.

Prints its base URL and serves until standard input is closed. One engine thread, whatever the load.
"""

from __future__ import annotations

import os
import sys

os.environ["CI"] = "1"  # the engine takes one thread there: threads must not depend on how busy the machine was

from personae.models import loopback_server

path, slots, context = sys.argv[1:4]
with loopback_server(path, int(slots), context=int(context)) as url:
    print(url, flush=True)
    sys.stdin.read()
