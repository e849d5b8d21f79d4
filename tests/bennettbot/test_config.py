"""`raw_config`: what it becomes, what is wrong with it and where, and how it is found in a file."""

import copy
import re
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from jobs.bennettbot.config import build_config, read_config
from jobs.bennettbot.faults import ConfigError, named
from jobs.bennettbot.literal import written_in

RAW: dict[str, Any] = {
    "disk-care": {
        "description": "Looks after disks",
        "restricted": True,
        "fabfile": "https://example.com/fabfile.py",
        "default_channel": "#disks",
        "jobs": {
            "usage": {"run_args_template": "du -s {path} {{}} {path}", "report_stdout": True},
            "sweep": {"run_args_template": "true", "call_tech_support_on_error": False},
        },
        "slack": [
            {"command": "usage of  [path]", "help": "tells", "action": "schedule_job", "job_type": "usage"},
            {
                "command": "sweep off",
                "help": "stops",
                "action": "cancel_job",
                "job_type": "sweep",
                "delay_seconds": 5,
            },
        ],
    },
    "bare": {"jobs": {}, "slack": []},
}


def test_all_that_goes_without_saying_is_there():
    before = copy.deepcopy(RAW)
    built = build_config(RAW, lambda namespace: Path("/w", namespace))
    assert before == RAW
    assert built == build_config(RAW, lambda namespace: Path("/w", namespace))
    assert built == {
        "jobs": {
            "disk-care_usage": {
                "run_args_template": "du -s {path} {{}} {path}",
                "report_stdout": True,
                "report_success": True,
                "report_format": "text",
                "suppress_empty": False,
                "call_tech_support_on_error": True,
            },
            "disk-care_sweep": {
                "run_args_template": "true",
                "report_stdout": False,
                "report_success": True,
                "report_format": "text",
                "suppress_empty": False,
                "call_tech_support_on_error": False,
            },
        },
        "slack": [
            {
                "command": "disk-care sweep off",
                "help": "stops",
                "action": "cancel_job",
                "job_type": "disk-care_sweep",
                "delay_seconds": 5,
                "regex": re.compile("^disk-care sweep off$"),
                "template_params": [],
            },
            {
                "command": "disk-care usage of [path]",
                "help": "tells",
                "action": "schedule_job",
                "job_type": "disk-care_usage",
                "delay_seconds": 0,
                "regex": re.compile("^disk-care usage of (.+?)$"),
                "template_params": ["path"],
            },
        ],
        "description": {"disk-care": "Looks after disks", "bare": ""},
        "help": {
            "disk-care": [["disk-care sweep off", "stops"], ["disk-care usage of [path]", "tells"]],
            "bare": [],
        },
        "fabfiles": {"disk-care": "https://example.com/fabfile.py"},
        "workspace_dir": {"disk-care": Path("/w/disk-care"), "bare": Path("/w/bare")},
        "restricted": {"disk-care": True, "bare": False},
        "default_channel": {"disk-care": "#disks", "bare": "#tech"},
    }


def changed(*place: Any, to: Any) -> dict[str, Any]:
    """Return the configuration with something else at a place; ...: with nothing there."""
    raw = copy.deepcopy(RAW)
    inner: Any = raw
    for part in place[:-1]:
        inner = inner[part]
    if to is ...:
        del inner[place[-1]]
    else:
        inner[place[-1]] = to
    return raw


NS, JOB, SLACK = ("disk-care",), ("disk-care", "jobs", "usage"), ("disk-care", "slack", 0)
TEMPLATE = (*JOB, "run_args_template")

