"""
Asks for an address in the name of many cards, one after the other, and prints what each was lent.

    python strangers.py CARD COUNT         # a line each: "<mac> <address>", or "<mac> -"

It is run in a network namespace, where it plays machines that somebody plugged in.
"""

from __future__ import annotations

import socket
import struct
import sys

MAGIC = b"\x63\x82\x53\x63"
FIELDS = "!BBBBIHH4s4s4s4s16s64s128s"
DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5


def packet(kind: int, number: int, mac: bytes, options: bytes = b"") -> bytes:
    """Return a DHCP message of a client that wants its answer broadcast."""
    none = b"\0" * 4
    head = struct.pack(FIELDS, 1, 1, 6, 0, number, 0, 0x8000, none, none, none, none, mac.ljust(16, b"\0"), b"", b"")
    return head + MAGIC + bytes([53, 1, kind]) + options + b"\xff"


def answer(line: socket.socket, number: int, kind: int) -> tuple[bytes, bytes] | None:
    """Return the address and the server of the answer that is meant; None when none comes."""
    while True:
        try:
            data = line.recv(2048)
        except TimeoutError:
            return None
        fields = struct.unpack_from(FIELDS, data)
        options, place = {}, 240
        while place < len(data) and data[place] != 255:
            size = data[place + 1]
            options[data[place]] = data[place + 2 : place + 2 + size]
            place += 2 + size
        if fields[4] == number and options.get(53) == bytes([kind]):
            return fields[8], options[54]


def lend(line: socket.socket, number: int) -> str:
    """Return what one more stranger is lent."""
    mac = bytes.fromhex(f"02ba1aff{number:04x}")
    line.sendto(packet(DISCOVER, number, mac), ("255.255.255.255", 67))
    offer = answer(line, number, OFFER)
    if offer is None:
        return f"{mac.hex(':')} -"
    wanted = bytes([50, 4]) + offer[0] + bytes([54, 4]) + offer[1]
    line.sendto(packet(REQUEST, number, mac, wanted), ("255.255.255.255", 67))
    lent = answer(line, number, ACK)
    return f"{mac.hex(':')} {socket.inet_ntoa(lent[0]) if lent else '-'}"


def main(card: str, count: int) -> None:
    """Play the strangers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, card.encode())
        line.bind(("", 68))
        line.settimeout(1.5)
        for number in range(1, count + 1):
            print(lend(line, number), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
