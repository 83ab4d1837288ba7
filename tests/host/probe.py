"""Runs in a network namespace: listens, or asks whether conversations can be begun; prints JSON."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

PATIENCE = 1.5


def listen(ports: list[str]) -> None:
    """Answer on every port with the address of who asked, until the end."""

    def tcp(number: int) -> None:
        door = socket.create_server(("", number), backlog=64)
        while True:
            one, who = door.accept()
            one.sendall(who[0].encode())
            one.close()

    def udp(number: int) -> None:
        door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        door.bind(("", number))
        while True:
            _, who = door.recvfrom(64)
            door.sendto(who[0].encode(), who)

    for port in ports:
        protocol, _, number = port.partition("/")
        if number:
            threading.Thread(target=tcp if protocol == "tcp" else udp, args=(int(number),), daemon=True).start()
    print("ready", flush=True)
    time.sleep(3600)


def ask(source: str, to: str, port: str) -> str:
    """Return what came back: an address, `refused` by a machine that was reached, or nothing."""
    protocol, _, number = port.partition("/")
    if protocol == "icmp":
        argv = ["ping", "-n", "-q", "-c1", f"-W{int(PATIENCE + 0.5)}", "-I", source, to]
        return "pong" if subprocess.run(argv, capture_output=True, check=False).returncode == 0 else ""
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as way:
        way.settimeout(PATIENCE)
        way.bind((source, 0))
        try:
            way.connect((to, int(number)))
            if protocol == "udp":
                way.send(b"?")
            return way.recv(64).decode()
        except ConnectionRefusedError:
            return "refused"
        except OSError:
            return ""


if __name__ == "__main__":
    if sys.argv[1] == "listen":
        listen(json.loads(sys.argv[2]))
    with ThreadPoolExecutor(128) as pool:
        print(json.dumps(list(pool.map(lambda question: ask(*question), json.loads(sys.argv[2])))))
