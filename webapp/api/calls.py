"""One call of the API: what it takes and answers, as models that check it, and that the OpenAPI document is made from."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import UnionType
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

from flask import Response, jsonify, make_response, request
from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError, field_validator
from spectree import Response as Answers
from spectree import SpecTree

from webapp.api import arguments
from webapp.api.bodies import receive_object
from webapp.api.errors import InvalidRequest

#: Writes the document down; requests are checked here, by the same models.
spec = SpecTree(
    "flask",
    mode="strict",
    annotations=False,
    # Where the library would serve it: we do.
    path="openapi",
    page_templates={},
    naming_strategy=lambda model: model.__name__,
    nested_naming_strategy=lambda _parent, child: child,
)

View = Callable[..., Any]


class Query(BaseModel):
    """What a query string may say."""

    model_config = ConfigDict(extra="forbid")

    fields: str = Field(
        "",
        description="Names of fields, with commas between them: only these are answered, also where the schema of the answer "
        "requires others.",
    )


class Listing(Query):
    """What the query string of a list may say."""

    most: ClassVar[int] = 200

    after: str = Field("", description="Where to go on: as `next` of the part before has it.")
    limit: int = Field(50, ge=1, le=arguments.LARGEST_NUMBER, description="How many at most.")

    @field_validator("limit", mode="before")
    @classmethod
    def _cap(cls, given: Any) -> int:
        """A larger one than is given out gets the most there is."""
        return min(arguments.whole_number(given, least=1), cls.most)


class Body(BaseModel):
    """What a JSON body may say."""

    model_config = ConfigDict(extra="forbid")


class Content:
    """An answer that is no JSON."""

    def __init__(self, *kinds: str) -> None:
        self.kinds = kinds


def call(
    *,
    query: type[Query] = Query,
    body: type[Body] | None = None,
    takes: Mapping[str, Mapping[str, Any]] | None = None,
    answers: Mapping[int, Any],
    also: Content | None = None,
    tag: str,
    headers: Sequence[str] = (),
) -> Callable[[View], View]:
    """Make a function a call. It gets its `query`, its `body` if it takes one, and what its address has.

    answers: by status a typed dictionary, None for no content, or Content.
    also: what a 200 may be in place of JSON.
    takes: {media type: schema} of a body that the function reads itself.
    headers: names of headers that it heeds.
    """
    models = {f"HTTP_{status}": _model(shape) for status, shape in answers.items()}

    def decorate(function: View) -> View:
        documented = spec.validate(
            query=query,
            json=body,
            resp=Answers(
                *[code for code, model in models.items() if model is None],
                **{code: model for code, model in models.items() if model is not None},
            ),
            tags=[tag],
            skip_validation=True,
            operation_id=function.__name__,
        )(function)

        @functools.wraps(function)
        def view(**path: Any) -> Response:
            asked = read_query(query)
            wanted = _wanted(asked.fields, answers.values())
            if body is not None:
                path["body"] = checked(body, receive_object())
            return _answer(function(query=asked, **path), wanted)

        # Found by it, and never called: it would read answers whole that are sent in pieces.
        view.__wrapped__ = documented
        contents = {s: each.kinds for s, each in answers.items() if isinstance(each, Content)}
        view.contents = contents if also is None else {**contents, 200: also.kinds}  # type: ignore[attr-defined]
        view.takes, view.headers = takes or {}, headers  # type: ignore[attr-defined]
        return view

    return decorate


@functools.cache
def _named(name: str, shape: Any) -> type[BaseModel]:
    # Named as its shape, which its own schema only refers to.
    return type(name, (RootModel[shape],), {"__doc__": shape.__doc__})


def _model(shape: Any) -> type[BaseModel] | None:
    if shape is None or isinstance(shape, Content):
        return None
    return _named(name_of(shape), shape)


def name_of(shape: Any) -> str:
    """Return what the document calls a shape: of a page of lines "Page_ResultLine_"."""
    if isinstance(shape, UnionType):
        return "Or".join(name_of(each) for each in shape.__args__)
    if get_origin(shape) is None:
        return str(shape.__name__)
    return f"{shape.__origin__.__name__}_{'_'.join(name_of(each) for each in shape.__args__)}_"


def read_query(model: type[Query]) -> Any:
    """Return the query string as a model of it. Raises InvalidRequest: a misspelt filter is refused, not ignored."""
    repeated = [name for name, field in model.model_fields.items() if get_origin(field.annotation) is list]
    if model.model_config.get("extra") == "forbid":
        arguments.check_names(tuple(model.model_fields), repeated=repeated)
    given = {
        name: values if name in repeated else values[0]
        for name, values in request.args.lists()
        if name in model.model_fields
    }
    return checked(model, given)


def checked(model: type[BaseModel], given: Any) -> Any:
    """Return what was given as the model has it. Raises InvalidRequest."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise InvalidRequest(_sentences(error)) from None


def _sentences(error: ValidationError) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = {}
    for each in error.errors(include_url=False, include_input=False):
        place = _place(each["loc"])
        if (told := _sentence(each)) not in errors.setdefault(place, []):
            errors[place].append(told)
    return errors


def _place(parts: Sequence[Any]) -> str:
    """Say where something is wrong: "name", "data.name"; in a list, the list."""
    return ".".join(part for part in parts if isinstance(part, str)) or "body"


def _sentence(error: Any) -> str:
    match error["type"]:
        case "extra_forbidden":
            return "There is no such key."
        case "missing":
            return "This is needed."
        case "value_error":
            return str(error["ctx"]["error"])
        case "literal_error" | "enum":
            return f"Give one of {error['ctx']['expected']}."
    return f"{error['msg']}."


def _answer(given: Any, wanted: Sequence[str]) -> Response:
    if isinstance(given, Response):
        return given
    data, status, headers = (given, 200, {}) if not isinstance(given, tuple) else (*given, {})[:3]
    if data is None:
        return make_response("", status, headers)
    if wanted:
        data = _chosen(data, wanted)
    response = make_response(jsonify(data), status, headers)
    if request.method == "GET" and status == 200:
        response.add_etag()
        response.make_conditional(request)
    return response


def _wanted(fields: str, shapes: Iterable[Any]) -> list[str]:
    """Return the names of the fields that are asked for. Raises InvalidRequest, before anything is done."""
    wanted = [name.strip() for name in fields.split(",") if name.strip()]
    shown = [shape for shape in shapes if shape is not None and not isinstance(shape, Content)]
    known = list(dict.fromkeys(name for shape in shown for name in _names(_row_shape(shape))))
    if known and (unknown := [name for name in wanted if name not in known]):
        raise InvalidRequest({"fields": [f"There is no field {unknown[0]!r}; there are {', '.join(known)}."]})
    return wanted


def _chosen(data: Any, wanted: Sequence[str]) -> Any:
    """Return of the data, or of each member of a list, only the fields that were asked for."""
    if not ("results" in data and "next" in data):
        return {name: data[name] for name in wanted if name in data}
    return {
        **data,
        "results": [{name: row[name] for name in wanted if name in row} for row in data["results"]],
    }


def _row_shape(shape: Any) -> Any:
    """Return what a member of a list is like; of no list the shape itself."""
    if isinstance(shape, UnionType):
        return shape
    if get_origin(shape) is not None:
        return shape.__args__[0]
    if {"results", "next"} <= shape.__annotations__.keys():
        return get_args(get_type_hints(shape)["results"])[0]
    return shape


def _names(shape: Any) -> list[str]:
    shapes = shape.__args__ if isinstance(shape, UnionType) else (shape,)
    return list(dict.fromkeys(name for each in shapes for name in each.__annotations__))
