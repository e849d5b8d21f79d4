"""Values of variables as a command gets them: as text, or as several texts."""

import json
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from jobs.variables import Variable

#: What one argument of a program may have on Linux, without the zero at its end.
MOST_BYTES = 128 * 1024 - 1

#: {name of the variable: its text, or those of a variable that has several}
Texts = Mapping[str, str | list[str]]


def texts_of(variables: Mapping[str, Variable], data: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """Return the inputs of a run as texts; "" for what was left empty."""
    return {
        name: [text_of_value(each) for each in data.get(name) or ()]
        if variable.multiple
        else text_of_value(data.get(name))
        for name, variable in variables.items()
    }


def text_of_value(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Decimal():
            return format(value, "f")
        case datetime() | date() | time():
            return value.isoformat()
        case dict() | list():
            return json.dumps(value, ensure_ascii=False)
    return str(value)
