"""Who may do what to what: one pure function, which says why.

A permission gives some people actions on a kind of thing, all of that kind or those that fit its constraints:

    [{"source": "local", "grouping": ["Network", "Backup"]}, {"class_path": "plugins/*"}]

is what comes from `local` and is in one of two groups, or what comes from any plugin. A `*` stands for anything. What
a key means is written beside each kind below. Nobody may do what no permission gives; nothing takes away what one gives.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from store.text import clean_text

#: What one permission may hold.
MOST_CONSTRAINTS, MOST_VALUES, LONGEST_VALUE = 50, 100, 400

#: Whole numbers up to here are the same to every database.
LARGEST_NUMBER = 2**53

#: Keys whose values are true or false.
_SWITCHES = frozenset({"enabled", "hidden", "read_only", "restricted"})

#: Stands for who asks, as the owner of a run.
ME = "me"

#: Keys that begin so are about the inputs of a run: "data.environment".
DATA = "data."


@dataclass(frozen=True, slots=True)
class Kind:
    """Something permissions are about."""

    name: str
    #: As people say it: "jobs".
    plural: str
    #: {action: what it is to do that}, "view" first.
    actions: Mapping[str, str]
    #: {key of constraints: what it is compared with}.
    keys: Mapping[str, str] = field(default_factory=dict)
    #: Whether the values of inputs may be keys.
    has_data: bool = False


_OF_JOBS = {
    "source": "where it comes from: local, plugins",
    "grouping": "the group it is listed in",
    "class_path": "<source>/<module>/<Class>",
    "queue": "the queue of a run",
}

#: Kinds whose things have a class path.
OF_JOBS = ("job", "result", "schedule")

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "job",
            "jobs",
            {
                "view": "see",
                "run": "run",
                "approve": "approve runs of",
                "change": "enable and change",
                "delete": "delete",
            },
            {
                **_OF_JOBS,
                "enabled": "whether it can be run",
                "hidden": "whether it is left out of lists",
                "read_only": "whether it saves nothing",
                "restricted": "whether its author keeps it for some people",
            },
            has_data=True,
        ),
        Kind(
            "result",
            "results",
            {"view": "see", "change": "cancel", "delete": "delete"},
            {**_OF_JOBS, "owner": "who asked for it: a username, or me"},
            has_data=True,
        ),
        Kind(
            "schedule",
            "schedules",
            {"view": "see", "change": "change, pause and run", "delete": "delete"},
            {**_OF_JOBS, "queue": "the queue of its runs", "owner": "as whom it runs: a username, or me"},
            has_data=True,
        ),
        Kind("object", "objects", {"view": "see"}, {"model": "inventory.device"}),
        Kind("worker", "workers and queues", {"view": "see", "change": "pause and drain"}),
        Kind(
            "source",
            "sources of jobs",
            {"view": "see", "change": "refresh and change", "delete": "delete"},
            {"source": "local, plugins, git.<name>"},
        ),
        Kind(
            "channel",
            "channels and what is told there",
            {"view": "see", "change": "change", "delete": "delete"},
        ),
        Kind("chain", "chains of jobs", {"view": "see", "change": "make and change", "delete": "delete"}),
        Kind(
            "webhook",
            "webhooks that run jobs",
            {"view": "see", "change": "make and change", "delete": "delete"},
        ),
        Kind("hook", "job hooks", {"view": "see", "change": "make and change", "delete": "delete"}),
        Kind("button", "job buttons", {"view": "see", "change": "make and change", "delete": "delete"}),
        Kind(
            "datafile",
            "data files",
            {"view": "see and read", "add": "upload", "change": "replace", "delete": "delete"},
            {"name": "what it is called", "owner": "who uploaded it last: a username, or me"},
        ),
        Kind("user", "people and what they may do", {"view": "see", "change": "change", "delete": "delete"}),
    )
}


class BadPermission(ValueError):
    """A permission that means nothing: `errors` is {"kind", "actions" or "constraints": sentence}."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(" ".join(errors.values()))
        self.errors = dict(errors)


