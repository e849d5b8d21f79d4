"""The inputs of a job.

A variable describes itself as plain data (`describe`), and is made again from that description
(jobs.kinds) where the author's code may not be loaded: the web builds its forms and
validates from descriptions alone. Names, options and messages are those of Nautobot 1.x and Django.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from jobs.errors import BadJob, InvalidValue
from jobs.values import characters, decimal_of, integer_of, is_integer, list_of, matches, shortened, text_of
from jobs.widgets import widget_name

#: A list of more keys than this is a mistake, and would keep the database busy.
MOST_OBJECTS = 10_000

#: The one name of a DryRunVar.
DRY_RUN = "dryrun"

REQUIRED = "This field is required."

#: So many choices a refusal names.
MOST_NAMED = 20


class Objects(Protocol):
    """How variables reach objects without knowing any database. `store.objects.ObjectLookup` is one."""

    def find(self, model: str, value: Any, query_params: Mapping[str, Any]) -> Any:
        """Return the primary key that `value` (a key, or a dict of lookups) stands for; ValueError with a sentence."""

    def find_many(self, model: str, values: Sequence[Any], query_params: Mapping[str, Any]) -> Sequence[Any]:
        """Return the keys that `values` stand for, in their order, each once; ValueError with a sentence."""

    def load(self, model: str, pk: Any) -> Any:
        """Return the object; LookupError when it is gone."""

    def load_many(self, model: str, pks: Sequence[Any]) -> Any:
        """Return the objects as a queryset; LookupError when one is gone."""


class Variable:
    """One input of a job. A kind's own options come first when they are given by position; then these:

    label: shown beside the input; by default the name in words
    description: help for the person who fills it in; or a function that returns it
    default: what the input holds at first; or a function that returns it
    required: whether it must be filled in
    widget: how it is shown, where that is not as usual (see jobs.widgets)
    shown_if: {name of another variable: its value, or a list of values}; True stands for any, False for none
    depends_on: names of the variables whose `values` are read to compute something of this one
    """

    #: Further options, as they appear in the description.
    options: ClassVar[tuple[str, ...]] = ()
    #: Others, attributes that the description has only where they are set.
    seldom: ClassVar[tuple[str, ...]] = ("place",)
    #: Where it stands among the arguments of a `run` that takes them by position (see jobs.bots.arguments).
    place: Any = None
    #: What the job gets when nothing was filled in.
    empty: ClassVar[Any] = None
    #: Whether a browser sends several values for it.
    multiple: ClassVar[bool] = False
    #: The name of a kind that a plugin brings (see jobs.kinds.register_kind).
    kind: ClassVar[str] = ""

    def __init__(
        self,
        label: str = "",
        description: Any = "",
        default: Any = None,
        required: bool = True,
        widget: Any = None,
        shown_if: Mapping[str, Any] | None = None,
        depends_on: Sequence[str] = (),
    ) -> None:
        self.name = ""
        self.label = label
        self.description = description
        self.default = default
        self.required = required
        self.widget = widget
        self.shown_if = shown_if
        self.depends_on = (depends_on,) if isinstance(depends_on, str) else tuple(depends_on)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @classmethod
    def type_name(cls) -> str:
        """Return which kind of ours this is, or is made of: how it is shown and sent, whoever wrote it."""
        return next(base.__name__ for base in cls.__mro__ if base.__module__.startswith("jobs."))

    @property
    def shown_label(self) -> str:
        words = self.name.replace("_", " ")
        return self.label or words[:1].upper() + words[1:]

    @property
    def computed(self) -> list[str]:
        """The names of the options that only the author's code can tell: it is asked when they are needed."""
        options = {"default": self.default, "description": self.description}
        return [name for name, option in options.items() if is_computed(option)]

    def describe(self) -> dict[str, Any]:
        """Return this variable as JSON-able data. `kind`, `computed` and what follows are there only where something is."""
        computed, widget = self.computed, widget_name(self.widget)
        return {
            "name": self.name,
            "type": self.type_name(),
            **({"kind": self.kind} if self.kind else {}),
            "label": self.shown_label,
            "description": "" if "description" in computed else self.description,
            "required": self.required,
            "default": None if "default" in computed else self.plain(self.default),
            **{option: getattr(self, option) for option in self.options},
            **{option: value for option in self.seldom if (value := getattr(self, option)) is not None},
            **({"computed": computed} if computed else {}),
            **({"widget": widget} if widget else {}),
            **({"shown_if": dict(self.shown_if)} if self.shown_if else {}),
            **({"depends_on": list(self.depends_on)} if self.depends_on else {}),
        }

    def plain(self, value: Any) -> Any:
        """Return a value that an author wrote, such as a default, as JSON has it."""
        return value

    def check(self) -> None:
        """Raise BadJob where the author's options cannot work."""

    def clean(self, raw: Any, objects: Objects, siblings: Mapping[str, Any]) -> Any:
        """Return the JSON value to store for `raw`; InvalidValue with a sentence when it does not fit.

        siblings: what was given for the other variables, for those that depend on them.
        """
        if self.is_empty(raw):
            if self.required:
                raise InvalidValue(REQUIRED)
            return self.empty
        return self.parse(raw)

    def is_empty(self, raw: Any) -> bool:
        return raw is None or (isinstance(raw, str) and not raw.strip()) or raw in ([], ())

    def parse(self, raw: Any) -> Any:
        raise NotImplementedError

    def restore(self, value: Any, objects: Objects) -> Any:
        """Return what the job gets for the stored `value`; LookupError when an object is gone."""
        return value


