"""Kinds of values that queries and bodies of the API take."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from webapp.api.arguments import LARGEST_NUMBER, moment_of, storable, whole_number


def _storable(text: str) -> str:
    if not storable(text):
        raise ValueError("This holds a character that cannot be stored.")
    return text


def _flag(given: Any) -> bool:
    if given in ("true", True):
        return True
    if given in ("false", False):
        return False
    raise ValueError("Give true or false.")


#: A time, with its zone.
Moment = Annotated[
    datetime, BeforeValidator(moment_of), WithJsonSchema({"type": "string", "format": "date-time"})
]

#: A number as a query string has it.
Number = Annotated[
    int,
    BeforeValidator(whole_number),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": LARGEST_NUMBER}),
]

#: Yes or no as a query string has it.
Flag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": "boolean"})]

#: Text that both databases can hold.
Text = Annotated[str, AfterValidator(_storable)]
