"""The OpenAPI document: it names every call, and every answer is as it says."""

import importlib
import pkgutil
import re
from collections import Counter

import pytest
from typing_extensions import is_typeddict

from benchmarks.soak.calls import fuzzed
from webapp import api
from webapp.api.calls import Body
from webapp.api.document import document, operations

#: Of each operation: enough to see that every answer has its shape; `./errand soak` asks for more.
EXAMPLES = 2


def test_nothing_is_undocumented(app):
    written = document(app)
    described = {(method.upper(), path) for path, methods in written["paths"].items() for method in methods}
    served = {
        (method, re.sub(r"<(?:[^<>:]*:)?([^<>]+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/") and rule.endpoint != "openapi"
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert described == served
    ids = [operation["operationId"] for operation in operations(written)]
    assert len(ids) == len(set(ids))
    assert all(operation["summary"].endswith(".") for operation in operations(written))


def test_the_document_is_for_everybody(app):
    answer = app.test_client().get("/api/v1/openapi.json")
    assert (answer.status_code, answer.json["openapi"]) == (200, "3.1.0")
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("who", ["root", "carol"])
def test_every_answer_is_as_it_says(app, who, request, make_token, hello, make_result):
    """A fuzzer asks for everything, as somebody who may do all and as somebody who may do nothing."""
    make_result(status="completed")
    token = make_token(request.getfixturevalue(who))
    found = dict(fuzzed(app, token, examples=EXAMPLES if who == "root" else 1))
    assert {name: problem for name, problem in found.items() if isinstance(problem, BaseException)} == {}
    answers = set().union(*found.values())
    assert answers & {200, 201, 204}
    assert answers & {403, 404, 422}


def test_what_is_given_in_other_forms_than_json_is_said(app):
    paths = document(app)["paths"]
    entries = paths["/api/v1/results/{result_id}/entries"]["get"]["responses"]
    assert entries["200"]["content"].keys() == {"application/json", "application/x-ndjson", "text/plain"}
    report = paths["/api/v1/results/{result_id}/report"]["get"]["responses"]
    assert len(report["200"]["content"]) > 1
    assert "206" not in {*entries, *report}


def test_no_two_shapes_have_one_name(app):
    """The document would have one of them only."""
    modules = [
        importlib.import_module(each.name) for each in pkgutil.walk_packages(api.__path__, f"{api.__name__}.")
    ]
    found = Counter(
        name
        for module in modules
        for name, value in vars(module).items()
        if is_typeddict(value) and value.__module__ == module.__name__
    )
    assert len(found) > 30
    assert [name for name, times in found.items() if times > 1] == []
    # Nor a shape and a body: shapes lose the word at their end.
    assert {f"{each.__name__}Shape" for each in below(Body)} & set(found) == set()


def below(kind):
    """Yield all kinds of this one."""
    for each in kind.__subclasses__():
        yield each
        yield from below(each)