class StringVar(Variable):
    """A line of text."""

    options = ("min_length", "max_length", "regex")
    seldom = ("place", "keeps_numbers", "most_bytes")
    #: True: a number, or true, that a program gives stays what it is.
    keeps_numbers: bool | None = None
    #: What a command can be given.
    most_bytes: int | None = None
    empty = ""

    def __init__(
        self,
        min_length: int | None = None,
        max_length: int | None = None,
        regex: str | None = None,
        *common: Any,
        **named: Any,
    ) -> None:
        super().__init__(*common, **named)
        self.min_length = min_length
        self.max_length = max_length
        self.regex = regex

    def check(self) -> None:
        for option in ("min_length", "max_length"):
            if getattr(self, option) is not None and not is_integer(getattr(self, option)):
                raise BadJob(f"{option} of {self.name} must be a whole number.")
        if self.regex is not None:
            import regex as timed_regex

            try:
                timed_regex.compile(self.regex)
            except (timed_regex.error, TypeError) as error:
                raise BadJob(f"regex of {self.name} is not a regular expression: {error}.") from error

    def parse(self, raw: Any) -> Any:
        if self.keeps_numbers and isinstance(raw, bool | int | float):
            return raw
        text = text_of(raw).strip()
        self.check_text(text)
        return text

    def check_text(self, text: str) -> None:
        length = len(text)
        if self.min_length is not None and length < self.min_length:
            raise InvalidValue(
                f"Ensure this value has at least {characters(self.min_length)} (it has {length})."
            )
        if self.max_length is not None and length > self.max_length:
            raise InvalidValue(
                f"Ensure this value has at most {characters(self.max_length)} (it has {length})."
            )
        if self.most_bytes is not None and len(text.encode()) > self.most_bytes:
            raise InvalidValue(
                f"This text is too long for a command: it has more than {self.most_bytes:,} bytes."
            )
        if self.regex and not matches(self.regex, text):
            raise InvalidValue(f"Invalid value. Must match regex: {self.regex}")


class TextVar(StringVar):
    """Text of any length, on several lines."""

    def parse(self, raw: Any) -> str:
        # Browsers send CRLF; what the author's code sees is what was typed.
        text = text_of(raw).replace("\r\n", "\n")
        self.check_text(text)
        return text


