"""`./errand suppressions`."""

import json
from datetime import datetime, timedelta

import pytest

from store.models import User, now

HELLO = "local/hello/Hello"


@pytest.fixture
def hello(db, make_job):
    db.add(User(username="root", superuser=True))
    db.commit()
    return make_job(HELLO, enabled=True)


def test_they_are_added_listed_and_removed(errand, hello):
    until = now() + timedelta(hours=2)
    first = errand("suppressions", "add", HELLO, until.isoformat())
    assert first.exit_code == 0, first.output
    # Without a zone it is on the clock of this machine.
    begins = datetime.now().astimezone() + timedelta(days=1)
    local = [f"{each:%Y-%m-%dT%H:%M}" for each in (begins + timedelta(hours=1), begins)]
    second = errand("suppressions", "add", HELLO, local[0], "--from", local[1])
    lines = errand("suppressions", "list", HELLO).stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == [first.stdout.strip(), second.stdout.strip()]
    assert lines[0].endswith("\troot")
    [_, later] = json.loads(errand("suppressions", "list", HELLO, "--json").stdout)
    assert datetime.fromisoformat(later["starts_at"]) == begins.replace(second=0, microsecond=0)
    assert (
        errand("suppressions", "remove", HELLO, first.stdout.strip()).stderr == "The suppression is ended.\n"
    )
    assert errand("suppressions", "remove", HELLO).stderr == "Ended 1 suppression.\n"
    assert errand("suppressions", "list", HELLO).stdout == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("add", HELLO, "soon"), "Give a time such as 14:30"),
        (("add", HELLO, "2020-01-01T10:00", "--from", "2020-01-01T09:00"), "That time is over already."),
        (("remove", HELLO, "99"), "There is no such suppression, or it is over."),
        (("list", "local/hello/Other"), "There is no such job"),
    ],
)
def test_what_cannot_be_done_is_said(errand, hello, arguments, sentence):
    answer = errand("suppressions", *arguments)
    assert answer.exit_code != 0
    assert sentence in answer.stderr
