"""Texts with everything a reader of answers must cope with."""

from __future__ import annotations

UNICODE = (
    "Grüße 👋🏽, 世界! Ça va? 👩‍👩‍👧‍👦 e\u0301 и\u0306 한국어 日本語 עברית العربية "
    "\U0001f1e9\U0001f1ea \U00020000 ﷽ ∑∂∆ ﬁ ß ẞ İ \u200bzero\u200d width \u2028 line 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 🧑🏿‍🚀. "
)

REASONING = "First I look at the question. Then I think of Douglas Adams. That settles it."

RED_DOT = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4//8/"
    "w38GIAXDIBKE0DHxgljNBAAO9TXL0Y4OHwAAAABJRU5ErkJggg=="
)

TEXTS = {
    "code": """Here is a function:

```python
def greet(name: str) -> str:
    # <b>not bold</b> & not an entity
    return f"Hello, {name}!"


print(greet("world"))
```

And a shell line: `ls -la | grep "zerg"`.

```
no language, ``two`` backticks inside
```

Done.
""",
    "table": """| City | People | Note |
|:-----|-------:|:----:|
| Berlin | 3,700,000 | *big* |
| Ulm | 126,000 | a \\| bar |
| Köln | 1,080,000 | `code` |

After the table.
""",
    "list": """Things to do:

1. First
   - nested **bold**
   - nested [link](https://example.com/?a=1&b=2)
2. Second

   with a paragraph of its own
3. Third

- [ ] open
- [x] done

> A quotation
> over two lines

The end.
""",
    "math": """Inline $a^2 + b^2 = c^2$ and \\(x_1\\), then a block:

$$
\\int_0^\\infty e^{-x^2}\\,dx = \\frac{\\sqrt{\\pi}}{2}
$$

It costs $5, or $10 for two.
""",
    "mermaid": """A diagram:

```mermaid
graph TD
  A[Start] --> B{Choice}
  B -->|yes| C[Done]
  B -->|no| A
```

That was it.
""",
    "xss": """<script>window.pwned = 1</script>

<img src=x onerror="window.pwned = 2"> [link](javascript:window.pwned=3) <a
href="data:text/html,<script>1</script>">d</a>

<svg onload="window.pwned = 4"></svg> <iframe src="https://example.com"></iframe>
<style>body{display:none}</style>

<div hx-get="/accounts/logout/" hx-trigger="load">x</div> ![i](https://tracker.example.com/p.gif?s=secret)

```html
<script>window.pwned = 5</script>
```

Still here.
""",
    "image": f"""A picture: ![a red dot]({RED_DOT})
and one from elsewhere: ![remote](https://example.com/picture.png "title")

That was all.
""",
}
