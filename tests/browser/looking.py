"""How a page is looked at: by axe, by its width, by the size of what can be pressed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import axe_playwright_python
from playwright.sync_api import Page

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
ALL_RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
OF_COLOUR = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
SIZES = {"desk": (1280, 800), "phone": (390, 844)}

# An open menu may lie over a part of the page below it; how large that is was looked at before. No rule here needs the
# sheets that preloading would fetch.
RUN_AXE = """async ([only, part]) => {
  const unfolded = [...document.querySelectorAll("[data-unfolded]")];
  const rules = { "target-size": { enabled: !unfolded.length } };
  const options = { runOnly: only, rules, resultTypes: ["violations"], preload: false };
  const found = await axe.run(part ? { include: unfolded } : document, options);
  return found.violations.flatMap((rule) => rule.nodes.map(
    (node) => `${rule.id}: ${node.target.join(" ")} ${node.failureSummary.replace(/\\s+/g, " ")}`));
}"""

SIDEWAYS = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const wide = [...document.body.querySelectorAll("*")].filter((one) => one.getBoundingClientRect().right > width + 1
    && !one.closest(".sr, pre, .table-wrap, [hidden]"));
  return [`${document.documentElement.scrollWidth} wide: ` + wide.slice(0, 4).map(
    (one) => `${one.tagName}.${one.className} "${one.textContent.trim().slice(0, 30)}"`).join(", ")];
}"""

# A link in a line of text is as high as the line, and the label of a box is pressed with it.
SMALL = """() => {
  const seen = (one) => one.checkVisibility({ opacityProperty: false, visibilityProperty: true })
    && !one.closest(".sr, .skip, [inert]") && !one.matches(".sr, .skip");
  const inText = (one) => one.matches("a") && getComputedStyle(one).display === "inline"
    && [...one.parentNode.childNodes].some((node) => node !== one && node.nodeType === 3 && node.textContent.trim());
  const area = (one) => {
    const label = one.matches("[type=checkbox], [type=radio]") ? one.closest("label") : null;
    return (label ?? one).getBoundingClientRect();
  };
  return [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")]
    .filter((one) => seen(one) && !inText(one))
    .map((one) => [one, area(one)])
    .filter(([, box]) => box.width && box.height && (box.width < 23.9 || box.height < 23.9))
    .map(([one, box]) => `${one.tagName}.${one.className} "${(one.textContent || one.name).trim().slice(0, 30)}" `
      + `${box.width.toFixed(0)}x${box.height.toFixed(0)}`);
}"""

INLINE = """() => [...document.querySelectorAll("script:not([src]), style, [style]:not([style=''])")]
  .map((one) => one.outerHTML.slice(0, 120))"""


@dataclass
class Findings:
    """What is wrong, as lines that begin with the name of the page."""

    access: list[str] = field(default_factory=list)
    sideways: list[str] = field(default_factory=list)
    small: list[str] = field(default_factory=list)
    inline: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)


def axe(page: Page, rules: Mapping[str, object], *, unfolded: bool = False) -> list[str]:
    """What axe has against the page as it is, or only against what is unfolded in it."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE)
    found: list[str] = page.evaluate(RUN_AXE, [rules, unfolded])
    return found


def inspect(page: Page, name: str, findings: Findings) -> None:
    """Looks at an open page in both sizes and themes, with what unfolds folded and unfolded, on the narrowest screen
    and with the largest text."""
    findings.pages.append(name)
    findings.inline += [f"{name}: {line}" for line in page.evaluate(INLINE)]
    theme = page.evaluate("document.documentElement.dataset.theme")
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        _note(findings.small, f"{name} ({size})", page.evaluate(SMALL))
        page.evaluate(DRESS, "light")
        _note(findings.access, f"{name} ({size})", axe(page, ALL_RULES))
        if page.evaluate(UNFOLD):
            _note(findings.small, f"{name} ({size}, unfolded)", page.evaluate(SMALL))
            _note(findings.access, f"{name} ({size}, unfolded)", axe(page, ALL_RULES, unfolded=True))
        # All but the colours is the same in both themes.
        page.evaluate(DRESS, "dark")
        _note(findings.access, f"{name} ({size}, dark)", axe(page, OF_COLOUR))
        page.evaluate(FOLD)
    page.evaluate(DRESS, theme)
    _sizes(page, name, findings)


DRESS = "theme => { document.documentElement.dataset.theme = theme; }"
UNFOLD = """() => {
  const all = [...document.querySelectorAll("details:not([open])")].filter((one) => one.checkVisibility());
  for (const one of all) { one.open = true; one.dataset.unfolded = ""; }
  return all.length;
}"""
FOLD = """() => { for (const one of document.querySelectorAll("[data-unfolded]")) {
  one.open = false;
  delete one.dataset.unfolded;
} }"""


def _sizes(page: Page, name: str, findings: Findings) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    _note(findings.sideways, f"{name} (320 px)", page.evaluate(SIDEWAYS))
    for width in (1280, 640):
        page.set_viewport_size({"width": width, "height": 800})
        page.evaluate("() => { document.documentElement.style.fontSize = '200%'; }")
        _note(findings.sideways, f"{name} ({width} px, text at 200 %)", page.evaluate(SIDEWAYS))
        page.evaluate("() => document.documentElement.removeAttribute('style')")
    page.set_viewport_size({"width": 1280, "height": 800})


def _note(notes: list[str], where: str, lines: list[str]) -> None:
    notes += [f"{where}: {line}" for line in lines]


Look = Callable[[str], Findings]
