"""What counts as a change at an address, for each kind of watch, and what is told of it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from common.errors import ZergError
from common.fetch import MOST_BYTES, Fetched
from triggers.watching.looks import LONGEST_CHANGE, Sight, conditions, shortened, sight_of

HTML = {"content-type": "text/html; charset=utf-8"}


def answer(body: str | bytes = b"", status: int = 200, **headers: str) -> Fetched:
    content = body.encode() if isinstance(body, str) else body
    return Fetched("http://a/", status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


def twice(kind: str, before: Fetched, after: Fetched, path: str = "") -> Sight:
    """The second look; what the first remembered went through a database between."""
    first = sight_of(kind, path, before, {})
    assert first.change is not None
    assert first.change.startswith("First look:")
    return sight_of(kind, path, after, json.loads(json.dumps(first.seen)))


def page(words: str, nonce: str) -> Fetched:
    source = (
        f"<!doctype html><html><head><title>T</title><meta name=csrf content={nonce}></head><body data-id={nonce}>"
        f"<script nonce={nonce}>let a = '{nonce}' < 3;</script><style>.a{nonce}{{}}</style><!-- {nonce} -->"
        f"<h1>Prices</h1><p>{words}</p><input type=hidden value={nonce}></body></html>"
    )
    return Fetched("http://a/", 200, HTML, source.encode())


def test_a_page_whose_words_are_the_same_has_not_changed() -> None:
    assert twice("page", page("Tea 3 &euro;", "abc"), page("Tea   3\n €", "xyz")).change is None


def test_the_change_of_a_page_is_a_diff_of_its_words() -> None:
    change = twice("page", page("Tea 3", "abc"), page("Tea 4", "xyz")).change
    assert change == "--- before\n+++ now\n@@ -1,3 +1,3 @@\n T\n Prices\n-Tea 3\n+Tea 4"


def test_a_text_file_is_compared_line_by_line() -> None:
    before, after = answer("one\ntwo\n", content_type="text/plain"), answer("one\nthree\n", content_type="text/plain")
    change = twice("page", before, after).change
    assert change is not None
    assert "-two\n+three" in change


def test_a_file_that_is_no_text_is_compared_by_its_bytes() -> None:
    before, after = answer(b"\x89PNG\x00a", content_type="image/png"), answer(b"\x89PNG\x00b", content_type="image/png")
    assert twice("page", before, before).change is None
    assert twice("page", before, after).change is not None


def test_a_change_beyond_what_is_kept_is_still_a_change() -> None:
    long = "word\n" * 30_000
    change = twice("page", answer(long), answer(f"{long}more")).change
    assert change is not None
    assert change.startswith("It changed, but not in its first")


IN_GOOD_TIME = 60
"""Seconds; a reader that goes back and forth takes many minutes."""
HOSTILE = ["<div>", "<a<!--", "<script>", "<!--", "< ", "<", "&", "&#9", "</svg", "<svg>a</svg>", "<p>a<p>b"]


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_hostile_page_is_read_in_good_time(piece: str) -> None:
    began = time.monotonic()
    source = piece * (MOST_BYTES // len(piece))
    twice("page", answer("<p>a", content_type="text/html"), answer(source, content_type="text/html"))
    assert time.monotonic() - began < IN_GOOD_TIME


def test_two_long_texts_are_compared_in_good_time() -> None:
    began = time.monotonic()
    twice("page", answer("a\nb\n" * 100_000), answer("b\na\na\n" * 100_000))
    lines = [f"{number % 150}\n" for number in range(5_000)]
    twice("page", answer("".join(lines)), answer("".join(reversed(lines))))
    assert time.monotonic() - began < IN_GOOD_TIME


def test_what_is_hidden_and_what_is_odd_in_a_page_is_read_as_readers_see_it() -> None:
    source = "<p>a &lt;b&gt; 1 < 2<SCRIPT>if (a</b) x</SCRIPT ><br/>c<svg><b>no</b></svg> d<!-- > --> e &#99999999999;"
    assert sight_of("page", "", answer(source, content_type="text/html"), {}).now == "a <b> 1 < 2\nc d e \ufffd"


def test_a_server_is_asked_for_news_only() -> None:
    seen = sight_of("page", "", answer("a", etag='W/"1"', last_modified="Fri, 27 Mar 2026 12:00:00 GMT"), {}).seen
    assert conditions("page", seen) == {
        "If-None-Match": 'W/"1"',
        "If-Modified-Since": "Fri, 27 Mar 2026 12:00:00 GMT",
    }
    assert sight_of("page", "", answer(status=304), seen) == Sight("As it was.", None, seen)
    assert conditions("status", seen) == {}


def test_an_answer_that_is_no_success_is_no_page() -> None:
    for kind in ("page", "json", "feed"):
        with pytest.raises(ZergError, match="status 503"):
            sight_of(kind, "", answer(status=503), {})


@pytest.mark.parametrize(
    ("path", "before", "after", "change"),
    [
        ("a.items.0.b", {"a": {"items": [{"b": "tea"}]}}, {"a": {"items": [{"b": "oat"}]}}, "tea → oat"),
        ("price", {"price": 3, "at": 1}, {"at": 2, "price": 3}, None),
        ("price", {"price": 3}, {"price": "3"}, "3 → 3"),
        ("price", {"price": 3}, {}, "3 → (nothing there)"),
        ("price", {}, {"price": 3}, "(nothing there) → 3"),
        ("price", {}, [], None),
        ("2", [1, 2, 3], [1, 2, 4], "3 → 4"),
        ("3", [1, 2, 3], [1, 2], None),
        ("", {"a": 1, "b": 2}, {"b": 2, "a": 1}, None),
        ("", {"a": 1}, {"a": None}, '{"a": 1} → {"a": null}'),
        ("a", {"a": None}, {"a": ""}, "null → "),
    ],
)  # fmt: skip
def test_a_value_in_json_is_compared_alone(path: str, before: Any, after: Any, change: str | None) -> None:
    assert twice("json", answer(json.dumps(before)), answer(json.dumps(after, indent=2)), path).change == change


def test_long_values_that_begin_alike_differ() -> None:
    before, after = json.dumps("a" * 9_000), json.dumps("a" * 9_000 + "b")
    assert twice("json", answer(before), answer(after)).change is not None


@pytest.mark.parametrize("body", ["", "{", "<html>", "[" * 200_000, "1" * 10_000, b"\xff\xfe"])
def test_what_is_no_json_is_said(body: str | bytes) -> None:
    with pytest.raises(ZergError, match="no JSON that can be read"):
        sight_of("json", "a", answer(body), {})


def test_what_no_database_keeps_is_left_out() -> None:
    for kind, body in (
        ("json", '"a\\u0000b\\ud800"'),
        ("page", "a\x00b"),
        ("page", "a\ud800b".encode(errors="surrogatepass")),
    ):
        sight = sight_of(kind, "", answer(body), {})
        for text in (sight.now, sight.change or "", json.dumps(sight.seen, ensure_ascii=False)):
            assert "\x00" not in text.encode().decode()  # and no half of a character
            assert "\\u0000" not in text


RSS = """<?xml version="1.0"?><!DOCTYPE rss><rss version="2.0"><channel><title>News</title><link>http://a/</link>{}</channel></rss>"""
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"><channel rdf:about="http://a/"><title>News</title></channel>{}</rdf:RDF>"""
ATOM = """
<feed xmlns="http://www.w3.org/2005/Atom"><title>News</title><id>urn:a</id>{}</feed>"""


