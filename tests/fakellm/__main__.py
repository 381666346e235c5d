"""The fake model server as a process: `python -m tests.fakellm --port 0 --port-file F [--key K]`."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from pathlib import Path

from tests.fakellm.server import FakeLLM


async def serve(host: str, port: int, port_file: Path | None, key: str) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with FakeLLM(host=host, port=port, key=key) as fake:
        if port_file is not None:
            # Whole or not at all: the reader polls for the file.
            whole = port_file.with_name(f"{port_file.name}.{os.getpid()}")
            whole.write_text(str(fake.port))
            whole.replace(port_file)
        print(fake.url, flush=True)
        await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.fakellm", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--port-file", type=Path, help="where to write the port once it listens")
    parser.add_argument("--key", default="", help="the only key accepted; without it every key but bad-key is")
    options = parser.parse_args()
    asyncio.run(serve(options.host, options.port, options.port_file, options.key))


if __name__ == "__main__":
    main()
