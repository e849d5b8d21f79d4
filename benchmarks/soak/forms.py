"""Made-up values in every form: whatever stands in it, the answer is a page or a refusal, and no fault of ours."""

import re
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from flask import Flask
from hypothesis import HealthCheck, Phase, given
from hypothesis import seed as seeded
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import select, update
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule

from benchmarks.figures import Figure
from benchmarks.site import USERNAME
from benchmarks.soak.page_forms import posted_forms
from benchmarks.soak.run import Ground
from benchmarks.soak.world import World
from store.models import User, UserSession, now
from store.platform import Platform
from store.secrets import hash_token
from webapp.app import create_app
from worker.checking import texts

#: What other programs send, and what would only sign us out.
NO_FORMS = re.compile(r"/(api|ndscheduler|hooks|slack|bennettbot|logout)\b")

#: Names that forms have, for those whose page shows none now.
NAMES = (
    "name",
    "decision",
    "comment",
    "version",
    "_version",
    "next",
    "v-x",
    "data",
    "ids",
    "act",
    "key",
    "value",
)

#: What those forms have that stand only where the visitor of a soak does not come by.
SEEN_BY_OTHERS: Mapping[str, Mapping[str, str]] = {
    "login.sign_in": {"username": "x", "password": "x", "next": "/jobs/"},
    "approvals.decide_on": {"decision": "approve", "comment": "x", "plan": "x", "drift": "0", "late": "true"},
    "approvals.decide_on_schedule": {"decision": "deny", "comment": "x", "plan": "x", "drift": "0"},
    "bulk.go_on": {"act": "cancel", "count": "1", "total": "1", "ids": "x"},
    "filters.save": {"name": "x", "q": "x", "status": "failed", "started": "day"},
    "filters.default": {"choice": "x", "filter": "1"},
    "identities.allow": {"allowed": "true"},
    "jobs.react": {"v-host": "h", "v-region": "", "_update": "host", "_search": "x"},
    "jobs.enable": {"then": "run"},
    "jobs.star": {"next": "/jobs/", "shape": "list"},
    "jobs.unstar": {"next": "/jobs/", "shape": "list"},
    "objects.press": {"next": "/objects/"},
    "workers.drain": {"next": "/workers/"},
}

#: What people and programs put into forms; long ones are the business of other tests.
HOSTILE = [text for text in texts() if len(text) <= 5_000]


class Visitor:
    """Somebody who may do all, with a browser."""

    def __init__(self, app: Flask, platform: Platform, username: str) -> None:
        self.app, self._platform, self._username = app, platform, username
        self.sign_in()

    def sign_in(self) -> None:
        """Come anew, whatever was made of the account and its sessions."""
        token = uuid.uuid4().hex
        with self._platform.session() as db:
            whole = {"active": True, "superuser": True, "password_hash": None}
            db.execute(update(User).where(User.username == self._username).values(**whole))
            user = db.scalars(select(User).where(User.username == self._username)).one()
            times = {"created_at": now(), "last_seen_at": now(), "expires_at": now() + timedelta(days=1)}
            db.add(UserSession(token_hash=hash_token(token), user_id=user.id, **times))
            db.commit()
        self._client = self.app.test_client()
        self._client.set_cookie("session", token)
        page = self.page("/welcome")
        found = re.search(r'"X-CSRFToken": "([^"]+)"', page)
        self._token = found[1] if found else ""

    def page(self, path: str) -> str:
        with self._client.get(path) as answer:
            return (
                answer.get_data(as_text=True)
                if answer.mimetype == "text/html" and answer.status_code == 200
                else ""
            )

    def send(self, path: str, fields: Mapping[str, Any]) -> int:
        with self._client.post(path, data={**fields, "csrf_token": self._token}) as answer:
            if answer.headers.get("Location", "").startswith("/login") or answer.status_code == 401:
                self.sign_in()
            answer.get_data()
            return answer.status_code


