"""A fuzzer asks for all that the API's document names: no answer may be a fault of ours, or other than it says."""

import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given
from hypothesis import seed as seeded
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Err
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from benchmarks.api import token_of
from benchmarks.figures import Figure
from benchmarks.site import USERNAME, Site
from benchmarks.soak.run import Ground
from benchmarks.soak.world import World
from store.models import Permission, User
from webapp.app import create_app

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
SHAPES = (response_schema_conformance,)

#: Of each operation, before the next one has its turn.
EXAMPLES = 20

LIMITED = "limited"


def calls(ground: Ground) -> Iterable[Figure]:
    """Ask as somebody who may do all, and as somebody who may look at and run jobs."""
    answers: Counter[int] = Counter()
    problems: list[str] = []
    with ground.site(plugins="examples.inventory") as site:
        app = create_app(site.settings)
        tokens = [token_of(site, USERNAME), _limited(site)]
        world = World(site)
        deadline, number = time.monotonic() + ground.plan.seconds, ground.plan.seed
        least = number + math.ceil(ground.plan.examples / EXAMPLES)
        while (number < least or time.monotonic() < deadline) and not problems:
            for token in tokens:
                for name, found in fuzzed(app, token, world=world, seed=number, examples=EXAMPLES):
                    if isinstance(found, Counter):
                        answers += found
                    else:
                        problems.append(f"seed {number}, {name}: {found}")
                        ground.say(problems[-1])
            number += 1
        with app.app_context():
            app.extensions["sqlalchemy"].engine.dispose()
        app.extensions["errand"].data.dispose()
    told = {f"answers_{status}": float(many) for status, many in sorted(answers.items())}
    told["examples"] = float(EXAMPLES * (number - ground.plan.seed))
    asked = sum(answers.values())
    yield Figure("made-up requests to the API", asked, "requests", "> 0", asked > 0, details=told)
    yield Figure("faults, and answers that are not as they say", len(problems), "", "0", not problems)


def _limited(site: Site) -> str:
    with site.platform.session() as db:
        user = User(username=LIMITED)
        db.add(Permission(name=LIMITED, kind="job", actions=["view", "run"], users=[user]))
        db.commit()
    return token_of(site, LIMITED)


def fuzzed(
    app: Flask, token: str, *, examples: int, seed: int = 0, world: World | None = None
) -> Iterator[tuple[str, Counter[int] | BaseException]]:
    """Ask for each operation in so many ways; yield its name with how many answers had which status, or what is wrong.

    world: what there is, for every other request, and is there again for each.
    """
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    for found in schema.get_all_operations():
        if isinstance(found, Err):
            yield "the document", found.err()
            continue
        operation = found.ok()
        try:
            yield (
                operation.label,
                _asked(operation, {"Authorization": f"Token {token}"}, examples, seed, world),
            )
        except (Exception, BaseExceptionGroup) as error:
            yield operation.label, error


def _asked(
    operation: Any, headers: dict[str, str], examples: int, seed: int, world: World | None
) -> Counter[int]:
    answers: Counter[int] = Counter()
    #: Whether the request before may have changed anything.
    changed = [True]

    @seeded(seed)
    @hypothesis_settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), real=st.booleans())
    def ask(case: Any, real: bool) -> None:
        if world is not None and changed[0]:
            world.restore()
        if world is not None and real:
            for name in case.path_parameters:
                known = world.value(operation.path, name)
                case.path_parameters[name] = case.path_parameters[name] if known is None else str(known)
        # Nobody has the time.
        case.query.pop("wait", None)
        response = case.call(headers=headers)
        answers[response.status_code] += 1
        changed[0] = response.status_code < 400 and operation.method.upper() != "GET"
        # Whoever wants some fields only gets no more, whatever the shape requires.
        checks = [check for check in CHECKS if check not in SHAPES or not case.query.get("fields")]
        case.validate_response(response, checks=checks)

    ask()
    return answers
