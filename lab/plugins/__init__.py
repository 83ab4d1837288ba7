"""
Stand-ins for two Pulumi plugins that no package registry serves.

They stand for the upstream `pulumi-language-python` and `pulumi-resource-kubernetes`. The lab puts
them last on PATH and each hands over to the upstream one where that is installed; nothing in the
product knows them. They serve the same protocol, complete enough for the lab and no more.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent import futures
from pathlib import Path

import grpc

from lab import state

STANDINS = {
    "pulumi-language-python": ("lab.plugins.language_host", "language-python-v*"),
    "pulumi-resource-kubernetes": ("lab.plugins.provider", "resource-kubernetes-v4*"),
}
MESSAGE_BYTES = 400 * 1024 * 1024


def install() -> Path:
    """Write the two launchers and return their folder, to be put last on PATH."""
    folder = state.ROOT / "plugins"
    for name, (module, upstream) in STANDINS.items():
        launcher = state.write(
            folder / name,
            f"""#!/bin/sh
# A stand-in of the lab; an installed upstream plugin wins.
for found in "${{PULUMI_HOME:-$HOME/.pulumi}}"/plugins/{upstream}/{name}; do
  [ -x "$found" ] && exec "$found" "$@"
done
exec {sys.executable} -m {module} "$@"
""",
        )
        launcher.chmod(0o755)
    return folder


def serve(register: Callable[[grpc.Server], None], stop: Callable[[], None] = lambda: None) -> None:
    """Serve on a free port of loopback, say it on stdout, and end with the engine that started us."""
    server = grpc.server(
        futures.ThreadPoolExecutor(16),
        options=[("grpc.max_receive_message_length", MESSAGE_BYTES), ("grpc.max_send_message_length", MESSAGE_BYTES)],
    )
    register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()

    def leave(*_: object) -> None:
        stop()
        os._exit(0)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    # A killed engine says no goodbye; whoever lost its parent must not live on.
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.3)
        leave()

    threading.Thread(target=watch, daemon=True).start()
    server.wait_for_termination()