WRONG: list[tuple[tuple[Any, ...], Any, str]] = [
    (("a_b",), {"jobs": {}, "slack": []}, "a_b: Namespaces must not contain underscores"),
    (("a b",), {"jobs": {}, "slack": []}, "a b: a namespace is one word"),
    ((*NS, "slack"), ..., "disk-care: missing keys: slack"),
    ((*NS, "restricted"), "yes", "disk-care.restricted: restricted is True or False"),
    ((*NS, "fabfile"), "file:///etc/passwd", "disk-care.fabfile: fabfile is the address"),
    (TEMPLATE, ..., "disk-care.jobs.usage: missing keys: run_args_template"),
    ((*JOB, "extra"), 1, "disk-care.jobs.usage: extra keys: extra"),
    (
        (*JOB, "report_format"),
        "pdf",
        "disk-care.jobs.usage.report_format: invalid report_format 'pdf'. There are: text, blocks",
    ),
    ((*JOB, "report_format"), [], "invalid report_format"),
    ((*JOB, "report_stdout"), "no", "disk-care.jobs.usage.report_stdout: report_stdout is True or False"),
    (TEMPLATE, "awk '{print $1}' {path}", "{print $1} is no name of a parameter"),
    (TEMPLATE, "echo {path!r}", "{path} is no name"),
    (TEMPLATE, "echo {path.real}", "{path.real} is no name"),
    (TEMPLATE, "echo {", "disk-care.jobs.usage.run_args_template: "),
    (("disk-care", "jobs", "a/b"), {"run_args_template": "true"}, "a job type is one word"),
    ((*SLACK, "help"), ..., "disk-care.slack[0]: missing keys: help"),
    ((*SLACK, "extra"), 1, "disk-care.slack[0]: extra keys: extra"),
    ((*SLACK, "action"), "run", "disk-care.slack[0].action: unknown action 'run'"),
    ((*SLACK, "job_type"), "odd", "disk-care.slack[0].job_type: references unknown job type odd"),
    (
        (*SLACK, "command"),
        "usage",
        "disk-care.slack[0].command: does not match the template: the command has none, the template of "
        "disk-care_usage has {path}",
    ),
    (TEMPLATE, "df", "does not match the template: the command has [path], the template"),
    ((*SLACK, "command"), "usage ( [path]", "is no regular expression"),
    ((*SLACK, "delay_seconds"), -1, "delay_seconds"),
]


@pytest.mark.parametrize(("place", "value", "sentence"), WRONG, ids=[wrong[2] for wrong in WRONG])
def test_what_is_wrong_is_said_with_its_place_and_takes_nothing_else_away(
    place: tuple[Any, ...], value: Any, sentence: str
):
    raw = changed(*place, to=value)
    with pytest.raises(RuntimeError) as raised:
        build_config(raw)
    assert sentence in str(raised.value)
    config = read_config(raw)
    assert [str(problem) for problem in config.problems] == [str(raised.value)]
    assert "bare" in config.built["restricted"]
    if len(place) > 2:
        assert "disk-care_sweep" in config.built["jobs"]
        assert "disk-care sweep off" in [command["command"] for command in config.built["slack"]]


def test_help_in_several_parts_is_joined():
    (command,) = build_config(changed("disk-care", "slack", 0, "help", to=("one,", "two")))["slack"][1:]
    assert command["help"] == "one, two"


def test_what_has_no_effect_is_advice():
    config = read_config(changed(*NS, "restriced", to=True))
    assert config.problems == []
    assert [str(each) for each in config.advice] == [
        "disk-care.restriced: restriced has no effect. A namespace may say: "
        "default_channel, description, fabfile, jobs, restricted, slack"
    ]
    assert [str(problem) for problem in read_config([1]).problems] == [
        "raw_config is a dictionary of namespaces, not list"
    ]


FILE = dedent(
    '''
    """A configuration."""

    from bennettbot import settings

    raw_config = {
        "a": {
            "jobs": {
                "one": {"run_args_template": "true"},
                "two": {
                    "run_args_template": "true",
                    "extra": 1,
                },
            },
            "slack": [
                {"command": "x"},
            ],
        },
    }


    def build_config(raw_config):
        raise SystemExit("nothing of this is run")


    config = build_config(raw_config)
    '''
)


def test_it_is_read_off_the_text_with_lines():
    written = written_in(FILE.encode())
    assert written is not None
    assert written.whole
    problems = read_config(written.value()).problems
    assert [(named(each.place), written.line_of(each.place)) for each in problems] == [
        ("a.jobs.two", 10),
        ("a.slack[0]", 16),
    ]
    assert written.line_of(("a", "jobs", "none", "x")) == 8
    for more in ("raw_config['b'] = {}", "raw_config.update(x)", "class Own: pass"):
        other = written_in(f"{FILE}\n{more}\n".encode())
        assert other is not None
        assert not other.whole
    computed = written_in(b"import x\nraw_config = x.load()\n")
    assert computed is not None
    assert not computed.whole
    for text in ("raw_config = 3", "x = {}  # raw_config", "raw_config = {", "raw_config: dict"):
        assert written_in(text.encode()) is None


def test_the_first_fault_is_an_error_of_its_own():
    with pytest.raises(ConfigError) as raised:
        build_config({"a": {"jobs": {"x": {}}, "slack": []}})
    assert raised.value.place == ("a", "jobs", "x")