def rss(number: int) -> str:
    return f"<item><title>Item {number}</title><link>http://a/{number}</link><guid>{number}</guid></item>"


def rdf(number: int) -> str:
    return f'<item rdf:about="http://a/{number}"><title>Item {number}</title><link>http://a/{number}</link></item>'


def atom(number: int) -> str:
    return (
        f'<entry><id>urn:{number}</id><title type="xhtml"><b>Item</b> {number}</title><link rel="self" href="http://b"/>'
        f'<link href="http://a/{number}"/></entry>'
    )


@pytest.mark.parametrize(("feed", "item"), [(RSS, rss), (RDF, rdf), (ATOM, atom)])
def test_the_new_entries_of_a_feed_are_told(feed: str, item: Any) -> None:
    def of(*numbers: int) -> Fetched:
        return answer(feed.format("".join(item(number) for number in numbers)))

    assert twice("feed", of(2, 1), of(4, 3, 2)).change == "- Item 4: http://a/4\n- Item 3: http://a/3"
    assert twice("feed", of(2, 1), of(1)).change is None
    assert twice("feed", of(), of(1)).change == "- Item 1: http://a/1"


def test_an_entry_that_comes_back_is_not_new() -> None:
    one, none = answer(RSS.format(rss(1))), answer(RSS.format(""))
    gone = sight_of("feed", "", none, sight_of("feed", "", one, {}).seen)
    assert sight_of("feed", "", one, gone.seen).change is None


def test_a_feed_of_thousands_is_told_in_short_and_remembered_within_bounds() -> None:
    sight = sight_of("feed", "", answer(RSS.format("".join(map(rss, range(5_000))))), {})
    assert sight.change is not None
    assert sight.change.endswith("- and 450 more")
    assert len(sight.seen["ids"]) <= 1_000


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "body",
    [
        "", "no xml", "<rss>", '{"a": 1}',
        f'<!DOCTYPE rss [<!ENTITY l0 "ha">{LAUGHS}]><rss><channel><title>&l9;</title></channel></rss>',
        '<!DOCTYPE rss [<!ENTITY f SYSTEM "file:///etc/passwd">]><rss><item><title>&f;</title></item></rss>',
        '<?xml version="1.0" encoding="no-such"?><rss/>',
    ],
)  # fmt: skip
def test_xml_that_is_no_feed_or_wants_more_than_to_be_read_is_refused(body: str) -> None:
    with pytest.raises(ZergError, match="no feed that can be read"):
        sight_of("feed", "", answer(body), {})


def test_xml_of_another_kind_is_said() -> None:
    with pytest.raises(ZergError, match="no RSS or Atom feed"):
        sight_of("feed", "", answer("<svg/>"), {})


def test_a_status_changes() -> None:
    assert twice("status", answer(status=200), answer("other", status=200)).change is None
    assert twice("status", answer(status=200), answer(status=503)).change == "200 → 503"


def test_a_change_is_cut_where_it_would_flood_the_prompt() -> None:
    assert len(shortened("a" * 50_000)) < LONGEST_CHANGE + 10
    assert shortened("short") == "short"
