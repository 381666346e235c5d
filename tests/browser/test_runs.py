"""A run in the browser: its waterfall while it works and afterwards, and how quickly pages open beside much history."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.measuring import are_within
from tests.browser.second import Second
from tests.flows.stack import Stack

MANY_STEPS = 5000

TIMES = """async () => {
    const [page] = performance.getEntriesByType("navigation");
    const paint = await new Promise((done) => {
        new PerformanceObserver((list) => done(list.getEntries().at(-1).startTime))
            .observe({ type: "largest-contentful-paint", buffered: true });
    });
    return { server: page.responseStart - page.requestStart, paint, loaded: page.loadEventEnd };
}"""


@pytest.fixture(scope="module")
def history(stack: Stack) -> str:
    """Much of it, of the second person; gives the address of a run with 5,000 steps."""
    email = stack.accounts.stranger_email
    stack.manage("seed", "--agents", "5", "--threads", "200", "--messages", "10000", "--user", email)
    said = stack.manage("shell", "--no-imports", "-v", "0", "-c", MAKE_STEPS.format(email=email, count=MANY_STEPS))
    return f"/runs/{said.strip().splitlines()[-1]}/"


MAKE_STEPS = """
from datetime import timedelta
from runs.models import Run, Step
run = Run.objects.filter(owner__email="{email}", status="succeeded").latest("id")
run.steps.all().delete()
begin = run.started_at
Run.objects.filter(pk=run.pk).update(finished_at=begin + timedelta(seconds={count}))
Step.objects.bulk_create([
    Step(run=run, index=n + 1, kind=["model", "tool"][n % 2], name=["fake-1", "calculate"][n % 2],
         status="failed" if n % 97 == 96 else "succeeded", input="in " * 500, output=f"out {{n + 1}} " * 500,
         started_at=begin + timedelta(seconds=n), finished_at=begin + timedelta(seconds=n + 1))
    for n in range({count})
], batch_size=500)
print(run.pk)
"""


def opened(page: Page, address: str) -> dict[str, float]:
    """Milliseconds, of one load of a page."""
    page.goto(address)
    page.wait_for_function("() => performance.getEntriesByType('navigation')[0].loadEventEnd > 0")
    found: dict[str, float] = page.evaluate(TIMES)
    return found


@pytest.mark.alone
def test_fact_02_home_a_thread_and_a_run_are_painted_within_half_a_second_beside_much_history(
    second: Second, stack: Stack, history: str
) -> None:
    page = second.context.new_page()
    thread = second.get("/api/threads?limit=1")[0]["id"]
    for path in ("/", f"/threads/{thread}/", history):
        most = {"paint": 500.0, "server": 150.0}
        medians = are_within(lambda path=path: opened(page, f"{stack.origin}{path}"), most)  # type: ignore[misc]
        print(path, medians)


@pytest.mark.alone
def test_fact_11_a_run_of_5000_steps_opens_quickly_and_so_does_each_of_its_steps(
    second: Second, stack: Stack, history: str
) -> None:
    page = second.context.new_page()
    print(are_within(lambda: opened(page, f"{stack.origin}{history}"), {"loaded": 800.0}))
    expect(page.locator("details.step")).to_have_count(200)
    numbers = iter(range(3, 200))

    def unfold() -> dict[str, float]:
        return {"unfolded": unfolded_in(page, next(numbers))}

    print(are_within(unfold, {"unfolded": 150.0}))
    expect(page.locator("#step-3 .io")).to_contain_text("out 3 out 3")


def unfolded_in(page: Page, number: int) -> float:
    """Milliseconds from the click on a step until what came out of it can be seen."""
    took: float = page.evaluate(
        """(number) => new Promise((done) => {
            const step = document.getElementById(`step-${number}`), begin = performance.now();
            step.addEventListener("htmx:afterSwap", () => requestAnimationFrame(() => done(performance.now() - begin)));
            step.querySelector("summary").click();
        })""",
        number,
    )
    return took


def test_more_steps_come_at_the_end_and_an_address_names_one_of_them(
    second: Second, stack: Stack, history: str
) -> None:
    page = second.context.new_page()
    page.goto(f"{stack.origin}{history}")
    page.get_by_role("link", name="More steps").click()
    expect(page.locator("details.step")).to_have_count(400)
    expect(page.locator("#step-400")).to_be_visible()
    page.goto(f"{stack.origin}/runs/")
    page.goto(f"{stack.origin}{history}#step-4321")
    expect(page.locator("#step-4321 .io")).to_contain_text("out 4321")
    expect(page.locator("#step-4321")).to_be_in_viewport()
    page.get_by_role("link", name="By order").click()
    expect(page.get_by_role("link", name="By order")).to_have_attribute("aria-current", "page")
    page.goto(f"{stack.origin}{history}#step-7")
    expect(page.locator("#step-7 .io")).to_contain_text("out 7")


def run_html(page: Page) -> str:
    """The run as it stands, without what this reader did to it (steps unfolded), and what differs in every page."""
    found: str = page.evaluate(
        """() => {
            const run = document.getElementById("run").cloneNode(true);
            for (const step of run.querySelectorAll("details.step")) step.removeAttribute("open");
            for (const io of run.querySelectorAll(".io")) io.replaceChildren();
            for (const token of run.querySelectorAll("[name=csrfmiddlewaretoken]")) token.removeAttribute("value");
            return run.outerHTML;
        }"""
    )
    return found


def test_a_run_that_is_watched_ends_as_the_page_that_is_opened_afterwards(second: Second, stack: Stack) -> None:
    agent = second.agent("Surveyor", tools=["current_time", "calculate"])
    run = second.say(second.thread(agent, "Three rounds"), "[[script: rounds n=3 first=1.5]]")
    page = second.context.new_page()
    page.goto(f"{stack.origin}/runs/{run}/")
    expect(page.locator("h1 + .pill")).to_have_text("Working")
    first = page.locator("#step-1")
    first.locator("summary").click()
    expect(first.locator(".io")).to_contain_text("1 message")
    expect(page.locator("#step-2")).to_be_visible()
    first.locator("summary").focus()
    expect(page.locator("h1 + .pill")).to_have_text("Done", timeout=30_000)
    expect(page.locator("details.step")).to_have_count(7)
    expect(first.locator(".io")).to_contain_text("1 message")
    assert page.evaluate("document.activeElement.id") == "step-1-head", "the focus stays where it was"
    expect(page.locator("#run[data-quiet]")).to_have_count(0)
    other = second.context.new_page()
    other.goto(page.url)
    assert run_html(page) == run_html(other)
    expect(other.locator("#run")).to_contain_text("The tools said")
    expect(other.locator("#run")).to_contain_text("current_time, calculate")


def test_a_step_leads_to_its_place_in_the_thread_and_a_tools_row_leads_back(second: Second, stack: Stack) -> None:
    thread = second.thread(second.agent("Pathfinder", tools=["current_time", "calculate"]), "To and fro")
    run = second.say(thread, "[[script: rounds n=2]]")
    page = second.context.new_page()
    page.goto(f"{stack.origin}/runs/{run}/")
    expect(page.locator("h1 + .pill")).to_have_text("Done", timeout=30_000)
    page.goto(f"{stack.origin}/runs/{run}/?step=4#step-4")
    step = page.locator("#step-4")
    expect(step.locator("summary")).to_contain_text(re.compile("current_time|calculate"))
    step.get_by_role("link", name="in the thread").click()
    page.wait_for_url(re.compile(rf"/threads/{thread}/\?around=\d+#m-\d+-k1$"))
    row = page.locator(".tool:target")
    expect(row.get_by_role("heading", name="Output")).to_be_in_viewport()
    row.get_by_role("link", name=f"Step 4 of run {run}").click()
    page.wait_for_url(re.compile(rf"/runs/{run}/\?step=4#step-4$"))
    expect(step).to_have_attribute("open", "")
    expect(step).to_be_in_viewport()


def test_a_run_is_stopped_on_its_page_and_begun_again(second: Second, stack: Stack) -> None:
    run = second.say(second.thread(second.agent("Endless"), "No end"), "[[script: hang after=3]]")
    page = second.context.new_page()
    page.goto(f"{stack.origin}/runs/{run}/")
    expect(page.locator("h1 + .pill")).to_have_text("Working")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#run")).to_contain_text(re.compile("Stopping|Stopped"), timeout=2000)
    expect(page.locator("h1 + .pill")).to_have_text("Stopped")
    assert page.url.endswith(f"/runs/{run}/")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator("h1")).not_to_contain_text(f"Run {run} ")
    page.goto(f"{stack.origin}/runs/?status=working")
    page.get_by_role("button", name="Stop").first.click()
    expect(page.locator("main")).to_contain_text("Stopped by a person")


def test_a_failed_try_and_a_failed_step_can_be_told(second: Second, stack: Stack) -> None:
    agent = second.agent("Stumbler")
    tried = second.say(second.thread(agent, "Twice"), "[[script: status code=429 times=1 retry=1]]")
    page = second.context.new_page()
    page.goto(f"{stack.origin}/runs/{tried}/")
    expect(page.locator("#step-1 summary")).to_contain_text("tried 2 times")
    failed = second.say(second.thread(agent, "Never"), "[[script: 401]]")
    page.goto(f"{stack.origin}/runs/{failed}/")
    expect(page.locator("#step-1 .pill")).to_have_text("Failed")
    expect(page.get_by_role("link", name="Fix the key")).to_be_visible()


def test_without_javascript_a_run_can_be_read(
    contexts: Callable[..., BrowserContext], stack: Stack, history: str
) -> None:
    page = Second(contexts(java_script_enabled=False), stack).context.new_page()
    page.goto(f"{stack.origin}{history}")
    page.get_by_role("link", name="More steps").click()
    expect(page.locator("#step-201")).to_be_visible()
    page.goto(f"{stack.origin}{history}?step=250")
    expect(page.locator("#step-250 .io")).to_contain_text("out 250")