class SecretVar(StringVar):
    """A password, token or key. It is kept encrypted until the run ends, and never shown again; the job gets the text."""

    def check(self) -> None:
        super().check()
        if self.default is not None:
            raise BadJob(f"{self.name} is a secret: a default would be there for everybody to read.")

    def parse(self, raw: Any) -> str:
        # As it was typed: blanks may belong to it.
        text = text_of(raw).replace("\r\n", "\n")
        self.check_text(text)
        return text


class IntegerVar(Variable):
    """A whole number. With widget="range", from `min_value` to `max_value`, its input is a slider.

    step: of the numbers from `min_value` on, only each so many.
    """

    options = ("min_value", "max_value")
    seldom = ("place", "step")

    def __init__(
        self,
        min_value: int | None = None,
        max_value: int | None = None,
        *common: Any,
        step: int | None = None,
        **named: Any,
    ) -> None:
        super().__init__(*common, **named)
        self.min_value = min_value
        self.max_value = max_value
        self.step = step

    def check(self) -> None:
        if self.step is not None and not (is_integer(self.step) and self.step > 0):
            raise BadJob(f"step of {self.name} must be a whole number that is more than 0.")
        for option in self.options:
            if getattr(self, option) is not None and not is_integer(getattr(self, option)):
                raise BadJob(f"{option} of {self.name} must be a whole number.")

    def parse(self, raw: Any) -> int:
        number = integer_of(raw)
        if self.min_value is not None and number < self.min_value:
            raise InvalidValue(f"Ensure this value is greater than or equal to {self.min_value}.")
        if self.max_value is not None and number > self.max_value:
            raise InvalidValue(f"Ensure this value is less than or equal to {self.max_value}.")
        first = self.min_value or 0
        if self.step and (number - first) % self.step:
            raise InvalidValue(f"Enter {first}, or that and a multiple of {self.step}.")
        return number


class DecimalVar(Variable):
    """A number with its digits exactly as they were typed. The job gets a `decimal.Decimal`."""

    options = ("min_value", "max_value", "decimal_places")

    def __init__(
        self,
        min_value: Any = None,
        max_value: Any = None,
        decimal_places: int | None = None,
        *common: Any,
        **named: Any,
    ) -> None:
        super().__init__(*common, **named)
        self.min_value = self.plain(min_value)
        self.max_value = self.plain(max_value)
        self.decimal_places = decimal_places

    def plain(self, value: Any) -> Any:
        return value if value is None or isinstance(value, str | bool) else str(value)

    def check(self) -> None:
        for option in ("min_value", "max_value"):
            try:
                if getattr(self, option) is not None:
                    decimal_of(getattr(self, option))
            except InvalidValue as error:
                raise BadJob(f"{option} of {self.name} must be a number.") from error
        places = self.decimal_places
        if places is not None and not (is_integer(places) and places >= 0):
            raise BadJob(f"decimal_places of {self.name} must be a whole number that is not negative.")

    def parse(self, raw: Any) -> str:
        number = decimal_of(raw)
        if self.min_value is not None and number < decimal_of(self.min_value):
            raise InvalidValue(f"Ensure this value is greater than or equal to {self.min_value}.")
        if self.max_value is not None and number > decimal_of(self.max_value):
            raise InvalidValue(f"Ensure this value is less than or equal to {self.max_value}.")
        text = format(number, "f")
        places = self.decimal_places
        if places is not None and len(text.partition(".")[2]) > places:
            word = "decimal place" if places == 1 else "decimal places"
            raise InvalidValue(f"Ensure that there are no more than {places} {word}.")
        return text

    def restore(self, value: Any, objects: Objects) -> Any:
        return None if value is None else decimal_of(value)


