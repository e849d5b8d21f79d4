"""Whatever people, jobs and objects wrote, wherever it is shown: a page has the elements that it has for plain words.

Each page is made once with plain words and then with hostile texts in their place; parsed as a browser does, both have
the same elements with the same attributes, and what was rendered from markdown has nothing but what is allowed.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import select

from jobs.report import Chart, Code, Data, Html, Markdown, Report, Table, Text
from store.colours import read
from store.html import entry_html, json_table, marked, render, sanitize_around_form, verbatim
from store.models import Group, JobRecord, JobResult, LogEntry, Permission, Schedule, User
from store.reports.page import Look, render_part
from store.text import clean_text
from tests.hostile_texts import OWN, hostile_texts
from tests.parsed_html import active, skeleton

from .conftest import Browser, described, text

#: So many texts are shown at once: what escapes one of them escapes all.
AT_ONCE = 150


def test_nothing_active_survives_what_is_rendered():
    texts = hostile_texts()
    ways: dict[str, Callable[[str], str]] = {
        "markdown": render,
        "a program's output": verbatim,
        "colours": lambda given: entry_html(*read(f"\x1b[31m{given}\x1b[0m"), markdown=True),
        "json": lambda given: json_table({given: [given, {given: None}]}),
        "a form's template": lambda given: sanitize_around_form(given, marks=False),
        "found in markdown": lambda given: re.sub("</?mark>", "", marked(render(given), given[:3].strip())),
    }
    for name, way in ways.items():
        for given in texts:
            assert active(way(given)) == [], f"{name}: {given!r}"
    print(f"{len(texts)} texts x {len(ways)} ways")


def test_a_report_is_made_of_its_own_elements_alone():
    def page(word: str) -> str:
        pieces = (
            Text(word),
            Code(word),
            Table([[word]], column_headers=[word]),
            Chart({word: 1}, title=word),
        )
        data = Report(*pieces, Data({word: word}), Markdown(word), Html(word), title=word).as_data()
        return str(render_part(data, Look(address="/results/1/report", here="/results/1")).html)

    plain, _ = skeleton(page("word"))
    for given in hostile_texts():
        found, problems = skeleton(page(given))
        # Lines of code, and words that nothing can be shown of, come and go.
        more = {element for element in found if element not in plain} - {("br", ()), ("span", ("class",))}
        assert (more, problems) == (set(), []), repr(given)


class Place:
    """An instance whose every text is the same."""

    def __init__(self, db: Any, rows: dict[str, Any]) -> None:
        self._db, self._rows = db, rows

    def fill(self, word: str) -> None:
        word = clean_text(word)  # As everywhere before something is stored.
        with self._db.begin():
            for row, names in self._texts():
                for name in names:
                    setattr(row, name, word)
            job = self._db.get(JobRecord, self._rows["job"])
            kinds = {"default": word, "description": word, "label": word}
            job.variables = [
                described("StringVar", "who", **kinds),
                described("ChoiceVar", "which", **{**kinds, "choices": [[word, word]]}),
            ]
            result = self._db.get(JobResult, self._rows["result"])
            result.data, result.return_value = {"who": word, word: [word]}, {word: word}
            result.results = {word: {word: word}}
            entry = self._db.scalars(select(LogEntry)).one()
            entry.html = render(word)

    def _texts(self) -> Iterator[tuple[Any, tuple[str, ...]]]:
        get = self._db.get
        yield get(JobRecord, self._rows["job"]), ("name", "grouping", "description")
        yield get(JobResult, self._rows["result"]), ("name", "username", "cause", "worker", "queue")
        yield self._db.scalars(select(LogEntry)).one(), ("message", "object_text")
        yield get(User, self._rows["user"]), ("display_name", "mail")
        yield get(Group, self._rows["group"]), ("name", "description")
        yield get(Permission, self._rows["permission"]), ("name", "description")
        yield get(Schedule, self._rows["schedule"]), ("name", "problem")


@pytest.fixture
def place(db, cast, make_job, make_result, make_schedule, add_entries) -> Place:
    job = make_job()
    result = make_result(job, "errored")
    add_entries(result, "word")
    schedule = make_schedule(job)
    group, permission = Group(name="g"), Permission(name="p", actions=["view"], kind="job")
    db.add_all([group, permission])
    db.commit()
    rows = {
        "job": job.id,
        "result": result.id,
        "user": cast["alice"].id,
        "group": group.id,
        "permission": permission.id,
        "schedule": schedule.id,
    }
    db.rollback()
    return Place(db, rows)


def addresses(place: Place, word: str) -> list[str]:
    asked, rows = quote(clean_text(word)[:200]), place._rows
    return [
        "/jobs/",
        "/jobs/local/greetings/Greet",
        "/results/",
        f"/results/{rows['result']}",
        f"/results/{rows['result']}/export",
        "/schedules/",
        f"/schedules/{rows['schedule']}",
        "/admin/users/",
        f"/admin/users/{rows['user']}",
        "/admin/groups/",
        f"/admin/groups/{rows['group']}",
        "/admin/permissions/",
        f"/admin/permissions/{rows['permission']}",
        "/now",
        # What is asked for is shown again.
        f"/jump?q={asked}",
        f"/results/search?q={asked}",
        f"/results/?q={asked}",
        f"/jobs/?q={asked}",
        f"/nothing/{asked}?{asked}={asked}",
        f"/admin/permissions/explain?subject={asked}&user={asked}&kind={asked}",
        f"/login?next={asked}",
    ]


def some(whole: bool) -> Sequence[str]:
    """Return those that pages show: what renders them has had all (above)."""
    texts = hostile_texts()
    return texts if whole else (*OWN, *texts[len(OWN) :: 5])


def batches(texts: Sequence[str]) -> list[str]:
    return ["\n".join(texts[start : start + AT_ONCE]) for start in range(0, len(texts), AT_ONCE)]


def test_no_text_adds_an_element_to_a_page(root: Browser, place: Place, whole: bool):
    plain: list[Counter[Any]] = [Counter() for _ in addresses(place, "word")]
    for word in ("word", "word\n\n" * AT_ONCE):
        # Long texts are shown in another way than short ones.
        place.fill(word)
        for path, known in zip(addresses(place, word), plain, strict=True):
            known.update(skeleton(text(root.get(path, follow_redirects=True)))[0])
    texts = some(whole)
    for word in batches(texts):
        place.fill(word)
        for path, expected in zip(addresses(place, word), plain, strict=True):
            page = text(root.get(path, follow_redirects=True))
            found, problems = skeleton(page)
            assert problems == [], path
            new = {each for each in found if each not in expected and not in_own_words(each)}
            assert new == set(), f"{path}: {word[:300]!r}"
    print(f"{len(texts)} texts x {len(plain)} pages")


#: What our templates have for more, longer or other texts; none of it acts on anything but our own pages.
OURS = {
    "a",
    "thead",
    "br",
    "code",
    "div",
    "h1",
    "p",
    "span",
    "ul",
    "li",
    "mark",
    "b",
    "pre",
    "em",
    "strong",
    "svg",
    "use",
}
HARMLESS = {
    "class",
    "href",
    "rel",
    "aria-hidden",
    "id",
    "title",
    "tabindex",
    "role",
    "aria-label",
    "hidden",
    "hx-disable",
}
#: A choice that has a default that is one of them needs no other to be chosen.
CHOICE = ("select", ("aria-describedby", "class", "id", "name"))


def in_own_words(element: tuple[str, tuple[str, ...]]) -> bool:
    tag, names = element
    return element == CHOICE or (tag in OURS and set(names) <= HARMLESS)
