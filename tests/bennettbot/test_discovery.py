"""What is found in folders with files of bennettbot."""

from pathlib import Path
from textwrap import dedent

import pytest
from sqlalchemy import select

from jobs.loading import Source
from store.models import Namespace
from tests.bennettbot.conftest import Folder
from worker.discover import discover

pytestmark = pytest.mark.in_turn


FILES = {
    # As it is there: nothing of it can be imported here, and nothing needs to be.
    "job_configs.py": """
        import no_such_module
        from bennettbot import settings

        raw_config = {
            "care": {
                "description": "Looks after things",
                "restricted": True,
                "default_channel": "#care",
                "jobs": {
                    "run": {"run_args_template": "du -s {log} {{}} {name} {log}", "report_stdout": True},
                    "bad": {"run_args_template": "true", "report_format": "pdf"},
                    "_odd": {"run_args_template": "echo {_x}"},
                },
                "slack": [
                    {"command": "run [name] in [log]", "help": "Tells", "action": "schedule_job", "job_type": "run"},
                    {"command": "stop", "help": "Stops", "action": "cancel_job", "job_type": "run"},
                    {"command": "bad", "help": "", "action": "schedule_job", "job_type": "bad"},
                    {"command": "gone", "help": "", "action": "schedule_job", "job_type": "gone"},
                ],
            },
            "a_b": {"jobs": {}, "slack": []},
            "bare": {"jobs": {}, "slack": [], "restriced": True},
        }

        def build_config(raw_config):
            raise SystemExit

        config = build_config(raw_config)
        """,
    "imported.py": """
        from bennettbot import settings
        from bennettbot.job_configs import build_config, build_regex_from_command, get_template_params

        raw_config = {"made": {"jobs": {
            "x": {"run_args_template": "echo {a}"},
            "bad": {},
        }, "slack": []}}
        raw_config["made"]["slack"] += [
            {"command": "x [a]", "help": "y", "action": "schedule_job", "job_type": "x"}
        ]
        build_config(raw_config)
        again = build_config(raw_config)
        assert again["slack"][0]["regex"] == build_regex_from_command("made x [a]"), again
        assert get_template_params("{b}", "{}") == ["b"]
        try:
            build_config(dict(raw_config))
        except RuntimeError as error:
            assert "made.jobs.bad: missing keys" in str(error)
        else:
            raise AssertionError
        assert str(settings.WRITEABLE_WORKSPACE_DIR).endswith("workspace")
        assert settings.SLACK_BOT_TOKEN == "" and settings.MAX_SLACK_NOTIFY_RETRIES == 2
        """,
    "building.py": """
        import re

        raw_config = dict(own={"jobs": {"x": {"run_args_template": "true"}}, "slack": [
            {"command": "x", "help": "y", "action": "schedule_job", "job_type": "x"}
        ]})

        def build_config(raw_config):
            for entry in raw_config["own"]["slack"]:
                entry.update(command="own " + entry["command"], job_type="own_" + entry["job_type"])
                entry.update(regex=re.compile(entry["command"]), template_params=[], delay_seconds=0)

        build_config(raw_config)
        """,
    # Other job files may have something of that name.
    "ordinary.py": """
        from jobs import Job

        raw_config = {"host": "example.com"}
        config = 3

        class Asks(Job):
            pass
        """,
    "listed.py": "raw_config = list('ab')\nassert raw_config\n",
    "user.py": "from job_configs import config\nassert config['restricted'] == {'care': True, 'bare': False}\n",
    "scheduler.py": "from bennettbot import scheduler\n",
}


def test_jobs_are_found_whatever_is_wrong_beside_them(tmp_path: Path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(dedent(text))
    found = {each.module: each for each in discover([Source("local", (str(tmp_path),))])}
    configs = found["job_configs"]
    (job,) = configs.jobs
    assert {name: job[name] for name in ("class_name", "name", "grouping", "dialect", "restricted")} == {
        "class_name": "care_run",
        "name": "run",
        "grouping": "care",
        "dialect": "bennettbot",
        "restricted": True,
    }
    assert [(variable["name"], variable["type"]) for variable in job["variables"]] == [
        ("log", "StringVar"),
        ("name", "StringVar"),
    ]
    assert job["description"] == "Tells\n\nRuns:\n\n    du -s {log} {{}} {name} {log}"
    limits = ("concurrency_limit", "concurrency_key", "concurrency_policy", "dedupe", "delay", "time_limit")
    assert [job[name] for name in limits] == [1, [], "wait", True, 0.0, 43_500.0]
    assert [(each["command"], each["action"], each["delay_seconds"]) for each in job["slack_commands"]] == [
        ("care run [name] in [log]", "schedule_job", 0.0),
        ("care stop", "cancel_job", 0.0),
    ]
    assert job["slack_report"] == {
        **{"report_stdout": True, "report_success": True, "report_format": "text"},
        **{"suppress_empty": False, "call_support": True},
    }
    assert configs.namespaces == [
        {
            **{"name": "care", "description": "Looks after things"},
            **{"restricted": True, "default_channel": "#care"},
        },
        {"name": "bare", "description": "", "restricted": False, "default_channel": "#tech"},
    ]
    assert [error["message"] for error in configs.errors[:3]] == [
        "job_configs.py, line 12: care.jobs.bad.report_format: invalid report_format 'pdf'. "
        "There are: text, blocks, code, file.",
        "job_configs.py, line 19: care.slack[3].job_type: references unknown job type gone.",
        "job_configs.py, line 22: a_b: Namespaces must not contain underscores.",
    ]
    assert "A variable cannot be called _x" in configs.errors[3]["message"]
    (advice,) = configs.advice
    assert advice["message"].startswith("job_configs.py, line 23: bare.restriced: restriced has no effect.")
    missing = "imported.py, line 7: made.jobs.bad: missing keys: run_args_template."
    for module, messages in (("imported", [missing]), ("building", [])):
        assert [error["message"] for error in found[module].errors] == messages
        (job,) = found[module].jobs
        (command,) = job["slack_commands"]
        assert command["command"].startswith(f"{job['grouping']} x")
    for module, names in (("ordinary", ["Asks"]), ("listed", []), ("user", [])):
        assert found[module].errors == []
        assert [job["class_name"] for job in found[module].jobs] == names
    assert found["user"].siblings.keys() == {"job_configs"}
    (error,) = found["scheduler"].errors
    assert "bennettbot.scheduler is not served" in error["message"]


MINIMAL = 'raw_config = {"one": {"description": "%s", "jobs": {}, "slack": []}}\n'


def test_namespaces_are_kept_as_long_as_a_file_has_them(folder: Folder):
    def kept() -> list[tuple[str, str, str]]:
        with folder.portal.platform.reading() as db:
            rows = db.scalars(select(Namespace).order_by(Namespace.module))
            return [(row.module, row.name, row.description) for row in rows]

    folder.refresh(MINIMAL % "first")
    folder.refresh(MINIMAL % "other", "other.py")
    assert kept() == [("job_configs", "one", "first"), ("other", "one", "other")]
    with folder.portal.platform.session() as db:
        db.add(Namespace(source="git.kept", module="x", name="one"))
        db.commit()
    folder.refresh("raw_config = {'one': 3}\n")
    assert kept() == [("other", "one", "other"), ("x", "one", "")]