@dataclass(frozen=True, slots=True)
class Grant:
    """What one permission gives to whoever it is for."""

    id: int
    name: str
    kind: str
    actions: frozenset[str]
    constraints: tuple[Mapping[str, Any], ...] = ()
    #: By which group the person has it; "" for a permission of their own.
    group: str = ""

    @property
    def text(self) -> str:
        """In words: "see and run jobs where grouping is Network"."""
        kind = KINDS[self.kind]
        acts = " and ".join(words for action, words in kind.actions.items() if action in self.actions)
        where = " or ".join(" and ".join(_said(*each) for each in one.items()) for one in self.constraints)
        return f"{acts} {kind.plural}{f' where {where}' if where else ''}"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a token may do at most of what its user may."""

    #: What the token is called.
    name: str
    read_only: bool = False
    #: Of jobs and their results only these, with `*` for anything; empty: all.
    class_paths: tuple[str, ...] = ()

    def refusal(self, kind: str, action: str) -> str:
        """Say why an action on a whole kind is beyond them; "" where it is not."""
        if self.read_only and action != "view":
            return f"The token {self.name} may only read."
        # To name an object, or a data file, among the inputs one has to find it.
        named = kind in ("object", "datafile") and action == "view"
        if self.class_paths and kind not in OF_JOBS and not named:
            return f"The token {self.name} is for jobs only."
        return ""

    def covers(self, class_path: str) -> bool:
        return not self.class_paths or any(fits(class_path, wanted) for wanted in self.class_paths)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, with all that they may do."""

    username: str
    active: bool = True
    superuser: bool = False
    grants: tuple[Grant, ...] = ()
    limits: Limits | None = None
    #: Whether authors may have switched jobs off, whose rows are to be hidden. Mostly none has, and lists are the faster.
    some_withdrawn: bool = True


