from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from accounts.models import User
from agents.models import Agent, LanguageModel, Provider
from tests.agents.conftest import KEY
from tests.fakellm import FakeLLM

pytestmark = pytest.mark.django_db


def set_up() -> dict[str, Any]:
    out = StringIO()
    call_command("setup", stdout=out)
    answer: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    return answer


def test_a_new_database_gets_an_administrator_an_example_agent_and_a_link(client: Client) -> None:
    answer = set_up()
    assert answer["email"] == "admin@localhost"
    assert "none yet" in answer["model"]
    admin = User.objects.get()
    assert admin.is_superuser
    assert admin.check_password(answer["password"])
    assert client.get(answer["link"])["Location"] == "/"
    page = client.get("/").text
    assert "Assistant" in page
    agent = Agent.objects.get()
    assert agent.task_instructions, "Run now works"
    assert agent.tools == ["current_time", "calculate"]


def test_running_it_again_changes_nothing_but_makes_a_new_link() -> None:
    first = set_up()
    Agent.objects.all().delete()
    again = set_up()
    assert again["password"] is None
    assert again["link"] != first["link"]
    assert User.objects.count() == 1
    assert not Agent.objects.exists(), "an example that was deleted stays deleted"
    assert User.objects.get().check_password(first["password"])


def test_the_environment_names_the_administrator(settings: Any) -> None:
    settings.ADMIN_EMAIL, settings.ADMIN_PASSWORD = "ada@example.com", "of my own choice"
    answer = set_up()
    assert (answer["email"], answer["password"]) == ("ada@example.com", None)
    assert User.objects.get().check_password("of my own choice")
    settings.ADMIN_EMAIL = "other@example.com"
    assert set_up()["email"] == "ada@example.com", "there is an administrator already"


def test_an_administrator_who_lost_the_rights_gets_them_back(settings: Any) -> None:
    User.objects.create_user("admin@localhost", None, is_active=False)
    answer = set_up()
    admin = User.objects.get()
    assert admin.is_superuser
    assert admin.is_active
    assert admin.check_password(answer["password"])


def test_the_demo_model_is_called_what_it_is(settings: Any) -> None:
    settings.LOCAL_MODEL_URL = "http://127.0.0.1:1/v1"
    assert set_up()["model"].startswith("tiny offline demo model")
    assert Provider.objects.get().kind == Provider.Kind.LOCAL
    assert not LanguageModel.objects.get().supports_tools


def test_the_environment_s_provider_is_asked_once_for_its_models(settings: Any, model_server: FakeLLM) -> None:
    settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY = model_server.url, KEY
    assert set_up()["model"] == f"fake-1 at 127.0.0.1:{model_server.port}"
    LanguageModel.objects.all().delete()
    set_up()
    assert not LanguageModel.objects.exists()


def test_a_provider_that_does_not_answer_does_not_fail_the_setup(settings: Any) -> None:
    settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY = "http://127.0.0.1:1/v1", KEY
    answer = set_up()
    assert "127.0.0.1:1" in answer["model"]
    assert answer["link"]
