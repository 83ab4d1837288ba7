"""Runs in a namespace: answers each line (and sends as much as it is asked for), or talks until nobody answers."""

from __future__ import annotations

import socket
import sys
import threading
import time


def answer(way: socket.socket) -> None:
    """Answer one conversation to its end."""
    with way, way.makefile("rwb", buffering=0) as lines:
        for line in lines:
            word, _, size = line.partition(b" ")
            if word == b"send":
                way.sendall(bytes(int(size)))
                return
            lines.write(line)


def serve(places: list[str]) -> None:
    """Answer on every address,port."""

    def stand(door: socket.socket) -> None:
        while True:
            threading.Thread(target=answer, args=(door.accept()[0],), daemon=True).start()

    for place in places:
        address, _, port = place.rpartition(",")
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        door = socket.create_server((address, int(port)), family=family, backlog=64)
        threading.Thread(target=stand, args=(door,), daemon=True).start()
    print("ready", flush=True)
    time.sleep(3600)


def talk(address: str, port: int) -> int:
    """Say something twice a second; return 1 when no answer comes within five seconds."""
    with socket.create_connection((address, port), timeout=5) as way:
        for n in range(10_000):
            try:
                way.sendall(b"still there?\n")
                if not way.recv(64):
                    return 1
            except OSError:
                return 1
            if n == 0:
                print("answered", flush=True)
            time.sleep(0.5)
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2:])
    sys.exit(talk(sys.argv[2], int(sys.argv[3])))
