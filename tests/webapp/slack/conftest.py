"""A bot in a Slack of the test's own, on an instance with one namespace of commands."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from store.models import JobRecord, Namespace
from store.settings import Settings
from tests.slack_stand_in import SlackStandIn
from tests.waiting import until
from tests.webapp.conftest import *  # noqa: F403
from tests.webapp.conftest import described, running
from tests.webapp.slack.clicks import People
from webapp.slack.bot import Bot


def command(text: str, **facts: Any) -> dict[str, Any]:
    usual = {"help": f"Does {text}", "action": "schedule_job", "delay_seconds": None}
    return {"namespace": text.split()[0], "command": text, **usual, **facts}


class Talk:
    """People and the bot: what is said over HTTP, as Slack would, and what comes back."""

    def __init__(self, app: Flask, slack: SlackStandIn, db: Session) -> None:
        self.app, self.slack, self.db = app, slack, db

    def send(self, event: dict[str, Any], **options: Any) -> int:
        # What the test has looked at would keep SQLite's only write turn.
        self.db.commit()
        return self.app.test_client().post("/slack/events", **self.slack.signed(event, **options)).status_code

    def tell(self, text: str, **facts: Any) -> dict[str, Any]:
        """Have somebody mention the bot; return the event."""
        event = self.slack.mention(text, **facts)
        assert self.send(event) == 200
        return event["event"]

    def whisper(self, text: str, **facts: Any) -> dict[str, Any]:
        event = self.slack.direct(text, **facts)
        assert self.send(event) == 200
        return event["event"]

    def bot(self) -> Bot:
        bot: Bot = self.app.extensions["slack"].bot
        return bot

    def answer(self, text: str, **facts: Any) -> str:
        """Have somebody mention the bot; return the one message that it answers with."""
        before = len(self.slack.messages)
        self.tell(text, **facts)
        until(lambda: len(self.slack.messages) > before, f"an answer to {text}")
        assert len(self.slack.messages) == before + 1
        return str(self.slack.messages[-1]["text"])


@pytest.fixture
def slack_settings(settings: Settings, slack: SlackStandIn) -> Settings:
    return replace(settings, slack=slack.settings())


@pytest.fixture
def app(slack_settings: Settings) -> Iterator[Flask]:
    yield from running(slack_settings)


@pytest.fixture
def talk(app: Flask, slack: SlackStandIn, db: Session) -> Talk:
    return Talk(app, slack, db)


@pytest.fixture
def people(app: Flask, slack: SlackStandIn) -> People:
    return People(app, slack)


@pytest.fixture
def say_hello(db: Session, make_job: Callable[..., JobRecord]) -> JobRecord:
    """`test say hello [name]`, as a job, and its namespace."""
    db.add(Namespace(source="local", module="greetings", name="test", description="Tries <things>"))
    return make_job(
        "hello",
        class_name="test_hello",
        variables=[described("StringVar", "name", max_length=50)],
        slack_commands=[command("test say hello [name]")],
    )
