"""Every example job, and every job whose inputs react, by every way in: equal data is stored, equal sentences refuse."""

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import select

from examples.inventory.models import Device, DeviceRole, DeviceType, Manufacturer, Site, Status
from store.models import ApiToken, JobResult
from store.secrets import new_token
from store.settings import PROJECT_ROOT, Settings, load_settings
from tests.conftest import FIXTURE_JOBS, load_fixture_jobs
from tests.multipart import multipart
from webapp.cli import main
from worker import helper

from .conftest import Browser, running, signed_in, text

REQUIRED = "This field is required."
CSV = ("new.csv", b"name,model,role\n", "text/csv")
NOTHING = {
    "mode": "check",
    "new_name": "",
    "site": "",
    "rack": "",
    "unit": None,
    "extras": [],
    "urgent": False,
    "reason": "",
    "note": "",
}
ZUG = ", ".join(f"z-{number}" for number in range(1, 21))


@dataclass(frozen=True)
class Case:
    """What is given, and what is stored of it or said against it."""

    job: str
    given: dict[str, Any]
    stored: dict[str, Any] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.job} {self.given}"


def invalid(value: str, choices: str) -> str:
    said = f"Select a valid choice. {value} is not one of the available choices."
    return f"{said} Choose from: {choices}."


BRANCH = {"site_name": "Basel", "switch_model": 1}
MOVE = {"mode": "move", "site": "bern", "rack": "b-1"}
HAND_OVER = {"site": "zug", "ticket": "CHG-1234", "password": "sesame"}
HANDED_OVER = {
    "scope": "all",
    "role": None,
    "site": "zug",
    "tolerated": 0,
    "ticket": "CHG-1234",
    "seconds": 1,
    "note": "",
}
CASES = [
    Case("DeviceConnectionsReport", {}, {}),
    Case("SiteSummary", {}, {}),
    Case("NewBranch", BRANCH, {**BRANCH, "switch_count": 2, "manufacturer": None}),
    Case("NewBranch", {**BRANCH, "manufacturer": 1}, {**BRANCH, "switch_count": 2, "manufacturer": 1}),
    Case("NewBranch", {**BRANCH, "site_name": "B"}, refused={"site_name": "Ensure this value has at least 2 characters (it has 1)."}),
    Case("NewBranch", {**BRANCH, "switch_count": 49}, refused={"switch_count": "Ensure this value is less than or equal to 48."}),
    Case("NewBranch", {"switch_count": "x"}, refused={"site_name": REQUIRED, "switch_count": "Enter a whole number.", "switch_model": REQUIRED}),
    Case("ImportDevices", {"site": 1, "table": CSV}, {"site": 1, "table": {"name": "new.csv", "size": 16, "content_type": "text/csv"}, "strict": False}),
    Case("ImportDevices", {"site": 9}, refused={"site": "There is no site with the key 9.", "table": REQUIRED}),
    Case("TagDevices", {"site": 1, "first_tag": " a-01501"}, {"site": 1, "first_tag": "A01501"}),
    Case("TagDevices", {"site": 1, "first_tag": "12"}, refused={"first_tag": "An asset tag is up to three letters, and then 3 to 8 digits: A01501."}),
    Case("TagDevices", {"site": 1}, refused={"first_tag": REQUIRED}),
    Case("RetireSite", {"site": 1}, {"site": 1}),
    Case("SurveySites", {}, {}),
    Case("SurveySite", {"site": 1}, {"site": 1}),
    Case("RetireSite", {}, refused={"site": REQUIRED}),
    Case("LargestFiles", {}, {"folder": "/var/log", "count": 10, "by": "folder"}),
    Case("LargestFiles", {"folder": "var", "count": 0}, refused={"folder": "Invalid value. Must match regex: ^/", "count": "Ensure this value is greater than or equal to 1."}),
    Case("Checksum", {"file": CSV}, {"file": {"name": "new.csv", "size": 16, "content_type": "text/csv"}, "method": "sha256", "expected": ""}),
    Case("Checksum", {"expected": "x"}, refused={"file": REQUIRED, "expected": "Invalid value. Must match regex: ^[0-9a-f]*$"}),
    Case("RenameDevices", {"devices": [1], "prefix": "core"}, {"site": None, "devices": [1], "prefix": "core", "keep_order": True}),
    Case("RenameDevices", {"site": 2, "devices": [1], "prefix": "core"}, refused={"devices": "sw-1 does not fit site_id=2."}),
    Case("SerialNumbers", {}, {}),
    Case("DecommissionDevices", {"devices": [1]}, {"devices": [1], "dryrun": True}),
    Case("DecommissionDevices", {}, refused={"devices": REQUIRED}),
    Case("HandOverSite", HAND_OVER, HANDED_OVER),
    Case("HandOverSite", {**HAND_OVER, "scope": "role", "role": 1, "tolerated": 1}, {**HANDED_OVER, "scope": "role", "role": 1, "tolerated": 1}),
    Case("HandOverSite", {**HAND_OVER, "scope": "role", "ticket": "7"}, refused={"role": REQUIRED, "ticket": r"Invalid value. Must match regex: ^CHG-\d{4,}$"}),
    Case("ProbeDevice", {"device": 1, "password": "x", "seconds": 0}, {"device": 1, "seconds": 0}),
    Case("Moves", {}, NOTHING),
    Case("Moves", {"note": "x", "site": "zug"}, {**NOTHING, "note": "x", "site": "zug"}),
    # Defaults are computed from what was given, and from other defaults; what is not asked for has none.
    Case("Moves", MOVE, {**NOTHING, **MOVE, "unit": 12, "urgent": True, "reason": "It is urgent"}),
    Case("Moves", {**MOVE, "rack": "b-2", "urgent": False}, {**NOTHING, **MOVE, "rack": "b-2", "unit": 30}),
    Case("Moves", {**MOVE, "unit": 3, "extras": ["cable", "rails-bern"], "urgent": False}, {**NOTHING, **MOVE, "unit": 3, "extras": ["cable", "rails-bern"]}),
    Case("Moves", {**MOVE, "mode": "replace", "new_name": "sw-1"}, {**NOTHING, **MOVE, "mode": "replace", "new_name": "sw-1", "unit": 12}),
    Case("Moves", {"mode": "replace"}, refused={"new_name": REQUIRED}),
    Case("Moves", {"mode": "move", "site": "bern", "urgent": False}, refused={"rack": REQUIRED}),
    Case("Moves", {"mode": "x"}, refused={"mode": invalid("x", "check, move, replace")}),
    # What depends on something wrong is not judged.
    Case("Moves", {**MOVE, "site": "x"}, refused={"site": invalid("x", "bern, zug, chur")}),
    Case("Moves", {**MOVE, "rack": "z-1"}, refused={"rack": invalid("z-1", "b-1, b-2")}),
    Case("Moves", {**MOVE, "site": "zug"}, refused={"rack": invalid("b-1", f"{ZUG} and 10 more")}),
    Case("Moves", {**MOVE, "extras": ["rails-zug"]}, refused={"extras": invalid("rails-zug", "cable, rails-bern")}),
    Case("Moves", {**MOVE, "unit": 0}, refused={"unit": "Ensure this value is greater than or equal to 1."}),
    Case("Moves", {**MOVE, "unit": 13}, refused={"unit": "Nothing is put into unit 13."}),
    Case("Narrows", {}, {"site": None, "device": None, "signed": False, "key": ""}),
    Case("Narrows", {"site": 1, "device": 1}, {"site": 1, "device": 1, "signed": False, "key": ""}),
    Case("Narrows", {"site": 2, "device": 1}, refused={"device": "sw-1 does not fit site_id=2."}),
    Case("Narrows", {"signed": True}, refused={"key": REQUIRED}),
    Case("Narrows", {"signed": True, "key": "s3"}, {"site": None, "device": None, "signed": True}),
]  # fmt: skip


