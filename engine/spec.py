"""What an agent is, as far as a run of it needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MemoryStrategy = Literal["none", "buffer", "window", "summary"]


@dataclass(frozen=True, slots=True)
class RunSpec:
    """`system` is the agent's current instructions. `window` counts messages (memory 'window' only);
    `context_window` and `max_output_tokens` are tokens; `max_steps` is how many answers of the model a run
    may ask for. `keep_turns` (memory 'summary' only): all but the newest so many turns are folded, however little they
    are; without it, once the window is nearly full."""

    model: str
    system: str
    temperature: float | None = None
    max_output_tokens: int | None = None
    max_steps: int = 20
    memory: MemoryStrategy = "buffer"
    window: int = 20
    context_window: int = 8192
    supports_tools: bool = True
    keep_turns: int | None = None
