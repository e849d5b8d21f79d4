"""The file of a registry: what it says, and what is wrong with it, by line."""

import pytest

from jobs.schleuder.every import cron_of
from jobs.schleuder.registry import BadRegistry, read_registry
from tests.schleuder import seed
from worker.schleuder import why_no_cron


def wrong(text: str) -> list[tuple[int, str]]:
    with pytest.raises(BadRegistry) as refusal:
        read_registry(text, why_no_cron)
    return refusal.value.problems


def test_the_registry_of_the_document_is_read():
    read = read_registry(seed.registry(), why_no_cron)
    assert read.unheeded == ()
    hello, backup, retry = read.entries
    assert (hello.label, hello.job, hello.schedule) == ("hello world", "hello_world", "*/1 * * * *")
    assert (hello.description, hello.preprocessing, hello.postprocessing) == ("hello_world", "", "")
    assert hello.arguments == {"hello": "world"}
    assert backup.arguments == {
        "where": "name=lab.local",
        "sot": True,
        "exclude": {"devices": ["labx.local"], "pattern": [".*xx"]},
    }
    # Two entries of one job: what comes before it makes the difference.
    assert (backup.job, backup.preprocessing) == ("simple_config_backup", "preprocessing_backup")
    assert (retry.job, retry.preprocessing) == ("simple_config_backup", "get_failed_backups")


def test_all_that_is_wrong_is_said_with_its_line():
    text = """jobs:
  - id: no schedule
    job: hello
  - job: hello
    schedule: "61 * * * *"
    arguments: [1]
  - schedule: "0 1 * * *"
    description: {a: b}
    preprocessing: {long}
    arguments:
      since: 2026-01-31
  - hello
""".replace("{long}", "x" * 51)
    assert [(line, reason.split(":")[0]) for line, reason in wrong(text)] == [
        (2, "The job has no schedule."),
        (5, "The schedule '61 * * * *' cannot be read"),
        (6, "arguments must be a mapping of names to values."),
        (7, "The job has no job."),
        (8, "description must be a text; put it in quotes."),
        (9, "preprocessing has more than 50 characters."),
        (11, "arguments must be what JSON knows"),
        (12, "A job must be a mapping with the keys job and schedule."),
    ]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 1, "empty"),
        ("jobs:\n  - job: a\n    schedule: * * * * *\n", 3, "YAML"),
        ("jobs:\n  - job: a\n   schedule: x\n", 3, "YAML"),
        ("- job: a\n", 1, "jobs"),
        ("jobs:\n  job: a\n", 2, "jobs"),
        ("jobs: [{job: a, schedule: &a [*a]}]", 1, "text"),
    ],
)
def test_a_file_that_is_none_says_where(text: str, line: int, reason: str):
    [(found, said)] = wrong(text)
    assert (found, reason in said) == (line, True), said


def test_a_misspelt_key_is_told():
    read = read_registry("jobs:\n- job: a\n  schedule: '@daily'\n  preprocesing: b\n", why_no_cron)
    assert read.unheeded == ((4, "`preprocesing` means nothing here."),)


@pytest.mark.parametrize(
    ("older", "cron"),
    [
        ("every(5).minutes", "*/5 * * * *"),
        ("every().minute", "* * * * *"),
        ("every(10).seconds", "* * * * * */10"),
        ("every(6).hours", "0 */6 * * *"),
        ('every().day.at("10:30")', "30 10 * * *"),
        ("every().day", "0 0 * * *"),
        ("every().sunday.at('02:05')", "5 2 * * 0"),
        ("0 1 * * *", "0 1 * * *"),
    ],
)
def test_older_words_are_cron_expressions(older: str, cron: str):
    assert cron_of(older) == cron


@pytest.mark.parametrize(
    "older",
    ["every(7).minutes", "every(2).days", "every().day.at('25:00')", "every().month", "every(0).hours"],
)
def test_older_words_without_such_an_expression_are_refused(older: str):
    with pytest.raises(ValueError, match=r"cron|time"):
        cron_of(older)
