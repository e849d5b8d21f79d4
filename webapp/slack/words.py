"""What the bot says. Pure: everything that somebody wrote is shown as it is."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from jobs.errors import InvalidData
from store.models import JobResult, Status, Suppression
from webapp.slack.catalogue import Space
from worker.commands import Happening, starts_at
from worker.messages import cut, mrkdwn

#: Of one message, as Slack advises; what is longer is cut off.
LONGEST = 4_000
#: Of what somebody typed, as much as an answer repeats.
LONGEST_ECHO = 80
#: Of one command.
LONGEST_CODE = 500

BAD_CODE = "I do not know that code, or it is too old. Make another one: *Connect Slack* in your account."

CODE_IN_CHANNEL = "Others may have read that code, so it is void now. Make another one, and send it to me as a direct message."

WRONG_TIMES = "Wrong time format - `[start_at]` and `[end_at]` must be HH:MM with `[start_at]` < `[end_at]`, in UTC, and today"


def connected(username: str) -> str:
    return f":link: You are {code(username)} here from now on."


def refused(namespace: str) -> str:
    return f":no_entry: Sorry, only full members of this workspace are allowed to run {code(namespace)} commands."


def code(text: str) -> str:
    """Show a text as code: to the letter."""
    return f"`{mrkdwn(cut(text.replace('`', chr(0x2BB)), LONGEST_CODE))}`"


def type_of(class_path: str) -> str:
    """Return what a job is called in Slack: the name of its class."""
    return class_path.rpartition("/")[2]


# --- Help -----------------------------------------------------------------------------------------------------


def help_for(spaces: Sequence[Space], prefix: str, *, asked: bool) -> str:
    lines = [] if asked else ["I'm sorry, I didn't understand you", ""]
    lines += ["These are the groups of commands:", "", *map(_space, spaces), ""]
    lines += [
        f"Enter {code(f'{prefix}[group] help')} to see the commands of a group",
        f"Enter {code(f'{prefix}status')} to see what is running and what is to run",
        f"Enter {code(f'{prefix}remove job id [id]')} to have a job be in nobody's way any more",
    ]
    return cut("\n".join(lines), LONGEST)


def _space(space: Space) -> str:
    description = f": {mrkdwn(space.description)}" if space.description else ""
    return f"* {code(space.name)}{description}{' :lock:' if space.restricted else ''}"


def help_of(space: Space, prefix: str) -> str:
    lock = ":lock: Only full members of this workspace may run these.\n" if space.restricted else ""
    about = f"{mrkdwn(space.description)}\n" if space.description else ""
    lines = [
        f"* {code(prefix + command.command)}{f': {mrkdwn(command.help)}' if command.help else ''}"
        for command in space.commands
    ]
    return cut("\n".join([f"{about}{lock}These are the {code(space.name)} commands:", "", *lines]), LONGEST)


# --- What goes on ---------------------------------------------------------------------------------------------


def status(happening: Happening, now: datetime, portal: str = "") -> str:
    """portal: the address of the portal, for links; empty: nobody said it."""
    holding = [each for each in happening.suppressions if each.starts_at <= now]
    coming = [each for each in happening.suppressions if each.starts_at > now]
    running = [f"{_job(each, portal)} (started at {moment(each.started_at)})" for each in happening.running]
    scheduled = [f"{_job(each, portal)} ({_when(each)})" for each in happening.scheduled]
    parts = [
        _listed("running job", happening.running_count, running),
        _listed("scheduled job", happening.scheduled_count, scheduled),
        _listed("active suppression", len(holding), list(map(_suppression, holding))),
        _listed("scheduled suppression", len(coming), list(map(_suppression, coming))),
    ]
    return cut("\n\n".join(part for part in parts if part) or "Nothing is happening", LONGEST)


def _listed(what: str, count: int, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    head = f"There is 1 {what}:" if count == 1 else f"There are {count} {what}s:"
    more = [f"and {count - len(lines)} more"] if count > len(lines) else []
    return "\n".join([head, *(f"* {line}" for line in lines), *more])


def _job(result: JobResult, portal: str) -> str:
    key = short(result)
    shown = f"<{portal}/results/{result.id}|{key}>" if portal else key
    return f"[{shown}] {mrkdwn(type_of(result.class_path))}"


def _when(result: JobResult) -> str:
    if result.status == Status.AWAITING_APPROVAL:
        return "waits for somebody to approve it"
    return f"starting after {moment(starts_at(result))}"


def _suppression(suppression: Suppression) -> str:
    name = mrkdwn(type_of(suppression.job.class_path))
    return f"{name} (from {moment(suppression.starts_at)} to {moment(suppression.ends_at)})"


def short(result: JobResult) -> str:
    """Return what is enough of a run's id to name it by."""
    return result.id.hex[:8]


def moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "?"


def clock(at: datetime) -> str:
    return f"{at:%H:%M} UTC"


# --- What becomes of a command --------------------------------------------------------------------------------


def kept_waiting(name: str, prefix: str) -> str:
    return (
        f"A {code(name)} job has already started; request queued. {code(f'{prefix}status')} shows what runs, and "
        f"{code(f'{prefix}remove job id [id]')} has a job that is stuck be in nobody's way."
    )


def does_not_fit(command: str, refusal: InvalidData) -> str:
    """Say why a command was not taken."""
    errors: Any = refusal.errors
    if not isinstance(errors, Mapping):
        errors = {"": errors}
    said = [
        f"* {code(name)}: {mrkdwn(' '.join(sentences))}" if name else f"* {mrkdwn(' '.join(sentences))}"
        for name, sentences in errors.items()
    ]
    return cut("\n".join([f":warning: {code(command)} was not run:", *said]), LONGEST)


def not_run(command: str, why: str) -> str:
    return cut(f":no_entry: {code(command)} was not run. {mrkdwn(why)}", LONGEST)


def removed(given: str, *, goes_on: bool) -> str:
    more = " It goes on running, but nothing waits for it any more." if goes_on else ""
    return f"Job id [{_echo(given)}] removed{'.' if more else ''}{more}"


def not_found(given: str) -> str:
    return f"Job id [{_echo(given)}] not found in running or scheduled jobs"


def _echo(given: str) -> str:
    return mrkdwn(cut(given, LONGEST_ECHO))
