"""The search page and what the palette offers."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from accounts.models import User
from agents.models import Agent
from common.text import one_line
from tests.conftest import ClientOf
from tests.threads.test_search import say
from threads.models import Thread


@pytest.fixture
def page(client_of: ClientOf, owner: User) -> Client:
    return client_of(owner)


def test_a_hit_is_shown_with_its_words_marked_and_leads_to_its_message(page: Client, thread: Thread) -> None:
    row = say(thread, "The <script>pool</script> is open")
    text = page.get("/search/?q=pool").text
    assert f'href="/threads/{thread.pk}/?around={row.pk}#m-{row.pk}"' in text
    assert "The &lt;script&gt;<mark>pool</mark>&lt;/script&gt; is open" in text


def test_titles_and_agents_are_found_beside_messages(page: Client, thread: Thread, agent: Agent) -> None:
    text = page.get("/search/?q=changed").text
    assert f'href="/threads/{thread.pk}/"' in text
    assert f'href="/agents/{agent.pk}/"' in page.get("/search/?q=scou").text
    assert "Nothing has these words" in page.get("/search/?q=absent").text
    assert "Find what was said" in page.get("/search/").text


def test_many_hits_come_in_pages(page: Client, thread: Thread) -> None:
    for number in range(25):
        say(thread, f"needle {number}")
    first, second = page.get("/search/?q=needle").text, page.get("/search/?q=needle&page=2").text
    assert (first.count("<mark>"), second.count("<mark>")) == (20, 5)
    assert 'href="?q=needle&amp;page=2"' in first
    assert page.get("/search/?q=needle&page=99999").status_code == 200


def offered(client: Client, query: str) -> list[str]:
    html = client.get("/palette/", {"q": query}).text
    return re.findall(r'role="option".*?<span class="clip">(.*?)</span>', html, re.DOTALL)


def test_the_palette_offers_places_words_and_deeds(page: Client, thread: Thread, agent: Agent) -> None:
    say(thread, "the pool is open")
    nothing = offered(page, "")
    assert nothing[:3] == ["What changed", "Scout", "Home"]
    assert "New agent" in nothing
    assert offered(page, "sched") == ["Schedules"]
    assert offered(page, "pool") == ["What changed"]
    assert offered(page, "run sc") == ["Run Scout now"]
    assert offered(page, "new") == ["New agent", "New thread with Scout"]
    assert offered(page, "scout") == ["Scout", "New thread with Scout", "Run Scout now"]
    assert offered(page, "dark") == ["Dark theme"]
    html = page.get("/palette/?q=pool").text
    assert "<mark>pool</mark>" in html
    assert "<html" not in html
    assert "Nothing has these words" in page.get("/palette/?q=absent").text


def test_deeds_are_done_by_posts(page: Client, owner: User, agent: Agent) -> None:
    html = page.get("/palette/?q=scout").text
    assert f'formaction="/agents/{agent.pk}/threads/"' in html
    assert f'formaction="/agents/{agent.pk}/run/"' in html
    answer = page.post("/settings/theme/", {"theme": "dark"}, headers={"Referer": "http://testserver/runs/"})
    assert (answer.status_code, answer["Location"]) == (303, "http://testserver/runs/")
    assert User.objects.get(pk=owner.pk).theme == "dark"
    answer = page.post("/settings/theme/", {"theme": "light"}, headers={"Referer": "https://evil.example/"})
    assert answer["Location"] == "/"
    assert page.post("/settings/theme/", {"theme": "loud"}).status_code == 422


def test_strangers_are_offered_nothing_of_it(client_of: ClientOf, stranger: User, thread: Thread) -> None:
    say(thread, "the pool is open")
    client = client_of(stranger)
    for query in ("pool", "scout", "changed", ""):
        assert not {"What changed", "Scout"} & set(offered(client, query))
        assert "What changed" not in client.get("/search/", {"q": query}).text


def test_markdown_becomes_one_line_of_its_words() -> None:
    table = "| a | b |\n|---|:-:|\n| **1** | `x` |"
    text = f"## Two\n\n{table}\n\n```sh\nfind . | sort\n```\n- one\n2. two\n> three # *four*, 2 * 3"
    assert one_line(text).strip() == "Two a b 1 x find . | sort one two three # four, 2 * 3"


def test_the_question_mark_tells_the_keys(page: Client) -> None:
    for path in ("/keys/", "/palette/?q=%3F"):
        assert "These keys" in page.get(path).text