def forms(ground: Ground) -> Iterable[Figure]:
    """Send each form in so many ways."""
    answers: Counter[int] = Counter()
    problems: list[str] = []
    with ground.site(plugins="examples.inventory") as site:
        app = create_app(site.settings)
        app.config["PROPAGATE_EXCEPTIONS"] = False
        world = World(site)
        many = 0
        for name, found in sent(
            app, site.platform, world, examples=ground.plan.examples, seed=ground.plan.seed
        ):
            many += 1
            if isinstance(found, Counter):
                answers += found
            else:
                problems.append(f"seed {ground.plan.seed}, {name}: {found}")
                ground.say(problems[-1])
        with app.app_context():
            app.extensions["sqlalchemy"].engine.dispose()
        app.extensions["errand"].data.dispose()
    told = {f"answers_{status}": float(each) for status, each in sorted(answers.items())}
    asked = sum(answers.values())
    yield Figure(
        "made-up forms", asked, "forms", "> 0", asked > 0, details={"addresses": float(many), **told}
    )
    yield Figure("faults", len(problems), "", "0", not problems)


def sent(
    app: Flask, platform: Platform, world: World, *, examples: int, seed: int = 0
) -> Iterator[tuple[str, "Counter[int] | BaseException"]]:
    """Send what is posted to each address of a page; yield its endpoint with how many answers had which status, or what is wrong."""
    visitor = Visitor(app, platform, USERNAME)
    rules = [rule for rule in app.url_map.iter_rules() if not NO_FORMS.match(rule.rule)]
    fields = fields_of_forms(visitor, world, rules)
    for rule in rules:
        if "POST" in (rule.methods or ()):
            try:
                known = fields.get(rule.endpoint, SEEN_BY_OTHERS.get(rule.endpoint, {}))
                yield rule.endpoint, _sent(visitor, world, rule, known, examples, seed)
            except (Exception, BaseExceptionGroup) as error:
                yield rule.endpoint, error


def fields_of_forms(visitor: Visitor, world: World, rules: Iterable[Rule]) -> dict[str, dict[str, str]]:
    """Return what the forms of all pages have in them, by where they go."""
    found: dict[str, dict[str, str]] = {}
    adapter = visitor.app.url_map.bind("localhost")
    for rule in rules:
        if "GET" not in (rule.methods or ()) or rule.endpoint == "static":
            continue
        path = path_of(visitor.app, world, rule, "GET")
        for form in posted_forms(visitor.page(path)):
            try:
                endpoint, _ = adapter.match((form.action or path).partition("?")[0], method="POST")
            except HTTPException:
                continue
            found.setdefault(endpoint, {}).update(form.fields)
    return found


def path_of(app: Flask, world: World, rule: Rule, method: str) -> str:
    """Return an address that the rule fits, of what there is."""
    values: dict[str, Any] = dict(rule.defaults or {})
    for name in rule.arguments - values.keys():
        known = world.value(rule.rule, name)
        if known is None and (words := re.search(rf"<any\((\w+)[^)]*\):{name}>", rule.rule)):
            known = words[1]
        number = re.search(rf"<int[^>]*:{name}>", rule.rule) is not None
        values[name] = known if known is not None else 1 if number else "csv"
    return app.url_map.bind("localhost").build(rule.endpoint, values, method=method)


def _sent(
    visitor: Visitor, world: World, rule: Rule, known: Mapping[str, str], examples: int, seed: int
) -> Counter[int]:
    answers: Counter[int] = Counter()
    names = [name for name in known if name != "csrf_token"]
    value = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=40), st.integers().map(str))
    # A field may stand there twice.
    different = st.dictionaries(
        st.sampled_from([*names, *NAMES]), st.one_of(value, st.lists(value, max_size=3)), max_size=6
    )

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
    @given(fields=different)
    def send(fields: Mapping[str, Any]) -> None:
        if changed[0]:
            world.restore()
        path = path_of(visitor.app, world, rule, "POST")
        status = visitor.send(path, _sendable({**known, **fields}))
        changed[0] = status < 400
        answers[status] += 1
        assert status < 500, f"{status} from {path} with {fields!r}"  # noqa: S101

    send()
    return answers


def _sendable(fields: Mapping[str, Any]) -> dict[str, Any]:
    """As a client can write it: half a character is no text in UTF-8."""
    return {
        name: [_whole(each) for each in value] if isinstance(value, list) else _whole(value)
        for name, value in fields.items()
    }


def _whole(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
