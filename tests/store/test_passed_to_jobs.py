"""Which of the variables that set up Slack are in the environment of jobs."""

from pathlib import Path

import pytest

from store.settings import SettingsError, environment_of_jobs, load_settings


def test_jobs_find_channels_and_only_the_secrets_that_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    secrets = {"SLACK_BOT_TOKEN": "xoxb-1", "GITHUB_WEBHOOK_SECRET": "s3cret"}
    for name, value in {**secrets, "SLACK_LOGS_CHANNEL": "#logs"}.items():
        monkeypatch.setenv(name, value)
    given = environment_of_jobs()
    assert given["SLACK_LOGS_CHANNEL"] == "#logs"
    assert not given.keys() & secrets.keys()
    monkeypatch.setenv("ERRAND_PASS_TO_JOBS", "SLACK_BOT_TOKEN, SLACK_APP_TOKEN")
    given = environment_of_jobs()
    assert given["SLACK_BOT_TOKEN"] == "xoxb-1"
    assert not given.keys() & {"GITHUB_WEBHOOK_SECRET", "SLACK_APP_TOKEN", "ERRAND_PASS_TO_JOBS"}
    with pytest.raises(SettingsError, match="ERRAND_PASS_TO_JOBS names 'SECRET_KEY'"):
        load_settings(tmp_path, {"ERRAND_PASS_TO_JOBS": "SECRET_KEY"})
