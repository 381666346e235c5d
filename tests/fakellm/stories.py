"""Questions that are answered as in life, without a script in sight: for the pictures of the documentation."""

from __future__ import annotations

BRIEF = """Two releases landed since yesterday. One needs action before Friday:

| Package | From | To | Risk |
|---|---|---|---|
| asgi-core | 3.8 | 4.0 | High |
| httpkit | 0.28.1 | 0.28.2 | None |

The pool moved from the app to its *state*, so every handler that reads `app.pool` fails after the upgrade:

```python
async def lifespan(app):
    async with app.state.pool:  # moved in 4.0
        yield
```

Three files of ours read it: `jobs.py`, `health.py` and `feed.py`. The change is one line in each.
"""

PLAN = """I would do it in this order:

1. **Pin** `asgi-core` below 4.0 today, so that nothing breaks over night.
2. **Change** the three files, with a test for each that opens the pool.
3. **Raise** the pin on Thursday, when the nightly run was green twice.

The first step is safe by itself. For the second I looked at how the pool is opened and closed, and there is one place
where the order matters: `feed.py` reads from the pool while it shuts down. There the reading has to end before the
state is torn down, or the last page of the feed is lost.

> A pool that is closed while somebody reads raises `PoolClosed`, and the reader is expected to stop.

So `feed.py` gets two lines more than the others. I can write the three changes now, and open one ticket for each of
them, with what to test and how to go back if the nightly run says no.
"""

DUE = (
    "Next month there are two: **Nordwind**, 310.00, on the 4th, and **Hosting**, 49.00, on the 12th. "
    "The first of them is "
)

SUM = "Together they come to **{}**. Nordwind's, 1,240.00, is late by two days; the others are due next week."
CALCULATE = '{"expression": "1240.00 + 86.20 + 49.00"}'

STORIES = {
    "What changed upstream this week?": ("brief", {"rate": "400"}),
    "Plan the upgrade, please.": ("plan", {"rate": "400"}),
    "Plan the upgrade, and keep it small.": ("plan", {"rate": "6"}),
    "What do the three open invoices come to?": ("tool", {"name": "calculate", "args": CALCULATE, "then": SUM}),
    "And what is due next month?": ("drop", {"after": "19", "text": DUE}),
}
"""Question: the script that answers it, and its parameters."""

TEXTS = {"brief": BRIEF, "plan": PLAN}