#: Examples that are folders of jobs; those of the plugin are there anyway.
FOLDERS = ("best_of", "errand", "nautobot")
MODULES = {path.stem for name in FOLDERS for path in (PROJECT_ROOT / "examples" / name).glob("*.py")}


@pytest.fixture
def inventory_settings(inventory_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The same with the folders of the examples."""
    folders = [FIXTURE_JOBS, *(PROJECT_ROOT / "examples" / name for name in FOLDERS)]
    monkeypatch.setenv("JOBS_ROOT", os.pathsep.join(map(str, folders)))
    return load_settings(inventory_settings.instance)


@pytest.fixture
def app(inventory_settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    monkeypatch.setattr(helper, "READY_SECONDS", 60.0)
    for app in running(inventory_settings):
        with app.extensions["errand"].data.run_session(wait_seconds=5, on_wait=lambda: None) as session:
            _make_objects()
            session.commit()
        yield app


@pytest.fixture(scope="module", autouse=True)
def helpers_end() -> Iterator[None]:
    yield
    helper.stop()


def _make_objects() -> None:
    active = Status(name="Active", slug="active")
    active.save()
    sites = [Site(name=name, slug=name.lower(), status=active) for name in ("Bern", "Zug")]
    maker = Manufacturer(name="Maker", slug="maker")
    role = DeviceRole(name="Switch", slug="switch")
    for each in (*sites, maker, role):
        each.save()
    model = DeviceType(model="Model", slug="model", manufacturer=maker)
    model.save()
    Device(name="sw-1", site=sites[0], device_type=model, device_role=role, status=active).save()
    planned = Status(name="Planned", slug="planned")
    planned.save()
    Device(name="sw-2", site=sites[1], device_type=model, device_role=role, status=planned).save()


@dataclass(frozen=True)
class Known:
    """What a test needs to know of a job."""

    class_path: str
    source: str
    module: str


@pytest.fixture
def jobs(app: Flask, db: Any, inventory_settings: Any) -> dict[str, Known]:
    found = load_fixture_jobs(db, inventory_settings).items()
    known = {name: Known(job.class_path, job.source, job.module) for name, job in found}
    # Who only looks must not keep SQLite's write turn.
    db.commit()
    return known


@pytest.fixture
def root(app: Flask, db: Any, cast: Any, jobs: Any) -> Browser:
    return signed_in(app, db, cast["root"])


#: Gives inputs by one way in; returns what was said against them, by variable.
Give = Callable[[Known, dict[str, Any]], dict[str, str]]


@pytest.fixture
def by_form(root: Browser) -> Give:
    """As somebody without JavaScript: fill in what is there, press Update, send what is there then."""

    def give(job: Known, given: dict[str, Any]) -> dict[str, str]:
        url = f"/jobs/{job.class_path}/"
        inputs = {f"v-{name}": _texts(value) for name, value in given.items()}
        page = text(root.get(url))
        # As often as inputs can bring others.
        for _ in range(3):
            filled = {
                **_inputs(page),
                **{name: value for name, value in inputs.items() if name in _inputs(page)},
            }
            page = text(root.client.post(url, **multipart(**_flat({**filled, "_update": "1"}))))
        filled = _inputs(page)
        # Nobody stops a browser from sending what its page does not offer.
        answer = root.client.post(url, **multipart(**_flat({**filled, **inputs})))
        if answer.status_code == 303:
            return {}
        assert answer.status_code == 422
        found = re.findall(r'id="v-(\w+)-e">.*?<span>(.*?)</span>', text(answer))
        return {name: unescape(sentence) for name, sentence in found}

    return give


class _Inputs(HTMLParser):
    """What a browser would send of the form that asks for a run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, Any] = {}
        self._inside = False
        self._select = self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = str(given.get("name")), given.get("value") or ""
        if tag == "form":
            self._inside = "data-run-form" in given
        elif not self._inside:
            return
        elif tag == "select":
            self._select = name
        elif tag == "option" and (self._select not in self.found or "selected" in given):
            self.found[self._select] = [value]
        elif tag == "textarea":
            self._area = name
            self.found[name] = [""]
        elif tag == "input" and given.get("type") != "search":
            self._input(name, value, given)

    def _input(self, name: str, value: str, given: dict[str, str | None]) -> None:
        self.found.setdefault(name, [])
        if given.get("type") not in ("checkbox", "radio") or "checked" in given:
            self.found[name].append(value)

    def handle_data(self, data: str) -> None:
        if self._area:
            self.found[self._area] = [data.removeprefix("\n")]

    def handle_endtag(self, tag: str) -> None:
        self._area = "" if tag == "textarea" else self._area
        self._select = "" if tag == "select" else self._select