@dataclass(frozen=True, slots=True)
class Facts:
    """What somebody wants to do something to, as far as constraints speak of it."""

    kind: str
    #: {key: value}; of a key that may have several values, such as the queue of a job, a tuple.
    values: Mapping[str, Any] = field(default_factory=dict)
    #: The inputs of a run, without those that nobody may read; None while they are not known.
    data: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What one permission has to say."""

    grant: Grant
    fits: bool
    #: Why it does not, in words; "" where it does.
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    allowed: bool
    #: One sentence.
    reason: str
    steps: tuple[Step, ...] = ()


def decide(asker: Asker | None, action: str, facts: Facts) -> Decision:
    """Tell whether `asker` may do `action`, and why. Raises ValueError for an action that the kind does not know."""
    kind = KINDS[facts.kind]
    if action not in kind.actions:
        raise ValueError(f"There is no action {action!r} on {kind.plural}.")
    if asker is None or not asker.active:
        return Decision(False, "Only people who have signed in may do anything.")
    if refusal := _beyond(asker.limits, action, facts):
        return Decision(False, refusal)
    if asker.superuser:
        return Decision(True, f"{asker.username} is a superuser, who may do everything.")
    steps = tuple(
        _judge(grant, asker, facts)
        for grant in asker.grants
        if grant.kind == kind.name and action in grant.actions
    )
    fitting = next((step.grant for step in steps if step.fits), None)
    if fitting is not None:
        by = f" of the group {fitting.group}" if fitting.group else ""
        return Decision(True, f"The permission {fitting.name}{by} allows it.", steps)
    what = f"{asker.username} may {kind.actions[action]}"
    if steps:
        return Decision(False, f"No permission by which {what} {kind.plural} fits this one.", steps)
    return Decision(False, f"There is no permission by which {what} {kind.plural}.", steps)


def _beyond(limits: Limits | None, action: str, facts: Facts) -> str:
    if limits is None:
        return ""
    if refusal := limits.refusal(facts.kind, action):
        return refusal
    if facts.kind in OF_JOBS and limits.class_paths and not limits.covers(facts.values["class_path"]):
        return f"The token {limits.name} is for other jobs."
    return ""


def grants_of(asker: Asker, action: str, kind: str) -> list[Grant]:
    """Return what an asker has that could allow an action, for whoever asks a database instead of `decide`."""
    return [grant for grant in asker.grants if grant.kind == kind and action in grant.actions]


def check(kind: str, actions: Iterable[str], constraints: Any) -> None:
    """Raise BadPermission where a permission cannot mean anything."""
    errors: dict[str, str] = {}
    if kind not in KINDS:
        raise BadPermission({"kind": f"Choose from: {', '.join(KINDS)}."})
    known = KINDS[kind].actions
    wrong = [action for action in actions if action not in known]
    if wrong or not list(actions):
        errors["actions"] = f"Choose from: {', '.join(known)}."
    if problem := _problem(KINDS[kind], constraints):
        errors["constraints"] = problem
    if errors:
        raise BadPermission(errors)


def _problem(kind: Kind, constraints: Any) -> str:
    if not isinstance(constraints, list) or not all(isinstance(one, Mapping) and one for one in constraints):
        return "Write a list of conditions, each with at least one key; an empty list sets none."
    if len(constraints) > MOST_CONSTRAINTS:
        return f"Write at most {MOST_CONSTRAINTS} conditions."
    for one in constraints:
        for key, value in one.items():
            name = key.removeprefix(DATA)
            is_data = kind.has_data and key.startswith(DATA) and name.isidentifier() and name.isascii()
            if not is_data and key not in kind.keys:
                keys = ", ".join([*kind.keys, *([f"{DATA}<input>"] if kind.has_data else [])]) or "none"
                return f"There is no {key!r} of {kind.plural}. Keys are: {keys}."
            values = value if isinstance(value, list) else [value]
            if problem := _problem_of_values(key, values):
                return problem
            # Of a job these are a list, in which a database cannot look for a part of a name.
            if key == "queue" and any("*" in str(each) for each in values):
                return "queue takes no *: write a list of names."
    return ""


def _problem_of_values(key: str, values: Sequence[Any]) -> str:
    if not 0 < len(values) <= MOST_VALUES:
        return f"{key} must be one value, or a list of at most {MOST_VALUES}."
    if key in _SWITCHES:
        return "" if all(isinstance(each, bool) for each in values) else f"{key} must be true or false."
    if not key.startswith(DATA) and not all(isinstance(each, str) for each in values):
        return f"{key} must be a text, or a list of texts."
    for each in values:
        if isinstance(each, str):
            if len(each) > LONGEST_VALUE or clean_text(each) != each:
                return f"{key} must be texts of at most {LONGEST_VALUE} visible characters."
        elif not isinstance(each, int | float) or not abs(each) <= LARGEST_NUMBER:
            return f"{key} must be a text, a number, true or false, or a list of such."
    return ""


def _judge(grant: Grant, asker: Asker, facts: Facts) -> Step:
    if not grant.constraints:
        return Step(grant, True)
    reasons = []
    for constraint in grant.constraints:
        misfits = list(_misfits(constraint, asker, facts))
        if not misfits:
            return Step(grant, True)
        reasons.append(" and ".join(misfits))
    return Step(grant, False, ", or ".join(reasons))


def _misfits(constraint: Mapping[str, Any], asker: Asker, facts: Facts) -> Iterator[str]:
    for key, wanted in constraint.items():
        if key.startswith(DATA):
            # What nobody has filled in yet may still become what it has to be; the run itself asks again.
            if facts.data is None:
                continue
            actual: Any = facts.data.get(key.removeprefix(DATA))
        else:
            actual = facts.values.get(key)
        # Several values, as of an input that takes a list, are none that a constraint could mean.
        values = actual if isinstance(actual, tuple) else (None,) if isinstance(actual, list) else (actual,)
        if not any(fits(value, each) for value in values for each in alternatives(wanted, asker, key)):
            yield f"{key} is {_shown(actual)}, not {_shown(wanted)}"


def alternatives(wanted: Any, asker: Asker, key: str) -> Sequence[Any]:
    """Return the values of which one has to fit, "me" being who asks."""
    values = wanted if isinstance(wanted, list) else [wanted]
    return [asker.username if key == "owner" and value == ME else value for value in values]


def fits(actual: Any, wanted: Any) -> bool:
    """Tell whether one value is as a constraint wants it: of the same kind, and upper and lower case are different."""
    if isinstance(wanted, bool) or isinstance(actual, bool):
        return actual is wanted
    if isinstance(wanted, str):
        return isinstance(actual, str) and matches(actual, wanted)
    return isinstance(actual, int | float) and float(actual) == float(wanted)


def matches(text: str, wanted: str) -> bool:
    """Tell whether a text is `wanted`, in which `*` stands for anything. Takes time in proportion to both."""
    first, *rest = wanted.split("*")
    if not rest:
        return text == wanted
    last = rest.pop()
    if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in rest:
        at = text.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


def _said(key: str, wanted: Any) -> str:
    return f"{key} is {_shown(wanted)}"


def _shown(value: Any) -> str:
    if isinstance(value, tuple | list):
        return " or ".join(map(_shown, value)) or "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "nothing" if value is None or value == "" else str(value)
