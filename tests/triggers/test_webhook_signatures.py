"""Who is let in by a webhook: whoever signed this body with this secret, now; and nobody else."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from pytest_django.fixtures import Settings

from common.crypto import new_key
from common.errors import ZergError
from runs.models import Run
from triggers.hooks import services
from triggers.hooks.receiving import MOST_BYTES, receive
from triggers.models import Received, Webhook

from .conftest import NOON, MakeWebhook
from .hooks import GITHUB_SECRET, OWN, STANDARD_SECRET, read, send, signed

BODY = b'{"order": 17}'
STYLES = ["standard", "github", "bearer"]


def is_let_in(webhook: Webhook, body: bytes, headers: dict[str, str]) -> bool:
    answer = send(webhook, body, headers)
    assert answer.status_code in {202, 401}
    if answer.status_code == 401:
        assert read(answer)["error"]["code"] == "bad_signature"
        assert not Run.objects.exists()
    return answer.status_code == 202


def test_the_example_that_github_publishes_is_let_in(make_webhook: MakeWebhook) -> None:
    webhook = make_webhook("github", secret=GITHUB_SECRET)
    published = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    sent = {"X-Hub-Signature-256": published, "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958"}
    assert is_let_in(webhook, b"Hello, World!", sent)
    assert "Hello, World!" in Run.objects.get().input_message.content  # type: ignore[union-attr]


def test_the_example_that_standard_webhooks_publishes_is_let_in(make_webhook: MakeWebhook) -> None:
    webhook = make_webhook(secret="MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    sent = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    body = b'{"test": 2432232314}'
    with time_machine.travel(datetime.fromtimestamp(1614265330, UTC), tick=False):
        assert not is_let_in(webhook, body.replace(b"2432", b"2433"), sent)
        assert is_let_in(webhook, body, sent)


@pytest.mark.parametrize("style", ["standard", "github"])
def test_one_changed_byte_and_json_written_anew_are_refused(style: str, make_webhook: MakeWebhook) -> None:
    webhook = make_webhook(style)
    headers = signed(style, BODY, "one")
    for other in (b'{"order": 18}', json.dumps(json.loads(BODY), indent=1).encode(), BODY + b"\n", b"", b"\xff\xfe"):
        assert not is_let_in(webhook, other, headers)
    assert is_let_in(webhook, BODY, headers)


@pytest.mark.parametrize("style", STYLES)
def test_another_secret_is_refused_and_so_is_none(style: str, make_webhook: MakeWebhook) -> None:
    webhook = make_webhook(style)
    other = {"standard": "whsec_" + "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQQ=="}.get(style, OWN + "!")
    assert not is_let_in(webhook, BODY, signed(style, BODY, "one", other))
    assert not is_let_in(webhook, BODY, {})
    assert not is_let_in(webhook, BODY, {"Authorization": OWN, "X-Hub-Signature-256": "", "webhook-id": "one"})
    assert is_let_in(webhook, BODY, signed(style, BODY, "one"))


@pytest.mark.parametrize("style", STYLES)
def test_a_webhook_without_a_secret_lets_nobody_in(style: str, make_webhook: MakeWebhook) -> None:
    webhook = make_webhook(style)
    Webhook.objects.update(secret_encrypted="")
    empty = {"standard": "whsec_", "github": "", "bearer": ""}[style]
    forged = {**signed(style, BODY, "one"), **(signed(style, BODY, "one", empty) if empty else {})}
    for headers in (forged, signed(style, BODY, "one"), {"Authorization": "Bearer "}, {"Authorization": "Bearer"}):
        assert not is_let_in(webhook, BODY, headers)


def test_a_secret_that_no_key_opens_lets_nobody_in(make_webhook: MakeWebhook, settings: Settings) -> None:
    webhook = make_webhook("bearer")
    settings.ENCRYPTION_KEYS = [new_key()]
    assert not is_let_in(webhook, BODY, signed("bearer", BODY, "one"))
    assert "no secret that can be read" in Received.objects.get().reason


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_timestamp_more_than_five_minutes_away_is_refused(minutes: int, make_webhook: MakeWebhook) -> None:
    webhook = make_webhook()
    with time_machine.travel(NOON, tick=False):
        away = NOON + timedelta(minutes=minutes)
        assert not is_let_in(webhook, BODY, signed("standard", BODY, "one", at=away))
        assert "more than 5 minutes" in Received.objects.get().reason
        assert is_let_in(webhook, BODY, signed("standard", BODY, "two", at=NOON + timedelta(minutes=minutes * 0.8)))


def test_any_of_several_signatures_will_do(make_webhook: MakeWebhook) -> None:
    webhook = make_webhook()
    headers = signed("standard", BODY, "one")
    right = headers["webhook-signature"]
    assert not is_let_in(webhook, BODY, {**headers, "webhook-signature": "v2,abcd v1,AAAA"})
    assert is_let_in(webhook, BODY, {**headers, "webhook-signature": f"v2,abcd v1,AAAA {right}"})


@pytest.mark.parametrize(
    "wrong", ["v1", "v1,", ",", " ", "v1,é", "nonsense", "v1,AAAA,BBBB", "v1," + "A" * 5000, "sha256=00"]
)
def test_nonsense_for_a_signature_is_refused_and_breaks_nothing(wrong: str, make_webhook: MakeWebhook) -> None:
    for style in STYLES:
        webhook = make_webhook(style)
        headers = signed(style, BODY, "one")
        for name in ("webhook-signature", "X-Hub-Signature-256", "Authorization"):
            headers[name] = wrong
        assert not is_let_in(webhook, BODY, headers)
    assert not is_let_in(make_webhook(), BODY, {**signed("standard", BODY, "x"), "webhook-timestamp": "nan"})


@pytest.mark.parametrize("style", STYLES)
def test_after_a_rotation_the_old_secret_counts_for_a_day(style: str, make_webhook: MakeWebhook) -> None:
    webhook = make_webhook(style)
    with time_machine.travel(NOON, tick=False) as clock:
        new = services.rotate_secret(webhook)
        assert is_let_in(webhook, BODY, signed(style, BODY, "one", new, NOON))
        clock.move_to(NOON + timedelta(hours=23))
        later = NOON + timedelta(hours=23)
        assert is_let_in(webhook, BODY, signed(style, BODY, "two", at=later))
        clock.move_to(NOON + timedelta(hours=25))
        later = NOON + timedelta(hours=25)
        assert send(webhook, BODY, signed(style, BODY, "three", at=later)).status_code == 401
        assert is_let_in(webhook, BODY, signed(style, BODY, "three", new, later))


def test_an_old_secret_in_wrong_hands_can_be_made_to_count_no_longer(make_webhook: MakeWebhook) -> None:
    webhook = make_webhook()
    new = services.rotate_secret(webhook)
    services.forget_old_secret(webhook)
    assert not is_let_in(webhook, BODY, signed("standard", BODY, "one"))
    assert is_let_in(webhook, BODY, signed("standard", BODY, "one", new))


@pytest.mark.parametrize(
    ("style", "secret"),
    [
        ("standard", "whsec_c2hvcnQ="), ("standard", "whsec_"), ("standard", "é" * 40), ("github", "short"),
        ("bearer", "with spaces in between"), ("bearer", "x" * 501), ("bearer", "fifteen-letters"),
    ],
)  # fmt: skip
def test_a_secret_that_is_easily_guessed_or_cannot_be_sent_is_refused(
    style: str, secret: str, make_webhook: MakeWebhook
) -> None:
    with pytest.raises(ZergError) as refused:
        make_webhook(style, secret=secret)
    assert set(refused.value.fields) == {"secret"}
    webhook = make_webhook(style)
    with pytest.raises(ZergError):
        services.set_secret(webhook, secret=secret)
    assert is_let_in(webhook, BODY, signed(style, BODY, "one"))


@pytest.mark.parametrize("style", STYLES)
def test_secrets_that_zerg_makes_are_let_in_and_nowhere_to_be_read(style: str, make_webhook: MakeWebhook) -> None:
    webhook, secret = services.create_webhook(
        make_webhook().agent, owner=make_webhook().owner, style=style, name="Other", prompt="Look"
    )
    assert is_let_in(webhook, BODY, signed(style, BODY, "one", secret))
    assert (
        send(webhook, BODY, signed(style, BODY, "two", STANDARD_SECRET if style == "standard" else OWN)).status_code
        == 401
    )
    rows = [*Webhook.objects.values(), *Received.objects.values()]
    assert secret not in str(rows)
    assert webhook.secret_hint == f"…{secret[-4:]}"


def test_too_large_a_body_is_refused_before_its_signature_is_looked_at(make_webhook: MakeWebhook) -> None:
    webhook = make_webhook("github", prompt="Look")
    most, more = b"a" * MOST_BYTES, b"a" * (MOST_BYTES + 1)
    assert send(webhook, more, signed("github", more, "one")).status_code == 413
    assert send(webhook, most, signed("github", most, "two")).status_code == 202
    # Beyond what Django itself would read.
    huge = b"a" * (3 * 1024 * 1024)
    assert send(webhook, huge, signed("github", huge, "three")).status_code == 413


def test_an_address_that_is_none_is_404_and_leaves_nothing_behind(make_webhook: MakeWebhook) -> None:
    make_webhook()
    for token in ("x" * 32, "short", "x" * 65, "ä" * 32, "x" * 31 + "\x00", "", "x" * 5000):
        answer = receive(token, BODY, {})
        assert (answer.status, answer.content["error"]["code"]) == (404, "not_found")
    assert not Received.objects.exists()