def _inputs(page: str) -> dict[str, Any]:
    parser = _Inputs()
    parser.feed(page)
    return parser.found


def _texts(value: Any) -> Any:
    if isinstance(value, tuple):
        return value
    if isinstance(value, list):
        return [str(each) for each in value]
    # A switch that is off sends nothing.
    return [] if value is False else ["true" if value is True else str(value)]


def _flat(inputs: dict[str, Any]) -> dict[str, Any]:
    """Return inputs as `multipart` takes them."""
    return {
        name: (BytesIO(value[1]), value[0], value[2]) if isinstance(value, tuple) else value
        for name, value in inputs.items()
        if value != []
    }


@pytest.fixture
def token(db: Any, cast: Any) -> str:
    plain, token_hash = new_token("errand")
    db.add(ApiToken(user_id=cast["root"].id, prefix=plain[:12], token_hash=token_hash))
    db.commit()
    return plain


@pytest.fixture
def by_json(app: Flask, token: str) -> Give:
    return lambda job, given: _of_api(app, token, job, json={"data": given})


@pytest.fixture
def by_multipart(app: Flask, token: str) -> Give:
    def give(job: Known, given: dict[str, Any]) -> dict[str, str]:
        parts = {name: "false" if value is False else _texts(value) for name, value in given.items()}
        return _of_api(app, token, job, **multipart(**_flat({**parts, "_commit": "true"})))

    return give