class BooleanVar(Variable):
    """Yes or no. Never required: not ticked is no."""

    empty = False
    _WORDS: ClassVar[dict[str, bool]] = {
        "true": True,
        "1": True,
        "on": True,
        "yes": True,
        "false": False,
        "0": False,
        "off": False,
        "no": False,
    }

    def __init__(self, *common: Any, **named: Any) -> None:
        super().__init__(*common, **named)
        self.required = False

    def parse(self, raw: Any) -> bool:
        if isinstance(raw, bool):
            return raw
        word = str(raw).strip().lower() if isinstance(raw, str | int) else ""
        if word not in self._WORDS:
            raise InvalidValue("Enter true or false.")
        return self._WORDS[word]


class DryRunVar(BooleanVar):
    """Whether a run is to change nothing. What it means is the job's own affair; it must be called `dryrun`.

    What the form begins with is the job's `Meta.dryrun_default`.
    """

    def __init__(
        self,
        label: str = "Dry run",
        description: str = "Say what would be done, and change nothing",
        *common: Any,
        **named: Any,
    ) -> None:
        super().__init__(label, description, *common, **named)

    def check(self) -> None:
        if self.name != DRY_RUN:
            raise BadJob(f"{self.name} is a DryRunVar: that must be called {DRY_RUN}.")


class ChoiceVar(Variable):
    """One of a list of (value, label) pairs, which may stand in (group, pairs) groups. The job gets the value as text.

    choices: the list; or a function that returns it, or the name of a method of the job that does
    """

    options = ("choices",)
    empty = ""
    #: Whether a refusal names the choices however many they are: nobody can look computed ones up.
    names_choices = False

    def __init__(self, choices: Any = (), *common: Any, **named: Any) -> None:
        super().__init__(*common, **named)
        # What can be read only once is read here.
        self.choices: Any = list(choices) if isinstance(choices, Iterator) else choices

    @property
    def computed(self) -> list[str]:
        found = super().computed
        return ["choices", *found] if isinstance(self.choices, str) or is_computed(self.choices) else found

    def describe(self) -> dict[str, Any]:
        choices = [] if "choices" in self.computed else plain_choices(self.choices)
        return {**super().describe(), "choices": choices}

    def check(self) -> None:
        if "choices" in self.computed:
            return
        try:
            list(flat_choices(self.choices))
        except (TypeError, ValueError) as error:
            raise BadJob(f"choices of {self.name} must be a list of (value, label) pairs.") from error

    def parse(self, raw: Any) -> str:
        return self.choose(raw)

    def choose(self, raw: Any) -> str:
        value = text_of(raw)
        known = [str(choice) for choice, _ in flat_choices(self.choices)]
        if value not in known:
            raise InvalidValue(
                f"Select a valid choice. {shortened(value)} is not one of the available choices."
                + self._named(known)
            )
        return value

    def _named(self, known: Sequence[str]) -> str:
        """Return a sentence that names the choices, where it helps."""
        if len(known) > MOST_NAMED and not self.names_choices:
            return ""
        if not known:
            return " There is none."
        more = f" and {len(known) - MOST_NAMED:,} more" if len(known) > MOST_NAMED else ""
        return f" Choose from: {', '.join(map(shortened, known[:MOST_NAMED]))}{more}."


class MultiChoiceVar(ChoiceVar):
    """Any of a list of choices. The job gets a list of values."""

    multiple = True

    def clean(self, raw: Any, objects: Objects, siblings: Mapping[str, Any]) -> list[str]:
        values = list_of(raw)
        if not values and self.required:
            raise InvalidValue(REQUIRED)
        return list(dict.fromkeys(self.choose(value) for value in values))


