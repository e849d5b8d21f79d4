"""What is said in Slack of a run: a reaction, and the messages that answer whoever asked.

Pure: facts in, messages out. What a job prints for Slack is Slack's own markup, as its author means it, only that it calls
nobody together; everything else that somebody wrote is shown as it is.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jobs.slack_commands import REPORT
from store.models.states import Status

#: Slack's own limits: characters of a text, of one that is wrapped as code, and blocks of a message.
LONGEST_TEXT, LONGEST_CODE, MOST_BLOCKS = 4_000, 3_990, 50

#: So many messages of blocks; what is beyond them is in the file.
MOST_MESSAGES = 4

#: Of the sentence that says why a run failed.
LONGEST_CAUSE = 1_000

#: What the names of the portal's own buttons begin with.
OUR_ACTIONS = "errand."

DONE, FAILED = "white_check_mark", "x"

#: What calls all people of a channel, or of a group, together.
_CALL = re.compile(r"<!(?=(?:channel|group|here|everyone|subteam)\b)")

Blocks = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Output:
    """What a run has to show."""

    text: str
    #: It is Slack's own markup: what a command printed for its readers there.
    markup: bool = True
    #: There is more than this.
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """A run, as Slack is told of it."""

    command: str
    status: str
    #: Why it ended as it did.
    cause: str = ""
    #: Who has canceled it; empty: nobody.
    canceled_by: str = ""
    #: Whether any of it was run.
    began: bool = True
    #: The address of its page; empty: nobody said where the portal is.
    url: str = ""
    #: Where on its machine the files of its output are; empty: nowhere else than on that page.
    logs: str = ""
    #: By what `showlogs` finds it.
    key: str = ""
    #: How people call the bot there, with a space at the end; empty in a direct message.
    bot: str = ""
    is_im: bool = False
    #: Whether there is a channel to call when something fails.
    support: bool = False
    #: As its job says (see jobs.slack_commands.REPORT); empty: it says nothing.
    report: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    text: str
    blocks: Blocks = field(default_factory=list)
    #: A link beside what it says.
    link: str = ""

    def arguments(self) -> dict[str, Any]:
        """Return what chat.postMessage takes beside the channel and the thread."""
        said: dict[str, Any] = {"text": self.text, "unfurl_links": False, "unfurl_media": False}
        if self.blocks:
            said["blocks"] = self.blocks
        if self.link:
            # Beside the text: that stays what the job said, to the letter.
            said["attachments"] = [{"fallback": self.link, "blocks": [_context(self.link)]}]
        return said


@dataclass(frozen=True, slots=True)
class Snippet:
    """A file in the conversation."""

    name: str
    title: str
    content: str


@dataclass(frozen=True, slots=True)
class Reply:
    """Everything that is said when a run has ended."""

    #: To the message that asked for it; empty: none.
    reaction: str = ""
    messages: tuple[Message, ...] = ()
    #: After the messages.
    snippet: Snippet | None = None
    #: The support channel gets a link to the message.
    calls: bool = False


def reply(told: Told, output: Output | None, *, without_blocks: bool = False) -> Reply:
    """Return what is said of a run that has ended. output: None where it has nothing to show.

    without_blocks: Slack has refused those that it printed.
    """
    match told.status:
        case Status.COMPLETED:
            messages, snippet = _of_success(told, output, without_blocks)
            return Reply(DONE, messages, snippet)
        case Status.CANCELED:
            return Reply("", _of_cancel(told))
        case Status.DENIED:
            return Reply(
                FAILED, (_linked(told, f"Command {_code(told.command)} does not run. {_why(told)}"),)
            )
    calls = told.support and not told.is_im and bool({**REPORT, **told.report}["call_support"])
    return Reply(FAILED, (_of_failure(told, calls=calls),), None, calls)


def about_to_start(told: Told) -> Message:
    return _linked(told, f"Command {_code(told.command)} about to start")


def started(told: Told) -> Message:
    """What whoever waits reads when it takes longer."""
    return _linked(told, f"Command {_code(told.command)} is running.")


def warning(problem: str) -> Message:
    return Message(f":warning: {shown(_cut(problem, LONGEST_CAUSE))}")


def not_sent(error: str, text: str) -> Message:
    """What is tried instead of a message that Slack did not take."""
    return Message(_cut(f"Could not notify slack: {shown(error)}\n{text}", LONGEST_TEXT))


def is_quiet(report: Mapping[str, Any]) -> bool:
    """Tell whether a run of this job may end without a word: then nothing is said of its start either."""
    said = {**REPORT, **report}
    return bool(said["suppress_empty"] if said["report_stdout"] else not said["report_success"])


# --- How it ended ---------------------------------------------------------------------------------------------


def _of_success(
    told: Told, output: Output | None, without_blocks: bool
) -> tuple[tuple[Message, ...], Snippet | None]:
    said = {**REPORT, **told.report}
    # A job that says nothing of Slack, and has something to show, shows it.
    if said["report_stdout"] or (not told.report and output is not None):
        form = "file" if without_blocks and said["report_format"] == "blocks" else said["report_format"]
        if output is not None and (shown_as := _formatted(told, output, form, refused=without_blocks)):
            return shown_as
        if said["suppress_empty"]:
            return (), None
        return (_linked(told, f"No output found for command {_code(told.command)}"),), None
    if not said["report_success"]:
        return (), None
    return (_linked(told, f"Command {_code(told.command)} succeeded"),), None


def _of_failure(told: Told, *, calls: bool) -> Message:
    lines = [f"Command {_code(told.command)} failed."]
    if told.cause:
        lines.append(shown(_cut(told.cause, LONGEST_CAUSE)))
    if told.url:
        lines.append(f"Its log: {told.url}")
    if told.logs:
        lines.append(f"Its output is kept in {_code(told.logs)}")
    if told.key:
        show = f"{told.bot}showlogs tail"
        lines.append(f"See its end here: `{show} error {told.key}` or `{show} output {told.key}`")
    if calls:
        lines.append("Calling tech-support.")
    return _linked(told, "\n".join(lines))


def _of_cancel(told: Told) -> tuple[Message, ...]:
    """Say it unless somebody took back what had not begun: they know, and asked for nothing else."""
    if not told.canceled_by:
        return (_linked(told, f"Command {_code(told.command)} does not run. {_why(told)}".rstrip()),)
    if not told.began:
        return ()
    return (_linked(told, f"Command {_code(told.command)} was canceled by {shown(told.canceled_by)}."),)


def _why(told: Told) -> str:
    return shown(_cut(told.cause, LONGEST_CAUSE))


# --- What it has to show ----------------------------------------------------------------------------------------


def _formatted(
    told: Told, output: Output, form: str, *, refused: bool
) -> tuple[tuple[Message, ...], Snippet | None] | None:
    """Return what shows an output in a format; None where there is nothing to show."""
    text = output.text.rstrip("\r\n")
    if not text.strip():
        return None
    if form == "blocks":
        return _as_blocks(told, output)
    if form == "file":
        why = "Slack did not take the blocks that it printed." if refused else ""
        return _as_file(told, output, why)
    if form == "code":
        shown_text = shown(text)
        # What holds the sign for the end of code would end it there.
        fits = len(shown_text) <= LONGEST_CODE and "```" not in text
        whole = f"```{shown_text}```"
    else:
        whole = _uncalled(text) if output.markup else shown(text)
        fits = len(whole) <= LONGEST_TEXT
    if output.cut or not fits:
        return _as_file(told, output)
    return (_linked(told, whole),), None


def _as_blocks(told: Told, output: Output) -> tuple[tuple[Message, ...], Snippet | None] | None:
    blocks, problem = _read_blocks(output)
    if problem:
        return _as_file(told, output, problem)
    if not blocks:
        return None
    parts = [blocks[start : start + MOST_BLOCKS] for start in range(0, len(blocks), MOST_BLOCKS)]
    text = f"Output of command {_code(told.command)}"
    # Only the last one has the link: they stand below each other.
    first, last = parts[:MOST_MESSAGES][:-1], parts[:MOST_MESSAGES][-1]
    messages = (*(Message(text, part) for part in first), Message(text, last, _link(told)))
    beyond = sum(map(len, parts[MOST_MESSAGES:]))
    if not beyond:
        return messages, None
    more = f"{beyond:,} more blocks do not fit here: the file has all {len(blocks):,}."
    return (*messages, _linked(told, more)), _snippet(told, output)


def _read_blocks(output: Output) -> tuple[Blocks, str]:
    """Return the blocks that a command printed, and why they are none."""
    what = "It is to print a list of Slack's blocks as JSON"
    if output.cut or not output.markup:
        return [], f"{what}, and has printed more than Slack takes." if output.cut else f"{what}."
    try:
        said = json.loads(output.text)
    except (ValueError, RecursionError) as error:
        place = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        return [], f"{what}, and what it printed is no JSON{place}."
    if not isinstance(said, list) or not all(isinstance(block, dict) and block.get("type") for block in said):
        return [], f"{what}, and printed something else."
    return _calm(said), ""


def _as_file(told: Told, output: Output, why: str = "") -> tuple[tuple[Message, ...], Snippet]:
    lines = [f"Output of command {_code(told.command)}"]
    if why:
        lines.append(why)
    if output.cut:
        lines.append("The file has the beginning of it; all is on the page of the run.")
    return (_linked(told, "\n".join(lines)),), _snippet(told, output)


def _snippet(told: Told, output: Output) -> Snippet:
    name = re.sub(r"[^\w.-]+", "-", told.command).strip("-.") or "output"
    return Snippet(f"{name[:80]}.txt", f"Output of {told.command}", output.text)


# --- Texts ------------------------------------------------------------------------------------------------------


def shown(text: str) -> str:
    """Have Slack show a text as it is: none of it may become a mention or a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _code(text: str) -> str:
    return f"`{shown(text.replace('`', chr(39)))}`"


def _uncalled(text: str) -> str:
    """Leave a text its markup, but for what calls people together: an argument may have brought that along."""
    return _CALL.sub("&lt;!", text)


def _calm(value: Any) -> Any:
    """Return blocks in which nothing calls people together, and no button is one of the portal's own."""
    match value:
        case str():
            return _uncalled(value)
        case list():
            return [_calm(item) for item in value]
        case {"type": "broadcast" | "usergroup"}:
            return {"type": "text", "text": f"@{value.get('range') or 'group'}"}
        case dict():
            return {name: _calm(item) for name, item in value.items() if not _is_ours(name, item)}
    return value


def _is_ours(name: str, item: Any) -> bool:
    """Tell whether a click on what a command printed would count as one on a button of the portal's own."""
    return name == "action_id" and str(item).startswith(OUR_ACTIONS)


def _linked(told: Told, text: str) -> Message:
    return Message(text, link=_link(told))


def _link(told: Told) -> str:
    return f"<{told.url}|See the run>" if told.url else ""


def _context(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text}]}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
