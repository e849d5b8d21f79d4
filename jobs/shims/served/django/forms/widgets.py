"""Ways to show an input, by their names alone: `jobs.widgets` knows what is meant."""

from typing import Any


class Widget:
    def __init__(self, attrs: dict[str, Any] | None = None, **_: Any) -> None:
        self.attrs = dict(attrs or {})


class CheckboxInput(Widget): ...


class CheckboxSelectMultiple(Widget): ...


class ClearableFileInput(Widget): ...


class DateInput(Widget): ...


class DateTimeInput(Widget): ...


class EmailInput(Widget): ...


class FileInput(Widget): ...


class HiddenInput(Widget): ...


class MultipleHiddenInput(Widget): ...


class NullBooleanSelect(Widget): ...


class NumberInput(Widget): ...


class PasswordInput(Widget): ...


class RadioSelect(Widget): ...


class Select(Widget): ...


class SelectMultiple(Widget): ...


class TextInput(Widget): ...


class Textarea(Widget): ...


class TimeInput(Widget): ...


class URLInput(Widget): ...
