"""Somebody else on the same Zerg, whom no other test disturbs: their inbox holds what a test put there."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import BrowserContext, expect

from tests.flows.stack import Stack


class Second:
    """A person with agents of their own; ``context`` is their browser, ``post`` and ``get`` are their program."""

    def __init__(self, context: BrowserContext, stack: Stack) -> None:
        self.context = context
        self.stack = stack
        page = context.new_page()
        page.goto(f"{stack.origin}/sign-in/")
        page.get_by_label("E-mail").fill(stack.accounts.stranger_email)
        page.get_by_label("Password").fill(stack.accounts.stranger_password)
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator("#now h1")).to_be_visible()
        page.close()

    def post(self, path: str, **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.stack.accounts.stranger_token}"}
        answer = self.context.request.post(f"{self.stack.origin}{path}", headers=headers, data=body)
        assert answer.ok, (path, answer.status, answer.text())
        return answer.json()

    def get(self, path: str) -> Any:
        headers = {"Authorization": f"Bearer {self.stack.accounts.stranger_token}"}
        return self.context.request.get(f"{self.stack.origin}{path}", headers=headers).json()

    def agent(self, name: str, **fields: Any) -> int:
        return int(self.post("/api/agents", name=name, **fields)["id"])

    def thread(self, agent: int, title: str) -> int:
        return int(self.post("/api/threads", agent_id=agent, title=title)["id"])

    def say(self, thread: int, text: str) -> int:
        """The id of the run that will answer."""
        return int(self.post(f"/api/threads/{thread}/messages", role="user", content=text)["run_id"])