class ObjectVar(Variable):
    """An object of the inventory or of any other registered model. The job gets the object itself.

    model: the model class
    display_field: the field to show in the list
    query_params: narrows the list; a value `$other` refers to another variable of the form
    null_option: label of an explicit "none" among the choices
    """

    options = ("model", "display_field", "query_params", "null_option")

    def __init__(
        self,
        model: Any = None,
        queryset: Any = None,
        display_field: str = "display",
        query_params: Mapping[str, Any] | None = None,
        null_option: str | None = None,
        *common: Any,
        **named: Any,
    ) -> None:
        super().__init__(*common, **named)
        if model is None and queryset is not None:
            warnings.warn("Give `model=` instead of `queryset=`.", DeprecationWarning, stacklevel=2)
            model = getattr(queryset, "model", None)
        if model is None:
            raise TypeError(f"{type(self).__name__} must specify a model")
        self.model = model
        self.display_field = display_field
        self.query_params = dict(query_params or {})
        self.null_option = null_option

    @property
    def model_name(self) -> str:
        if isinstance(self.model, str):
            return self.model
        return str(getattr(self.model, "object_type", f"{self.model.__module__}.{self.model.__name__}"))

    def describe(self) -> dict[str, Any]:
        described = super().describe()
        default = described["default"]
        return {**described, "model": self.model_name, "default": getattr(default, "pk", default)}

    def clean(self, raw: Any, objects: Objects, siblings: Mapping[str, Any]) -> Any:
        if self.null_option is not None and raw == "null":
            return None
        if self.is_empty(raw):
            if self.required:
                raise InvalidValue(REQUIRED)
            return None
        return self.find(raw, objects, siblings)

    def find(self, raw: Any, objects: Objects, siblings: Mapping[str, Any]) -> Any:
        _check_reference(raw)
        try:
            return objects.find(self.model_name, raw, resolve_params(self.query_params, siblings))
        except ValueError as error:
            raise InvalidValue(str(error)) from error

    def restore(self, value: Any, objects: Objects) -> Any:
        return None if value is None else objects.load(self.model_name, value)


class MultiObjectVar(ObjectVar):
    """Several objects. The job gets a queryset."""

    multiple = True

    def clean(self, raw: Any, objects: Objects, siblings: Mapping[str, Any]) -> list[Any]:
        values = list_of(raw)
        if not values and self.required:
            raise InvalidValue(REQUIRED)
        if len(values) > MOST_OBJECTS:
            raise InvalidValue(f"Choose at most {MOST_OBJECTS} objects.")
        params = resolve_params(self.query_params, siblings)
        for value in values:
            _check_reference(value)
        try:
            return list(objects.find_many(self.model_name, values, params))
        except ValueError as error:
            raise InvalidValue(str(error)) from error

    def restore(self, value: Any, objects: Objects) -> Any:
        return objects.load_many(self.model_name, value or [])


def is_computed(option: Any) -> bool:
    """Tell whether this stands for a value and is none itself. A class of choices, which can be iterated, is one."""
    return isinstance(option, classmethod | staticmethod) or (
        callable(option) and not hasattr(type(option), "__iter__")
    )


def flat_choices(choices: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (value, label) pairs, groups opened. TypeError or ValueError when `choices` are none."""
    for first, second in choices:
        if isinstance(second, list | tuple):
            yield from second
        else:
            yield first, second


def resolve_params(params: Mapping[str, Any], siblings: Mapping[str, Any]) -> dict[str, Any]:
    """Put the other variables' values where `query_params` refer to them; those that are not set narrow nothing."""
    resolved: dict[str, Any] = {}
    for name, value in params.items():
        values = [
            _referred(part, siblings) for part in (value if isinstance(value, list | tuple) else [value])
        ]
        flat = [part for item in values for part in (item if isinstance(item, list) else [item])]
        given = [part for part in flat if part not in (None, "")]
        if given:
            resolved[name] = given if len(given) > 1 else given[0]
    return resolved


def _referred(value: Any, siblings: Mapping[str, Any]) -> Any:
    return siblings.get(value[1:]) if isinstance(value, str) and value.startswith("$") else value


def plain_choices(choices: Any) -> list[list[Any]]:
    plain: list[list[Any]] = []
    for first, second in choices:
        if isinstance(second, list | tuple):
            plain.append([str(first), [[str(value), str(label)] for value, label in second]])
        else:
            plain.append([str(first), str(second)])
    return plain


def _check_reference(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, str | int | dict):
        raise InvalidValue("Enter a primary key, or an object of lookups that match exactly one.")
