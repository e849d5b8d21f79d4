"""What there is to say about a run, a request and a schedule, as the content of messages.

{"texts": [sentences], "facts": [[label, text]], "failures": [texts], "path": of the page, "act": the words of its link,
"result" | "approval" | "schedule": facts for programs, "decide": the id of a run that can be decided on by a button}.
"""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.models import FAMILIES, Approval, JobResult, LogEntry, MissedSlots, Schedule
from store.notices import OUTCOMES, outcome_of
from worker.origins import MAP
from worker.slack.approval_message import needs_page

MOST_FAILURES, LONGEST_FAILURE, LONGEST_CAUSE = 5, 400, 1_000
#: So many lines at the end of the log are looked through for what failed.
LINES_LOOKED_AT = 5_000
LONGEST_TITLE = 300


def word_of(result: JobResult) -> str:
    return outcome_of(result.status, result.count_warning or 0)


def title_of_end(result: JobResult) -> str:
    return one_line(f"{OUTCOMES[word_of(result)]}: {result.name}")


def of_result(db: Session, result: JobResult) -> dict[str, Any]:
    """Say how a run ended."""
    return {
        "texts": [_short(result.cause or "", LONGEST_CAUSE)],
        "facts": _facts(result),
        "failures": _failures(db, result),
        "path": f"/results/{result.id}",
        "act": "See the run",
        "result": _for_programs(result),
    }


def of_request(asked: JobResult | Schedule) -> dict[str, Any]:
    if isinstance(asked, Schedule):
        said = f"{asked.username} asks for a schedule that somebody else has to approve."
        return {
            **_of_schedule(asked, [said]),
            "path": f"/approvals/#r-{asked.id.hex[:6]}",
            "act": "See the request",
        }
    result = asked
    return {
        "texts": [f"{result.shown_username} asks for a run that somebody else has to approve."],
        "facts": _facts(result),
        "path": f"/approvals/#r-{result.short_id}",
        "act": "See the request",
        "result": _for_programs(result),
        # By buttons, where the message can have some.
        **({} if needs_page(result.job) else {"decide": str(result.id)}),
    }


def of_decision(asked: JobResult | Schedule, approval: Approval) -> dict[str, Any]:
    said = {
        "approved": f"{approval.decided_by} approved it.",
        "denied": f"{approval.decided_by} denied it.",
        "expired": "Nobody approved it in time.",
    }
    texts = [said[str(approval.decision)], approval.comment]
    about = _of_schedule(asked, texts) if isinstance(asked, Schedule) else _of_run(asked, texts)
    return {
        **about,
        "approval": {
            "decision": approval.decision,
            "decided_by": approval.decided_by,
            "comment": approval.comment,
        },
    }


def of_missed(schedule: Schedule, missed: MissedSlots) -> dict[str, Any]:
    runs = "One run was missed" if missed.count == 1 else f"{missed.count} runs were missed"
    last = f" to {_moment(missed.last_at)}" if missed.count > 1 else ""
    return _of_schedule(schedule, [f"{runs}, {_moment(missed.first_at)}{last}.", missed.cause])


def of_problem(schedule: Schedule) -> dict[str, Any]:
    return _of_schedule(schedule, ["It makes no runs any more.", schedule.problem])


def one_line(text: str) -> str:
    """Make a title of it: headers of mail have no line ends."""
    return _short(" ".join(text.split()), LONGEST_TITLE)


def _of_schedule(schedule: Schedule, texts: list[str]) -> dict[str, Any]:
    return {
        "texts": [_short(text, LONGEST_CAUSE) for text in texts],
        "facts": [["Job", schedule.class_path], ["Runs as", schedule.username]],
        "path": f"/schedules/{schedule.id}",
        "act": "See the schedule",
        "schedule": {
            "id": str(schedule.id),
            "name": schedule.name,
            "class_path": schedule.class_path,
            "user": schedule.username,
        },
    }


def _of_run(result: JobResult, texts: list[str]) -> dict[str, Any]:
    return {
        "texts": [_short(text, LONGEST_CAUSE) for text in texts],
        "facts": _facts(result),
        "path": f"/results/{result.id}",
        "act": "See the run",
        "result": _for_programs(result),
    }


def _facts(result: JobResult) -> list[list[str]]:
    facts = [["Job", result.class_path], ["Asked for by", result.shown_username]]
    if result.origin_name:
        origin = "run" if result.origin in ("", MAP) else result.origin
        facts.append([f"By the {origin}", result.origin_name])
    if result.dry_run:
        facts.append(["Mode", "Dry run"])
    facts.append(["Asked for at", _moment(result.created_at)])
    if result.finished_at is not None:
        facts.append(["Ended at", _moment(result.finished_at)])
    if result.duration_seconds is not None and result.finished:
        facts.append(["Took", f"{result.duration_seconds:,.1f} seconds"])
    return facts


def _failures(db: Session, result: JobResult) -> list[str]:
    """Return the first texts that say what failed."""
    if not result.families["failure"]:
        return []
    query = (
        select(LogEntry.message)
        .where(
            LogEntry.result_id == result.id,
            LogEntry.seq > result.last_seq - LINES_LOOKED_AT,
            LogEntry.level.in_(FAMILIES["failure"]),
        )
        .order_by(LogEntry.seq)
        .limit(MOST_FAILURES)
    )
    return [_short(message, LONGEST_FAILURE) for message in db.scalars(query)]


def _for_programs(result: JobResult) -> dict[str, Any]:
    moments = {
        name: moment.isoformat() if (moment := getattr(result, name)) else None
        for name in ("created_at", "started_at", "finished_at")
    }
    return {
        "id": str(result.id),
        "class_path": result.class_path,
        "name": result.name,
        "status": str(result.status),
        "cause": _short(result.cause or "", LONGEST_CAUSE) or None,
        "commit": result.commit,
        "user": result.username,
        "queue": result.queue,
        "origin": result.origin or None,
        "origin_id": str(result.origin_id) if result.origin_id else None,
        "counts": result.counts,
        **moments,
    }


def _moment(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
