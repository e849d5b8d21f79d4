"""Whoever starts workers is told at once that their rules cannot work."""

from pathlib import Path

import pytest

from tests.cli.conftest import Errand


@pytest.mark.parametrize("command", [["worker"], ["worker", "--count", "2"], ["up"]])
def test_rules_that_cannot_work_end_the_command(
    errand: Errand, command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "rules"
    file.write_text("fine\n(open\n")
    monkeypatch.setenv("ERRAND_REDACTION", str(file))
    outcome = errand(*command)
    assert outcome.exit_code == 2
    assert f"ERRAND_REDACTION, {file}, line 2: the pattern cannot be used" in outcome.stderr
