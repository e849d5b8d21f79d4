"""Why something that nobody in particular asks for just now makes no run: a sentence for its page."""

from jobs.errors import InvalidData
from store.permissions import Forbidden, NotVisible
from worker.asked import NotRunnable


class NoRun(Exception):
    """A reason of its own: a sentence."""


#: What says that a run is refused, now and whenever it were asked for again.
REFUSALS = (NoRun, InvalidData, Forbidden, NotVisible)


def sentence(refusal: Exception, who: str) -> str:
    """Return the reason. who: as whom it would run, as a sentence begins: "alice, as whom it runs,"."""
    match refusal:
        case InvalidData(errors=dict() as errors):
            said = (f"{name}: {' '.join(sentences)}" for name, sentences in errors.items())
            return f"Its inputs do not fit: {' '.join(said)}"
        case NotVisible():
            return f"{who} may not see its job."
        case Forbidden() if not isinstance(refusal, NotRunnable):
            return f"{who} was refused: {refusal}"
    return str(refusal)


def broke(error: Exception) -> str:
    """Say that it was the portal that failed: the scheduler's log has the rest."""
    return f"The portal failed at it ({type(error).__name__}); the scheduler's log says more."
