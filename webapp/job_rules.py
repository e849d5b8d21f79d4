"""The rules under which runs of a job start, in words."""

from store.models import SINGLETON, JobRecord
from webapp.formats import round_duration
from worker.rules import rate

#: What becomes of one run more than may be at once.
_MORE = {
    "skip": "one more is skipped",
    "replace": "a newer one replaces the oldest",
    SINGLETON: "one more fails",
}


def rules_in_words(job: JobRecord) -> list[str]:
    """Return a few words for each rule; nothing for a job without."""
    words = []
    if job.concurrency_limit:
        words.append(_at_once(job))
    if limit := rate(job.rate_limit):
        words.append(f"at most {limit.text}")
    if job.dedupe:
        words.append("equal requests count once while one waits")
    if job.delay:
        words.append(f"starts {round_duration(job.delay) or 'a moment'} after it is asked for")
    return words


def _at_once(job: JobRecord) -> str:
    limit = "one run" if job.concurrency_limit == 1 else f"at most {job.concurrency_limit} runs"
    same = f" for each {', '.join(map(str, job.concurrency_key))}" if job.concurrency_key else ""
    more = _MORE.get(job.concurrency_policy)
    return f"{limit} at once{same}" + (f", {more}" if more else "")