def _of_api(app: Flask, token: str, job: Known, **body: Any) -> dict[str, str]:
    url = f"/api/v1/jobs/{job.class_path}/run"
    answer = app.test_client().post(url, headers={"Authorization": f"Token {token}"}, **body)
    if answer.status_code == 201:
        return {}
    assert answer.status_code == 422, answer.text
    return {name: " ".join(said) for name, said in json.loads(answer.text)["errors"].items()}


@pytest.fixture
def by_command(app: Flask, jobs: Any, cast: Any, inventory_settings: Any, tmp_path: Path) -> Give:
    def give(job: Known, given: dict[str, Any]) -> dict[str, str]:
        pairs = []
        for name, value in given.items():
            texts = [_at_a_path(value, tmp_path)] if isinstance(value, tuple) else _texts(value) or ["false"]
            pairs += [f"{name}={each}" for each in texts]
        return _of_command(inventory_settings, job, *pairs)

    return give


def _of_command(settings: Any, job: Known, *arguments: str) -> dict[str, str]:
    options = ["--instance", str(settings.instance), "--username", "root", "--no-follow"]
    result = CliRunner().invoke(main, ["run", *options, job.class_path, *arguments])
    if result.exit_code == 0:
        return {}
    assert result.exit_code == 2, result.output
    lines = result.stderr.partition("Nothing was stored.\n")[2].strip().splitlines()
    return dict(line.split(": ", 1) for line in lines)


def _at_a_path(value: tuple[str, bytes, str], folder: Path) -> str:
    path = folder / value[0]
    path.write_bytes(value[1])
    return str(path)


