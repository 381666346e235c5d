"""How what a webhook sent is put before the model."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from threads.services import clean_content
from triggers.hooks.payload import LABEL, MOST_BYTES, MOST_CHARACTERS, payload_block
from triggers.prompts import fill

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("body", "content_type", "shown"),
    [
        ('{"b":1,"a":["ü"]}', "application/json", '```json\n{\n  "b": 1,\n  "a": [\n    "ü"\n  ]\n}\n```'),
        ("plain\nwords\n", "text/plain", "```\nplain\nwords\n```"),
        ("{broken", "application/json", "```\n{broken\n```"),
        ("", "", "```\n\n```"),
        ("a ``` b ```` c", "", "`````\na ``` b ```` c\n`````"),
        (urlencode({"payload": '{"a":1}'}), FORM, '```json\n{\n  "a": 1\n}\n```'),
        ("a=1&b=2", FORM, "```\na=1&b=2\n```"),
        ('{"x": "\\ud800 \\u0000"}', "application/json", '```json\n{\n  "x": "\\ud800 \\u0000"\n}\n```'),
    ],
)
def test_a_payload_is_laid_out_fenced_and_said_to_be_data(body: str, content_type: str, shown: str) -> None:
    assert payload_block(body, content_type) == f"{LABEL}\n\n{shown}"


@pytest.mark.parametrize(
    "body", ["x" * 250_000, "😀" * 60_000, "[" * 900 + "]" * 900, "[" * 120_000, json.dumps([[[[1]] * 9] * 99] * 99)]
)
def test_a_long_one_is_cut_with_a_mark_and_fits_into_a_message(body: str) -> None:
    block = payload_block(body)
    assert len(block) < MOST_CHARACTERS + 300
    assert len(block.encode()) < MOST_BYTES + 300
    clean_content(block)
    assert block.endswith("(It is longer: only its beginning is here.)")


def test_variables_are_replaced_once_and_others_stay() -> None:
    values = {"payload": "{{now}} {{payload}}", "now": "12:00"}
    assert fill("{{payload}} {{ now }} {{other}} {% x %} {payload}", values) == (
        "{{now}} {{payload}} 12:00 {{other}} {% x %} {payload}"
    )
