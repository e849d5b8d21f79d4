"""Requests that no page and no program of good will sends: to each of them there is an answer with a sentence."""

import json
import random
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

from flask import Flask
from sqlalchemy import select

from benchmarks.api import token_of
from benchmarks.figures import Figure
from benchmarks.site import USERNAME, Site
from benchmarks.soak.run import Ground
from store.models import User, UserSession, now
from store.secrets import hash_token
from webapp.app import create_app

#: What may be broken by being where it is not expected.
VALUES: tuple[str, ...] = (
    "",
    "\x00",
    "a\x00b",
    "\ud800",
    "\udfff\ud800",
    "\u202e\u2028\ufeff",
    "😀" * 300,
    "-1",
    "0",
    "1e999",
    "NaN",
    "Infinity",
    "²",
    "٣",
    "9" * 19,
    "9" * 400,
    "-" + "9" * 5000,
    "0x10",
    "1_000",
    "00000000-0000-0000-0000-000000000000",
    "%s%n%d",
    "{0.__class__}",
    "../../etc/passwd",
    "%2e%2e%2f",
    "a" * 5000,
    "(" * 2000,
    '"' * 999,
    "[" * 3000,
    "' OR 1=1 --",
    "%_\\",
    "2026-02-30",
    "9999-12-31T23:59:59+14:00",
    "0001-01-01T00:00:00-14:00",
    "2026-01-01T00:00:00Z",
    "* * * * * * * * *",
    "0 0 31 2 *",
    "0/0",
    "https://[::1",
    "//evil.example",
    "true",
    "null",
    "\r\nX: y",
)

#: Under which something may be asked for somewhere.
NAMES: tuple[str, ...] = (
    *("q", "job", "status", "level", "logged", "before", "after", "every", "page", "sort", "order", "limit"),
    *("offset", "cursor", "t", "format", "columns", "_from_result", "_schedule", "_commit", "_queue", "when"),
    *("subject", "user", "kind", "action", "next", "name", "username", "password", "ids", "members", "users"),
    *(
        "actions",
        "enabled",
        "interval",
        "cron",
        "start",
        "start_time",
        "time_zone",
        "data",
        "value",
        "values",
    ),
    *("id", "key", "choices", "filter", "started", "user_id", "expires", "expires_at", "until", "ends_at"),
    *("object_types", "text", "url", "secret", "slug", "mail", "slack", "comment", "decision", "seconds"),
    *(
        "v-site",
        "q-site",
        "_search",
        "_update",
        "_part",
        "commit",
        "queue",
        "variables",
        "schedule",
        "missed",
    ),
    *("time_range_start", "time_range_end", "minute", "hour", "day", "pub_args", "job_class_string", "wait"),
    *("id__in", "created__gte", "has_x", "depth", "max_bytes", "rules", "order_by", "left", "packed", "done"),
)

HEADERS: tuple[tuple[str, str], ...] = (
    ("HX-Request", "true"),
    ("HX-Target", "\x7f<>"),
    ("Accept", "*/*;q=nan, a/b/c;;;"),
    ("Accept", "application/json; version=9999999999999999999999"),
    ("Accept-Language", "x" * 3000),
    ("If-None-Match", '"' * 50),
    ("If-Modified-Since", "Mon, 99 Foo 99999 99:99:99 GMT"),
    ("If-Match", '"99999999999999999999999"'),
    ("Range", "bytes=99999999999999999999-, 0-0, -1"),
    ("Idempotency-Key", "x" * 5000),
    ("Idempotency-Key", "\xff\xfe"),
    ("Prefer", "wait=1e999"),
    ("Referer", "https://[::1"),
    ("X-Forwarded-For", "'," * 500),
    ("User-Agent", "\xff" * 2000),
    ("Authorization", "Basic \xff"),
    ("Authorization", "Token " + "x" * 5000),
)

