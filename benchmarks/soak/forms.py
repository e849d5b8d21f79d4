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
from store.models import Button, Chain, Hook, JobRecord, JobResult, Schedule, User, UserSession, Webhook, now
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

#: What takes no values is asked for so often; it does the same each time.
EXAMPLES_WITHOUT_VALUES = 5

#: What people and programs put into forms; long ones are the business of other tests.
HOSTILE = [text for text in texts() if len(text) <= 5_000]

_OF_TABLES: Mapping[str, Any] = {
    "result_id": JobResult,
    "schedule_id": Schedule,
    "button_id": Button,
    "chain_id": Chain,
    "hook_id": Hook,
    "webhook_id": Webhook,
}


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
    with ground.site() as site:
        app = create_app(site.settings)
        app.config["PROPAGATE_EXCEPTIONS"] = False
        site.submit("NoOp", queue="apart")
        many = 0
        for name, found in sent(
            app, site.platform, USERNAME, examples=ground.plan.examples, seed=ground.plan.seed
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
    app: Flask, platform: Platform, username: str, *, examples: int, seed: int = 0
) -> Iterator[tuple[str, "Counter[int] | BaseException"]]:
    """Send what is posted to each address of a page; yield its endpoint with how many answers had which status, or what is wrong."""
    visitor = Visitor(app, platform, username)
    rules = [rule for rule in app.url_map.iter_rules() if not NO_FORMS.match(rule.rule)]
    fields = _fields(visitor, platform, rules)
    for rule in rules:
        if "POST" in (rule.methods or ()):
            try:
                yield (
                    rule.endpoint,
                    _sent(visitor, platform, rule, fields.get(rule.endpoint, {}), examples, seed),
                )
            except (Exception, BaseExceptionGroup) as error:
                yield rule.endpoint, error


def _fields(visitor: Visitor, platform: Platform, rules: Iterable[Rule]) -> dict[str, dict[str, str]]:
    """Return what the forms of all pages have in them, by where they go."""
    found: dict[str, dict[str, str]] = {}
    adapter = visitor.app.url_map.bind("localhost")
    for rule in rules:
        if "GET" not in (rule.methods or ()) or rule.endpoint == "static":
            continue
        path = _path(visitor.app, platform, rule, "GET")
        for form in posted_forms(visitor.page(path)):
            try:
                endpoint, _ = adapter.match((form.action or path).partition("?")[0], method="POST")
            except HTTPException:
                continue
            found.setdefault(endpoint, {}).update(form.fields)
    return found


def _path(app: Flask, platform: Platform, rule: Rule, method: str) -> str:
    """Return an address that the rule fits: of what there is, where there is any."""
    values: dict[str, Any] = {}
    with platform.reading() as db:
        for name in rule.arguments:
            table = _OF_TABLES.get(name)
            if table is not None:
                values[name] = db.scalar(select(table.id).limit(1)) or uuid.UUID(int=1)
            elif name == "key":
                values[name] = db.scalar(select(JobRecord.class_path).order_by(JobRecord.class_path).limit(1))
            elif words := re.search(rf"<any\((\w+)[^)]*\):{name}>", rule.rule):
                values[name] = words[1]
            else:
                values[name] = (
                    1 if "<int" in rule.rule and re.search(rf"<int[^>]*:{name}>", rule.rule) else "csv"
                )
    values.update(rule.defaults or {})
    return app.url_map.bind("localhost").build(rule.endpoint, values, method=method)


def _sent(
    visitor: Visitor, platform: Platform, rule: Rule, known: Mapping[str, str], examples: int, seed: int
) -> Counter[int]:
    answers: Counter[int] = Counter()
    names = [name for name in known if name != "csrf_token"]
    value = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=40), st.integers().map(str))
    # A field may stand there twice.
    changed = st.dictionaries(
        st.sampled_from([*names, *NAMES]), st.one_of(value, st.lists(value, max_size=3)), max_size=6
    )

    @seeded(seed)
    @hypothesis_settings(
        max_examples=examples if names else min(examples, EXAMPLES_WITHOUT_VALUES),
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(fields=changed)
    def send(fields: Mapping[str, Any]) -> None:
        path = _path(visitor.app, platform, rule, "POST")
        status = visitor.send(path, _sendable({**known, **fields}))
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
