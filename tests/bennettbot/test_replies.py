"""Commands of bennettbot from the request in Slack to the answer there: asked for, run in a process, told."""

import json
from dataclasses import replace

import pytest

from store.models import JobRecord, SlackRequest, User
from tests.bennettbot.conftest import Folder
from tests.slack_stand_in import SlackStandIn
from worker.commands import schedule_job
from worker.slack.outbox import Outbox

BLOCK = {"type": "section", "text": {"type": "mrkdwn", "text": "*x*"}}

CONFIG = """
raw_config = {
    "test": {
        "jobs": {
            "hello_to": {"run_args_template": "echo Hello {name}", "report_stdout": True},
            "quietly": {"run_args_template": "true", "report_stdout": True, "suppress_empty": True},
            "silently": {"run_args_template": "echo unread", "report_success": False},
            "long": {"run_args_template": "seq 1 2000", "report_stdout": True, "report_format": "code"},
            "drawn": {
                "run_args_template": "cat drawn.json",
                "report_stdout": True,
                "report_format": "blocks",
            },
            "broken": {"run_args_template": "echo partly; echo wrong >&2; exit 3", "report_stdout": True},
            "unknown": {"run_args_template": "no-such-program", "call_tech_support_on_error": False},
        },
        "slack": [],
    }
}
"""


class Commander:
    """Asks as Slack does, and has the answer given."""

    def __init__(self, folder: Folder, slack: SlackStandIn) -> None:
        self.portal, self.slack = folder.portal, slack
        self.portal.settings = replace(self.portal.settings, slack=slack.settings())
        self.outbox = Outbox(self.portal.settings, self.portal.platform)

    def ask(self, job: str, **data: str) -> SlackRequest:
        ts = self.slack.ts()
        with self.portal.platform.session() as db:
            result, _ = schedule_job(
                db,
                self.portal.settings,
                db.get_one(JobRecord, self.portal.jobs[f"test_{job}"].id),
                data,
                db.get_one(User, self.portal.cast["alice"].id),
                channel="C1",
                thread_ts=ts,
                message_ts=ts,
                slack_user="U1",
                delay_seconds=0,
            )
        self.portal.execute(result)
        self.outbox.look_once()
        with self.portal.platform.reading() as db:
            return db.query(SlackRequest).filter_by(result_id=result.id).one()

    def answers(self, job: str, **data: str) -> list[str]:
        """Return what is said in the thread of a request."""
        request = self.ask(job, **data)
        assert (request.state, request.problem) == ("answered", "")
        return self.slack.texts("C1", request.thread_ts)


@pytest.mark.in_turn
def test_commands_are_answered_as_bennettbot_answers_them(folder: Folder, slack: SlackStandIn):
    scripts = folder.path / "workspace" / "test"
    scripts.mkdir(parents=True)
    (scripts / "drawn.json").write_text(json.dumps([BLOCK] * 51))
    assert folder.refresh(CONFIG).errors == []
    commander = Commander(folder, slack)

    assert commander.answers("hello_to", name="Bob; rm -rf / & <!channel>") == [
        "Hello Bob; rm -rf / & &lt;!channel>"
    ]
    assert commander.answers("quietly") == []
    assert commander.answers("silently") == []
    assert [name for _, _, name in slack.reactions] == ["white_check_mark"] * 3
    assert slack.texts("C2")[0] == "Command `test_hello_to` about to start"

    assert commander.answers("long") == ["Output of command `test_long`"]
    [file] = slack.files
    assert file.content.decode().split() == [str(number) for number in range(1, 2001)]
    commander.answers("drawn")
    assert [len(message["blocks"]) for message in slack.messages[-2:]] == [50, 1]

    [failed] = commander.answers("broken")
    assert failed.startswith("Command `test_broken` failed.\nThe command ended with exit code 3.")
    assert failed.endswith("Calling tech-support.")
    [missing] = commander.answers("unknown")
    assert "not found" in missing
    assert len(slack.texts("C3")) == 1
    assert [name for _, _, name in slack.reactions[-2:]] == ["x", "x"]
