"""How an input is shown, where its author wants it otherwise than usual: by a name, or by a widget of Django's."""

from typing import Any

from jobs.errors import BadJob

#: Names, and the classes of Django's forms that mean the same.
_WIDGETS = {
    "textarea": ("Textarea",),
    "password": ("PasswordInput",),
    "hidden": ("HiddenInput", "MultipleHiddenInput"),
    "radio": ("RadioSelect",),
    "select": ("Select", "SelectMultiple", "NullBooleanSelect"),
    "checkboxes": ("CheckboxSelectMultiple",),
    "range": ("RangeInput",),
}
_NAME_OF = {name: widget for widget, names in _WIDGETS.items() for name in names}


def widget_name(widget: Any) -> str:
    """Return the name of a widget, "" for the usual one. A class or object that we do not know stands for that, too.

    Raises BadJob for a name that there is not.
    """
    if widget is None or widget == "":
        return ""
    if isinstance(widget, str):
        if widget not in _WIDGETS:
            raise BadJob(f'There is no widget "{widget}": choose from {", ".join(_WIDGETS)}.')
        return widget
    cls = widget if isinstance(widget, type) else type(widget)
    return next((_NAME_OF[base.__name__] for base in cls.__mro__ if base.__name__ in _NAME_OF), "")
