"""
A line with a delay, for SSH's ProxyCommand: it stands for the distance between a central team and a mall.

    ssh -o ProxyCommand="python -m benchmarks.distance %h %p 0.02" …      # seconds, each way
"""

from __future__ import annotations

import asyncio
import os
import sys


async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter, delay: float) -> None:
    """Pass on what comes, each piece as long after its arrival as the delay."""
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def deliver() -> None:
        while True:
            due, data = await under_way.get()
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
            if not data:
                return
            sink.write(data)

    delivering = asyncio.create_task(deliver())
    while data := await source.read(65536):
        under_way.put_nowait((asyncio.get_running_loop().time() + delay, data))
    under_way.put_nowait((asyncio.get_running_loop().time() + delay, b""))
    await delivering


async def main(host: str, port: int, delay: float) -> None:
    """Join standard input and output with a socket."""
    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection(host, port)
    typed = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(typed), os.fdopen(0, "rb"))
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(1, "wb"))
    shown = asyncio.StreamWriter(transport, protocol, None, loop)
    await asyncio.wait(
        [asyncio.create_task(carry(typed, writer, delay)), asyncio.create_task(carry(reader, shown, delay))],
        return_when=asyncio.FIRST_COMPLETED,
    )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
