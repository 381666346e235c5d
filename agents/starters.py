"""Beginnings for a new agent: texts that work as they are, and are easy to change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Starter:
    """``name`` is also the agent's, where none was typed; ``words`` say what it is for."""

    name: str
    words: str
    description: str = ""
    system_instructions: str = ""
    task_instructions: str = ""
    tools: list[str] = field(default_factory=list)

    def fields(self, typed_name: str = "") -> dict[str, Any]:
        """The form's values, by the names of its fields."""
        return {
            "name": typed_name.strip() or (self.name if self.description else ""),
            "description": self.description,
            "system_instructions": self.system_instructions,
            "task_instructions": self.task_instructions,
            "tools": self.tools,
        }


STARTERS = {
    "brief": Starter(
        "Morning brief",
        "A short start into the day",
        "Starts the day with what matters.",
        "You write a brief that is read in one minute.\n\n"
        "- Begin with the date and the weekday.\n"
        "- Then at most five points, the most important one first, each in one sentence.\n"
        "- Say what is sure and what is not. Invent nothing.\n"
        "- Write in the language of your task.",
        "Write this morning's brief: today's date, what to think of at this time of the year, "
        "and one good question for the day.",
        ["current_time"],
    ),
    "watcher": Starter(
        "Watcher",
        "Looks whether something has changed",
        "Compares what it sees now with what it saw last, and says what changed.",
        "You watch something and report only changes.\n\n"
        "- Compare what you are given with your last report in this thread.\n"
        "- When something has changed: what it was, what it is now, and whether a person has to act.\n"
        "- When nothing has changed, answer “Nothing new.” and no more.\n"
        "- Quote numbers and names exactly.",
        "Look again. Say what has changed since your last report.",
        ["current_time", "calculate"],
    ),
    "notes": Starter(
        "Meeting notes",
        "Makes notes into decisions and tasks",
        "Turns rough notes into decisions, tasks and open questions.",
        "You are given rough notes or a transcript of a meeting.\n\n"
        "Answer under three headings:\n\n"
        "1. Decisions: what was decided, in one sentence each.\n"
        "2. Tasks: who does what until when, as a table. Write “nobody named” where nobody was.\n"
        "3. Open questions.\n\n"
        "Use the words of the notes. Add nothing that they do not say.",
    ),
    "blank": Starter("Blank", "An empty page"),
}
