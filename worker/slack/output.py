"""What a run has to show in Slack: what its command printed, or what it has reported."""

import json
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.files import FileGone, FileStore
from store.models import JobRecord, JobResult, RunFile, RunReport
from store.text import entry_text
from worker.redaction import Redaction, Rules
from worker.slack.formats import Output

#: The files in which a command's output is kept.
STDOUT, STDERR = "stdout", "stderr"

#: As much of it as goes to Slack.
MOST_BYTES = 1_000_000


def output_of(
    db: Session, files: FileStore, result: JobResult, job: JobRecord | None, rules: Rules
) -> Output | None:
    """Return it; None where there is none. rules: those by which its log was redacted."""
    report = job.slack_report if job is not None else {}
    if not report:
        return _reported(db, result)
    kept = kept_text(db, files, result, STDOUT)
    if kept is None:
        return _reported(db, result) or (Output(result.output, markup=False) if result.output else None)
    return redacted_json(kept, rules) if report.get("report_format") == "blocks" else redacted(kept, rules)


def redacted(output: Output, rules: Rules) -> Output:
    return Output(_redacted_text(output.text, Redaction(rules)), cut=output.cut)


def redacted_json(output: Output, rules: Rules) -> Output:
    """Redact the strings of what is JSON: in the text itself a rule might take half of one, and with it all that follows."""
    redaction = Redaction(rules)
    try:
        said = json.loads(output.text)
        kept = _redacted_strings(said, redaction)
    except (ValueError, RecursionError):
        return redacted(output, rules)
    return output if kept == said else Output(json.dumps(kept, ensure_ascii=False), cut=output.cut)


def _redacted_strings(value: Any, redaction: Redaction) -> Any:
    match value:
        case str():
            return _redacted_text(value, redaction)
        case list():
            return [_redacted_strings(item, redaction) for item in value]
        case dict():
            return {name: _redacted_strings(item, redaction) for name, item in value.items()}
    return value


def _redacted_text(text: str, redaction: Redaction) -> str:
    # Line by line, as its log was: a rule has little time for each text.
    return "\n".join(
        redaction.apply(line) if redaction.may_match(line) else line for line in text.split("\n")
    )


def kept_text(db: Session, files: FileStore, result: JobResult, name: str) -> Output | None:
    """Return what stands in the file that the last attempt has kept: without the values of secrets, by then."""
    kept = (RunFile.result_id == result.id, RunFile.variable.is_(None), RunFile.name == name)
    key = db.scalar(select(RunFile.key).where(*kept).order_by(RunFile.id.desc()).limit(1))
    if key is None:
        return None
    try:
        with files.open(key) as file:
            content = file.read(MOST_BYTES + 1)
    except FileGone:
        return None
    text = content[:MOST_BYTES].decode("utf-8", "replace")
    return Output(entry_text(text), cut=len(content) > MOST_BYTES)


def _reported(db: Session, result: JobResult) -> Output | None:
    data = db.scalar(select(RunReport.data).where(RunReport.result_id == result.id))
    if not data:
        return None
    # Imported here: it brings all that makes HTML.
    from store.reports.files import for_mail

    text, _ = for_mail(data)
    return Output(text, markup=False) if text.strip() else None
