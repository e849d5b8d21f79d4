"""Every kind of variable by every way in: the same value is stored, and the same sentence refuses."""

import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import select, update

from examples.inventory.models import Manufacturer
from jobs.kinds import KINDS
from store.data_files import Folder
from store.models import ApiToken, JobRecord, JobResult
from store.secrets import new_token
from tests.multipart import multipart
from webapp.cli import main

from .conftest import described, running, text

URL = "/jobs/local/greetings/Greet/"
RUN = "/api/v1/jobs/local/greetings/Greet/run"
DOCS = Path(__file__).parents[2] / "docs" / "jobs.md"

COLOURS = [["r", "Red"], ["g", "Green"]]
WRONG_CHOICE = "Select a valid choice. x is not one of the available choices. Choose from: r, g."


@dataclass(frozen=True)
class Kind:
    """One row of the table: what is given as text and as JSON, what is stored, what is refused and how."""

    name: str
    text: Any
    json: Any
    stored: Any
    wrong: Any
    sentence: str
    options: dict[str, Any] = field(default_factory=dict)
    #: Where JSON cannot say the wrong thing in the same way as text.
    wrong_json: Any = ...

    def __str__(self) -> str:
        return self.name


def csv(name: str = "hosts.csv") -> tuple[io.BytesIO, str, str]:
    return io.BytesIO(b"a,b\n"), name, "text/csv"


TABLE = [
    Kind("StringVar", " core-1 ", " core-1 ", "core-1", "c", "Ensure this value has at least 2 characters (it has 1).", {"min_length": 2}),
    Kind("TextVar", "a\r\nb", "a\nb", "a\nb", "abcdef", "Ensure this value has at most 5 characters (it has 6).", {"max_length": 5}),
    Kind("IntegerVar", "7", 7, 7, "0", "Ensure this value is greater than or equal to 1.", {"min_value": 1}),
    Kind("DecimalVar", "1.50", 1.5, ..., "1.555", "Ensure that there are no more than 2 decimal places.", {"decimal_places": 2}),
    Kind("BooleanVar", "true", True, True, "perhaps", "Enter true or false."),
    Kind("DryRunVar", "true", True, True, "perhaps", "Enter true or false."),
    Kind("ChoiceVar", "r", "r", "r", "x", WRONG_CHOICE, {"choices": COLOURS}),
    Kind("MultiChoiceVar", ["r", "g"], ["r", "g"], ["r", "g"], ["x"], WRONG_CHOICE, {"choices": COLOURS}),
    Kind("ObjectVar", "1", 1, 1, "99", "There is no manufacturer with the key 99.", {"model": "inventory.manufacturer"}),
    Kind("MultiObjectVar", ["1", "2"], [1, 2], [1, 2], ["99"], "There is no manufacturer with the key 99.", {"model": "inventory.manufacturer"}),
    Kind("IPAddressVar", "10.0.0.1", "10.0.0.1", "10.0.0.1", "1.2.3", "Invalid IPv4/IPv6 address format: 1.2.3"),
    Kind("IPAddressWithMaskVar", "10.0.0.1/24", "10.0.0.1/24", "10.0.0.1/24", "10.0.0.1", "CIDR mask (e.g. /24) is required."),
    Kind("IPNetworkVar", "10.0.0.0/24", "10.0.0.0/24", "10.0.0.0/24", "10.0.0.1/24", "10.0.0.1/24 is not a valid prefix. Did you mean 10.0.0.0/24?"),
    Kind("DateVar", "2026-01-31", "2026-01-31", "2026-01-31", "soon", "Enter a valid date, such as 2026-01-31."),
    Kind("DateTimeVar", "2026-01-31T14:30", "2026-01-31T16:30+02:00", "2026-01-31T14:30:00+00:00", "at noon", "Enter a valid date and time, such as 2026-01-31T14:30."),
    Kind("JSONVar", '{"a": [1, null]}', {"a": [1, None]}, {"a": [1, None]}, "{nothing", "Enter valid JSON: Expecting property name enclosed in double quotes (line 1, column 2)."),
    Kind("FileVar", csv, ..., {"name": "hosts.csv", "size": 4, "content_type": "text/csv"}, lambda: csv("hosts.exe"), "Choose a file of another kind: hosts.exe is not .csv.", {"accept": [".csv"]}),
    Kind("DataFileVar", "a.lst", "a.lst", "a.lst", "b.lst", "There is no data file b.lst that you may see. Choose from: a.lst."),
    Kind("SecretVar", " s3cr3t ", " s3cr3t ", ..., "abc", "Ensure this value has at least 4 characters (it has 3).", {"min_length": 4}),
]  # fmt: skip


@pytest.fixture
def app(inventory_settings: Any) -> Iterator[Flask]:
    Folder(inventory_settings).write("a.lst", b"x\n", new=True)
    for app in running(inventory_settings):
        with app.extensions["errand"].data.run_session(wait_seconds=5, on_wait=lambda: None) as session:
            for number in range(2):
                Manufacturer(name=f"Maker {number}", slug=f"maker-{number}").save()
            session.commit()
        yield app


