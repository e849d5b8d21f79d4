"""What a child says of its run, made to fit: a job's code may have written it."""

import re
import time
from typing import Any

from jobs.levels import LEVELS
from jobs.lifecycle import LONGEST_CAUSE, MOST_BYTES
from store.text import entry_text
from worker import frames
from worker.capture import cut
from worker.entries import LONGEST_GROUPING, LONGEST_OBJECT_TEXT, Entry
from worker.masking import Mask

#: Characters that an entry can say were left out.
_MOST_COUNTED = 2**53

#: In the year 2200; beyond 9999 there are no dates.
_LAST_MOMENT = 7_258_118_400.0

_SAFE_URL = re.compile(r"(/(?![/\\])|https?://)[^\x00-\x20\x7f-\x9f\\\ud800-\udfff]*")


def entry_of(facts: list[Any]) -> Entry:
    """Return the entry that a child sent, made to fit. Raises BrokenLine: a job's code may have written the frame."""
    match facts:
        case [str(level), str(grouping), str(message), int(more), text, url, moment, bool(markdown)] if (
            isinstance(moment, int | float)
        ):
            return Entry(
                level if level in LEVELS else "default",
                grouping[:LONGEST_GROUPING],
                cut(message)[0],
                min(max(0, more), _MOST_COUNTED),
                text[:LONGEST_OBJECT_TEXT] if isinstance(text, str) else None,
                url if is_safe_url(url) else None,
                # A job may have changed how its process tells the time.
                moment if is_moment(moment) else time.time(),
                markdown,
            )
    raise frames.BrokenLine("no entry")


def is_moment(moment: Any) -> bool:
    """Tell whether it is a time of day there can be, in seconds since 1970."""
    return isinstance(moment, int | float) and 0 <= moment < _LAST_MOMENT


def is_safe_url(url: Any) -> bool:
    """Tell whether a link may lead there: to a page of ours, or by http(s)."""
    return isinstance(url, str) and len(url) <= 255 and _SAFE_URL.fullmatch(url) is not None


def outcome_values(outcome: dict[str, Any], mask: Mask) -> dict[str, Any]:
    """Return the columns of a result that tell how its run ended, masked."""
    status = outcome.get("status")
    cause = str(outcome.get("cause"))
    results = mask.data(outcome.get("results"))
    return {
        "status": status if status in ("completed", "failed", "errored") else "errored",
        "cause": mask.message(entry_text(cause), cut=len(cause) >= LONGEST_CAUSE)[:4_000],
        "return_value": mask.data(outcome.get("return_value")),
        "output": _cut_output(str(outcome.get("output") or ""), mask),
        "results": results if isinstance(results, dict) else {},
    }


def _cut_output(output: str, mask: Mask) -> str:
    if len(output) <= MOST_BYTES:
        return mask.text(entry_text(output))
    # The child has cut it, and said so behind that.
    kept, note = output[:MOST_BYTES], output[MOST_BYTES:]
    return mask.text(entry_text(kept), cut=True) + mask.text(entry_text(note))
