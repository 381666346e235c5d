"""A model server that does as it is told: speaks the OpenAI protocol, obeys scripts in the last user message.

`[[script: name key=value …]]` anywhere in that message decides the answer; without one it says `You said: …`.
The scripts are the functions of `tests.fakellm.scripts`. In a test: `async with FakeLLM() as fake:
fake.url`; as a process: `python -m tests.fakellm --port 0 --port-file F`. A request to fold a conversation
into a summary obeys `[[summary-script: …]]` only, as the conversation it quotes may hold scripts of its own.
"""

from __future__ import annotations

from tests.fakellm.server import FakeLLM

__all__ = ["FakeLLM"]