@pytest.fixture
def by_prompt(
    app: Flask, jobs: Any, cast: Any, inventory_settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Give:
    """As somebody at a terminal, who gives up when an answer is refused."""

    def give(job: Known, given: dict[str, Any]) -> dict[str, str]:
        asked: list[str] = []
        said: list[str] = []

        def answer(_settings: Any, variable: Any, _siblings: Any) -> Any:
            name = variable["name"]
            if name in asked:
                raise click.Abort
            asked.append(name)
            said.clear()
            return given.get(name, variable.get("default"))

        monkeypatch.setattr("webapp.cli.prompts.at_a_terminal", lambda: True)
        monkeypatch.setattr("webapp.cli.prompts._kind", lambda variable: answer)
        monkeypatch.setattr("webapp.cli.prompts.tell", said.append)
        monkeypatch.setattr("click.confirm", lambda *_, **__: True)
        options = ["--instance", str(inventory_settings.instance), "--username", "root", "--no-follow"]
        result = CliRunner().invoke(main, ["run", *options, job.class_path])
        if result.exit_code == 0:
            return {}
        assert result.exit_code == 2, result.output
        assert asked, result.output
        return {asked[-1]: said[0]}

    return give


def check(case: Case, give: Give, db: Any, jobs: dict[str, Known]) -> None:
    with db.begin():
        before = db.scalars(select(JobResult.id)).all()
    assert give(jobs[case.job], case.given) == case.refused
    with db.begin():
        results = db.scalars(select(JobResult).where(JobResult.id.not_in(before))).all()
    assert [result.data for result in results] == ([] if case.refused else [case.stored])


@pytest.fixture
def check_each(db: Any, jobs: Any, subtests: Any) -> Callable[[list[Case], Give], None]:
    """Check the cases one after the other in one instance: no run knows of others."""

    def check_each(cases: list[Case], give: Give) -> None:
        for case in cases:
            with subtests.test(str(case)):
                check(case, give, db, jobs)

    return check_each


without_files = [case for case in CASES if not any(isinstance(value, tuple) for value in case.given.values())]


def test_by_form(by_form: Give, check_each: Any):
    check_each(CASES, by_form)


def test_by_json(by_json: Give, check_each: Any):
    check_each(without_files, by_json)


def test_by_multipart(by_multipart: Give, check_each: Any):
    check_each(CASES, by_multipart)


def test_by_command(by_command: Give, check_each: Any):
    check_each(CASES, by_command)


def test_by_prompt(by_prompt: Give, check_each: Any):
    check_each([case for case in without_files if len(case.refused) < 2], by_prompt)


def test_every_example_and_every_job_that_reacts_is_here(jobs: dict[str, Known]):
    meant = {
        name for name, job in jobs.items() if job.source == "plugins" or job.module in ("reacting", *MODULES)
    }
    assert {case.job for case in CASES} == meant


# --- What is not asked for --------------------------------------------------------------------------------------

UNASKED = {
    "new_name": "This is not asked for unless mode is replace.",
    "rack": "This is not asked for unless mode is move or replace and site is filled in.",
    "unit": "This is not asked for unless rack is filled in.",
    "reason": "This is not asked for unless urgent is true.",
}
IN_VAIN = {"new_name": "sw-1", "rack": "b-1", "reason": "So"}


@pytest.mark.parametrize("way", ["by_json", "by_multipart", "by_command"])
def test_a_value_that_nobody_asked_for_is_refused(
    way: str, request: pytest.FixtureRequest, db: Any, jobs: Any
):
    give = request.getfixturevalue(way)
    assert give(jobs["Moves"], IN_VAIN) == {name: said for name, said in UNASKED.items() if name in IN_VAIN}
    assert give(jobs["Moves"], {"unit": 3}) == {"unit": UNASKED["unit"]}
    # What it would hold anyway may be said.
    empty = {"new_name": "", "urgent": False, "reason": ""}
    check(Case("Moves", empty, NOTHING), give, db, jobs)


def test_the_form_ignores_what_a_hidden_input_carries(by_form: Give, db: Any, jobs: Any):
    check(Case("Moves", IN_VAIN, NOTHING), by_form, db, jobs)


def test_a_run_is_asked_for_again_with_what_was_not_asked_for(
    root: Browser, by_json: Give, db: Any, jobs: Any
):
    assert by_json(jobs["Moves"], {**MOVE, "urgent": False}) == {}
    with db.begin():
        [result] = db.scalars(select(JobResult)).all()
    page = text(root.get(f"/jobs/{result.class_path}/?_from_result={result.id}"))
    assert _inputs(page)["v-rack"] == ["b-1"]
    # It was not asked for then: if it is now, it has its default.
    assert _inputs(page)["v-reason"] == ["It is urgent"]


# --- Presets ----------------------------------------------------------------------------------------------------


def test_presets_fill_in_the_form_and_the_command(
    root: Browser, inventory_settings: Any, token: str, app: Flask, db: Any, jobs: Any
):
    job = jobs["Moves"]
    page = text(root.get(f"/jobs/{job.class_path}/"))
    links = {
        name: unescape(url) for url, name in re.findall(r'href="(/jobs/[^"]*\?[^"]*)">([^<]+)</a>', page)
    }
    inputs = _inputs(text(root.get(links["To Bern"])))
    assert (inputs["v-site"], inputs["v-extras"], inputs["v-urgent"]) == (["bern"], ["rails-bern"], [])
    refused = _of_command(inventory_settings, job, "--preset", "To Bern")
    assert refused == {"rack": REQUIRED}
    assert _of_command(inventory_settings, job, "--preset", "To Bern", "rack=b-2") == {}
    with db.begin():
        [result] = db.scalars(select(JobResult)).all()
    assert result.data == {**NOTHING, **MOVE, "rack": "b-2", "unit": 30, "extras": ["rails-bern"]}
    answer = app.test_client().get(
        f"/api/v1/jobs/{job.class_path}", headers={"Authorization": f"Token {token}"}
    )
    assert answer.json["presets"]["Weekly check"] == {"mode": "check", "note": "every week"}
    variables = {each["name"]: each for each in answer.json["variables"]}
    assert next(iter(variables)) == "note", "what is in no group comes first"
    assert (variables["rack"]["group"], variables["rack"]["depends_on"]) == ("Where", ["site"])


def test_a_preset_that_there_is_not_is_said_so(inventory_settings: Any, jobs: Any, cast: Any):
    options = ["--instance", str(inventory_settings.instance), "--username", "root"]
    result = CliRunner().invoke(main, ["run", *options, jobs["Moves"].class_path, "--preset", "x"])
    assert (result.exit_code, 'Choose from: "Weekly check", "To Bern".' in result.stderr) == (2, True)


# --- Only what changed ------------------------------------------------------------------------------------------


def react(root: Browser, job: Known, page: str, **typed: Any) -> Any:
    inputs = {**_inputs(page), **{f"v-{name}": value for name, value in typed.items()}}
    data = {name: value for name, value in inputs.items() if value != []}
    return root.client.post(f"/jobs/{job.class_path}/inputs", data=data, headers={"HX-Request": "true"})


def test_a_change_brings_only_the_fields_that_depend_on_it(root: Browser, jobs: Any):
    job = jobs["Moves"]
    page = text(root.get(f"/jobs/{job.class_path}/"))
    assert 'id="f-rack" hidden' in page
    assert react(root, job, page).status_code == 204
    assert react(root, job, page, note="x").status_code == 204
    answer = text(react(root, job, page, mode="move"))
    assert re.findall(r'id="f-(\w+)" hx-swap-oob="true"', answer) == ["urgent", "reason", "extras"]
    answer = text(react(root, job, page, mode="replace", site="bern", rack="b-1"))
    assert re.findall(r'id="f-(\w+)" hx-swap-oob="true"', answer) == ["new_name", "rack", "unit"]
    assert 'name="v-unit" type="number" inputmode="numeric" value="12"' in answer
    assert "In <strong>b-1</strong>, counted from below." in answer


def test_a_default_follows_until_somebody_types_over_it(root: Browser, jobs: Any):
    job = jobs["Moves"]
    url = f"/jobs/{job.class_path}/?mode=replace&site=bern&rack=b-1"
    page = text(root.get(url))
    assert 'value="30"' in text(react(root, job, page, rack="b-2"))
    assert 'value="5"' in text(react(root, job, page, rack="b-2", unit="5"))
    # A choice that there is no more goes, and with it what depended on it.
    gone = text(react(root, job, page, site="zug"))
    assert re.findall(r'id="f-(\w+)" hx-swap-oob="true"', gone) == ["rack", "unit"]
    assert 'id="f-unit" hx-swap-oob="true" hidden' in gone


def test_code_is_asked_only_for_what_is_shown_and_depends_on_a_change(
    root: Browser, jobs: Any, monkeypatch: pytest.MonkeyPatch
):
    asked: list[tuple[str, Any]] = []
    ask = helper.ask

    def counted(settings: Any, class_path: str, question: str, arguments: Any, **options: Any) -> Any:
        asked.append((question, arguments.get("variable")))
        return ask(settings, class_path, question, arguments, **options)

    monkeypatch.setattr(helper, "ask", counted)
    moves = jobs["Moves"]
    page = text(root.get(f"/jobs/{moves.class_path}/"))
    assert asked == []
    react(root, moves, page, mode="replace", site="bern")
    assert asked == [("choices", "rack")]
    asked.clear()
    page = text(root.get(f"/jobs/{jobs['Asks'].class_path}/"))
    assert asked
    asked.clear()
    react(root, jobs["Asks"], page)
    assert asked == []


def test_strangers_learn_nothing(app: Flask, db: Any, cast: Any, jobs: Any):
    carol = signed_in(app, db, cast["carol"])
    answer = carol.client.post("/jobs/local/none/None/inputs", data={"csrf_token": carol.token()})
    assert answer.status_code == 404
