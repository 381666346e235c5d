"""The entries of RSS 2.0, RSS 1.0 (RDF) and Atom feeds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from common.errors import ZergError

MOST_ENTRIES = 500
LONGEST_TITLE = 200
LONGEST_LINK = 500
ABOUT = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}about"


@dataclass(frozen=True)
class Entry:
    """``key`` tells it from every other of its feed: made of its id, else its link, else its title."""

    key: str
    title: str
    link: str


def entries_of(body: bytes) -> list[Entry]:
    """In the order of the feed, the newest first as a rule. Raises ZergError(``bad_answer``) for what is no feed."""
    try:
        root = fromstring(body.lstrip())
    except (ParseError, DefusedXmlException, ValueError, LookupError, RecursionError) as error:
        raise ZergError("bad_answer", "What is there is no feed that can be read: it is not proper XML.") from error
    kind = _name(root)
    if kind not in ("rss", "RDF", "feed"):
        raise ZergError("bad_answer", "What is there is XML, but no RSS or Atom feed.")
    wanted = "entry" if kind == "feed" else "item"
    found = (element for element in root.iter() if isinstance(element.tag, str) and _name(element) == wanted)
    return [_entry(element) for element, _ in zip(found, range(MOST_ENTRIES), strict=False)]


def _entry(element: Element) -> Entry:
    parts: dict[str, str] = {}
    for child in element:
        if isinstance(child.tag, str) and (text := _said(child)):
            parts.setdefault(_name(child), text)
    link = parts.get("link", "")
    title = parts.get("title") or link or "Without a title"
    identity = parts.get("guid") or parts.get("id") or element.get(ABOUT) or link or title
    return Entry(hashlib.sha256(identity.encode()).hexdigest()[:16], title[:LONGEST_TITLE], link[:LONGEST_LINK])


def _said(child: Element) -> str:
    """The text of a part in one line; of an Atom link the address, when it is that of the entry."""
    if _name(child) == "link" and child.get("href") is not None:
        return child.get("href", "").strip() if child.get("rel", "alternate") == "alternate" else ""
    return " ".join("".join(child.itertext()).split())


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]