@pytest.fixture
def token(db: Any, cast: Any) -> str:
    plain, token_hash = new_token("errand")
    db.add(ApiToken(user_id=cast["alice"].id, prefix=plain[:12], token_hash=token_hash))
    db.commit()
    return plain


#: Gives a value by one way in, and returns what was said against it, None where it was taken.
Give = Callable[[Any], str | None]


def given(value: Any) -> Any:
    return value() if callable(value) else value


@pytest.fixture
def by_form(alice: Any) -> Give:
    def give(value: Any) -> str | None:
        answer = alice.client.post(URL, **multipart(csrf_token=alice.token(), **{"v-v": given(value)}))
        if answer.status_code == 303:
            return None
        assert answer.status_code == 422
        [said] = re.findall(r'id="v-v-e">.*?<span>(.*?)</span>', text(answer))
        return str(said).replace("&#34;", '"')

    return give


@pytest.fixture
def by_multipart(app: Flask, token: str) -> Give:
    return lambda value: _of_api(app, token, **multipart(v=given(value)))


@pytest.fixture
def by_json(app: Flask, token: str) -> Give:
    return lambda value: _of_api(app, token, json={"data": {"v": value}})


def _of_api(app: Flask, token: str, **body: Any) -> str | None:
    answer = app.test_client().post(RUN, headers={"Authorization": f"Token {token}"}, **body)
    if answer.status_code == 201:
        return None
    assert answer.status_code == 422, answer.text
    [[sentence]] = json.loads(answer.text)["errors"].values()
    return str(sentence)


@pytest.fixture
def by_command(app: Flask, cast: Any, inventory_settings: Any, tmp_path: Path) -> Give:
    """As `./errand run local/greetings/Greet v=...` does, at no terminal."""

    def give(value: Any) -> str | None:
        values = value if isinstance(value, list) else [_at_a_path(given(value), tmp_path)]
        pairs = [f"v={each}" for each in values]
        options = ["--instance", str(inventory_settings.instance), "--username", "alice", "--no-follow"]
        result = CliRunner().invoke(main, ["run", *options, "local/greetings/Greet", *pairs])
        if result.exit_code == 0:
            return None
        assert result.exit_code == 2, result.output
        return result.stderr.strip().splitlines()[-1].removeprefix("v: ")

    return give


def _at_a_path(value: Any, folder: Path) -> Any:
    if not isinstance(value, tuple):
        return value
    stream, name, _ = value
    (folder / name).write_bytes(stream.read())
    return folder / name


def check(kind: Kind, give: Give, db: Any, good: Any, wrong: Any) -> None:
    with db.begin():
        before = db.scalars(select(JobResult.id)).all()
        db.execute(update(JobRecord).values(variables=[described(kind.name, "v", **kind.options)]))
    new = select(JobResult).where(JobResult.id.not_in(before))
    assert give(wrong) == kind.sentence
    with db.begin():
        assert db.scalars(new).all() == []
    assert give(good) is None
    with db.begin():
        [result] = db.scalars(new).all()
    if kind.name == "SecretVar":
        assert (result.data, bool(result.sealed_data)) == ({}, True)
    elif kind.name == "DecimalVar":
        assert float(result.data["v"]) == 1.5
    else:
        assert result.data == {"v": kind.stored}


@pytest.fixture
def job(make_job: Any) -> JobRecord:
    """A job that has one variable of one kind after the other."""
    job: JobRecord = make_job()
    return job


def test_the_table_has_every_kind():
    # Without those that a plugin, loaded by another test, has brought.
    assert {kind.name for kind in TABLE} == {name for name, kind in KINDS.items() if not kind.kind}


def test_by_form(job: JobRecord, by_form: Give, db: Any, subtests: Any):
    for kind in TABLE:
        with subtests.test(str(kind)):
            check(kind, by_form, db, kind.text, kind.wrong)


def test_by_multipart(job: JobRecord, by_multipart: Give, db: Any, subtests: Any):
    for kind in TABLE:
        with subtests.test(str(kind)):
            check(kind, by_multipart, db, kind.text, kind.wrong)


def test_by_json(job: JobRecord, by_json: Give, db: Any, subtests: Any):
    for kind in TABLE:
        if kind.name == "FileVar":
            continue
        with subtests.test(str(kind)):
            check(kind, by_json, db, kind.json, kind.wrong if kind.wrong_json is ... else kind.wrong_json)


def test_by_command(job: JobRecord, by_command: Give, db: Any, subtests: Any):
    for kind in TABLE:
        with subtests.test(str(kind)):
            check(kind, by_command, db, kind.text, kind.wrong)


def test_json_carries_no_file(make_job: Any, by_json: Give):
    [file] = [kind for kind in TABLE if kind.name == "FileVar"]
    make_job(variables=[described(file.name, "v", **file.options)])
    assert by_json("hosts.csv") == "Choose a file."


@pytest.mark.parametrize("kind", TABLE, ids=str)
def test_the_docs_say_what_is_refused(kind: Kind):
    said = DOCS.read_text("utf-8")
    assert f"| `{kind.name}` |" in said
    # What follows names numbers and names, which stand for others there.
    assert f"`{' '.join(kind.sentence.split()[:3])}" in said, kind.sentence
