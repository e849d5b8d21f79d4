"""What is called when something happens, and with what: methods of jobs, receivers, changes, references, messages."""

import inspect
from collections.abc import Mapping

from jobs.job import BaseJob
from jobs.shims.bases import JobButtonReceiver, JobHookReceiver
from jobs.shims.changes import ObjectChange
from store.notices import FOR_CHANNELS, OWN
from webapp.cli.reference.tables import comments, first_line, table
from worker.references import OF_DELIVERY, OF_RUN, Known

#: In the order in which they are called.
AROUND_A_RUN = ("before_start", "on_success", "on_failure", "on_retry", "after_return")


def text() -> str:
    return "\n".join([_around_a_run(), _receivers(), _change(), _references(), _messages()])


def _around_a_run() -> str:
    rows = ((_call(BaseJob, name), first_line(getattr(BaseJob, name))) for name in AROUND_A_RUN)
    return "## Methods around a run\n\n" + table(("method", "is"), rows)


def _receivers() -> str:
    receivers: Mapping[str, type] = {
        "receive_job_hook": JobHookReceiver,
        "receive_job_button": JobButtonReceiver,
    }
    rows = ((f"`{cls.__name__}`", first_line(cls), _call(cls, name)) for name, cls in receivers.items())
    return "## Receivers\n\n" + table(("class", "is", "its method"), rows)


def _call(cls: type, name: str) -> str:
    _, *given = inspect.signature(getattr(cls, name)).parameters
    return f"`{name}({', '.join(given)})`"


def _change() -> str:
    said = comments(inspect.getsource(ObjectChange))
    rows = [(f"`{name}`", said[name]) for name in said if name.isidentifier() and said[name]]
    snapshots = (f"`{ObjectChange.get_snapshots.__name__}()`", first_line(ObjectChange.get_snapshots))
    return "## What is known of a change\n\n" + table(("attribute", "holds"), [*rows, snapshots])


def _references() -> str:
    rows = [
        ("a chain", *_may_be_named(OF_RUN)),
        ("a webhook", *_may_be_named(OF_DELIVERY)),
    ]
    return "## References in inputs\n\n" + table(("of", "may be named", "such as"), rows)


def _may_be_named(known: Known) -> tuple[str, str]:
    words = (
        f"`{first}`: whatever follows" if after is None else ", ".join(f"`{first}.{word}`" for word in after)
        for first, after in known.words.items()
    )
    return "; ".join(words), f"`{known.example}`"


def _messages() -> str:
    rows = ((f"`{word}`", said, OWN.get(word, "")) for word, said in FOR_CHANNELS.items())
    return "## What messages tell of\n\n" + table(("word", "channels are told", "people are told"), rows)