BODIES: tuple[tuple[str, bytes], ...] = (
    ("application/json", b"[" * 100_000),
    ("application/json", b'{"a":' * 20_000 + b"1" + b"}" * 20_000),
    ("application/json", b'{"data": ' + b"9" * 6000 + b"}"),
    ("application/json", b'{"name": "\\ud800", "data": {"\\u0000": NaN}}'),
    ("application/json", b'{"name": 1, "name": 2}'),
    ("application/json", b"\xff\xfe{\x00}\x00"),
    ("application/json; charset=utf-7", b"+AHsAfQ-"),
    ("application/json", b"null"),
    ("application/json", b'"x"'),
    ("application/json", b"1e999"),
    ("application/json", b'[{"id": null}, 1, [], {"id": {"a": 1}}]'),
    ("application/json", b""),
    ("multipart/form-data", b"--x\r\n"),
    ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="v-site"\r\n\r\n'),
    (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="a"; filename="\x00"\r\n\r\n1\r\n' * 6000 + b"--x--",
    ),
    ("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 30_000)),
    ("application/x-www-form-urlencoded", b"%ff=%fe&%00=%00&name=%ed%a0%80"),
    ("application/x-www-form-urlencoded; charset=utf-16", b"\x00a\x00=\x00b"),
    ("text/plain\x7f", b"x"),
    ("", b"\x00" * 100),
)


@dataclass
class Asker:
    """Who asks: with a session and its token for pages, with another one for programs."""

    app: Flask
    page_headers: dict[str, str]
    csrf_token: str
    api_headers: dict[str, str]
    base_url: str = "http://localhost"
    answers: Counter[int] = field(default_factory=Counter)

    def ask(self, method: str, path: str, chance: random.Random) -> str:
        """Ask once in some broken way. Returns what is wrong with the answer; "": nothing."""
        below_api = path.startswith(("/api/", "/ndscheduler/"))
        given = self.api_headers if below_api else {**self.page_headers, "X-CSRFToken": self.csrf_token}
        options, headers = broken(method, path, chance, json_wanted=below_api), dict(given)
        if chance.random() < 0.3:
            name, value = chance.choice(HEADERS)
            headers.setdefault(name, value)
        answer = self.app.test_client(use_cookies=False).open(
            method=method, base_url=self.base_url, headers=headers, buffered=True, **options
        )
        self.answers[answer.status_code] += 1
        problem = _problem(answer)
        return f"{method} {path}: {problem}; {repr(options)[:400]} {repr(headers)[-200:]}" if problem else ""


def broken(method: str, path: str, chance: random.Random, *, json_wanted: bool) -> dict[str, Any]:
    """Return the options of a test client's request, in some way broken."""
    path, _, query = path.partition("?")
    where = chance.randrange(4)
    if where == 0 and path != "/":
        parts = path.split("/")
        parts[chance.randrange(1, len(parts))] = _quoted(chance.choice(VALUES)[:3000])
        path = "/".join(parts)
    if where <= 1 or method == "GET":
        query = "&".join(
            f"{_quoted(name)}={_quoted(value[:3000])}"
            for name, value in _pairs(chance, chance.randrange(1, 6))
        )
    options: dict[str, Any] = {"path": path, "query_string": query}
    if method == "GET":
        return options
    if chance.random() < 0.4:
        options["content_type"], options["data"] = chance.choice(BODIES)
    elif json_wanted:
        options["content_type"] = "application/json"
        options["data"] = json.dumps({name: _thing(chance) for name, _ in _pairs(chance, 4)})
    else:
        pairs = [(name, _bytes(value)) for name, value in _pairs(chance, 6)]
        options["content_type"] = "application/x-www-form-urlencoded"
        options["data"] = urlencode(pairs)
    return options


def _pairs(chance: random.Random, many: int) -> list[tuple[str, str]]:
    names = [chance.choice(NAMES) for _ in range(many)]
    # One of them twice.
    return [(name, chance.choice(VALUES)) for name in [*names, names[0]]]


def _thing(chance: random.Random, depth: int = 0) -> Any:
    match chance.randrange(8 if depth < 3 else 5):
        case 0 | 1:
            return chance.choice(VALUES)
        case 2:
            return chance.choice([0, -1, 2**31, 2**63, 10**40, 1.5, float("inf"), float("nan")])
        case 3:
            return chance.choice([None, True, False])
        case 4:
            return []
        case 5 | 6:
            return [_thing(chance, depth + 1) for _ in range(3)]
    return {name: _thing(chance, depth + 1) for name, _ in _pairs(chance, 2)}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _quoted(text: str) -> str:
    return quote(_bytes(text), safe="")


def _problem(answer: Any) -> str:
    """Return what is wrong with an answer; "": nothing."""
    status = answer.status_code
    if status >= 500 and status not in (501, 503):
        return f"{status}"
    if status < 400 or status == 401:
        return ""
    said = answer.get_data(as_text=True).strip()
    if answer.is_json:
        told = json.loads(said)
        return "" if isinstance(told, dict | list) and told else "it tells nothing"
    return "" if len(said) > 3 else f"{status} without a word"


# --- The soak -----------------------------------------------------------------------------------------------------


def junk(ground: Ground) -> Iterable[Figure]:
    """Ask for every route of the map in broken ways, as somebody who may do all."""
    problems: list[str] = []
    with ground.site() as site:
        app = create_app(site.settings)
        asker = asker_of(app, site)
        deadline, number = time.monotonic() + ground.plan.seconds, ground.plan.seed
        while time.monotonic() < deadline and not problems:
            chance = random.Random(number)
            for method, path in addresses(app, chance):
                if problem := asker.ask(method, path, chance):
                    problems.append(f"seed {number}, {problem}")
                    ground.say(problems[-1])
            number += 1
        with app.app_context():
            app.extensions["sqlalchemy"].engine.dispose()
        app.extensions["errand"].data.dispose()
    told = {f"answers_{status}": float(many) for status, many in sorted(asker.answers.items())}
    asked = sum(asker.answers.values())
    yield Figure("broken requests", asked, "requests", "> 0", asked > 0, details=told)
    yield Figure("faults, and refusals without a sentence", len(problems), "", "0", not problems)


def asker_of(app: Flask, site: Site) -> Asker:
    token = uuid4().hex
    with site.platform.session() as db:
        user = db.scalars(select(User).where(User.username == USERNAME)).one()
        times = {"created_at": now(), "last_seen_at": now(), "expires_at": now() + timedelta(days=7)}
        db.add(UserSession(token_hash=hash_token(token), user_id=user.id, **times))
        db.commit()
    page_headers = {"Cookie": f"session={token}"}
    page = app.test_client(use_cookies=False).get("/welcome", headers=page_headers).text
    found = re.search(r'"X-CSRFToken": "([^"]+)"', page)
    csrf_token = found[1] if found else ""
    return Asker(app, page_headers, csrf_token, {"Authorization": f"Token {token_of(site, USERNAME)}"})


#: What stands in addresses, where something of the kind may be there.
KNOWN = {
    "key": ("local/noop/NoOp", "1", "x"),
    "reference": ("local/noop/NoOp",),
    "model": ("inventory.site",),
    "name": ("default", "x"),
    "form": ("csv",),
}


def addresses(app: Flask, chance: random.Random) -> Iterator[tuple[str, str]]:
    """Yield (method, path) of each route, with made-up values in it. Signing out would end it all."""
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD"}):
            if rule.endpoint not in ("login.sign_out", "account.end_others"):
                yield method, _filled(rule.rule, chance)


def _filled(rule: str, chance: random.Random) -> str:
    def value(found: re.Match[str]) -> str:
        return str(uuid4()) if found[1] == "uuid" else chance.choice(KNOWN.get(found[2], ("1",)))

    return re.sub(r"<(?:([a-z]+)[^:>]*:)?(\w+)>", value, rule)
