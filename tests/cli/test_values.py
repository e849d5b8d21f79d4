"""`./errand jobs values`: what a job keeps between its runs, at a shell."""

import json

import pytest
from sqlalchemy import select

from store.models import JobValue
from worker.kept_values import list_kept

HELLO = "local/hello/Hello"


@pytest.fixture
def kept(db, make_job):
    make_job(HELLO)

    def kept(**values):
        for key, value in values.items():
            db.add(JobValue(class_path=HELLO, key=key, value=value))
        db.commit()

    return kept


def keys(db) -> list[str]:
    with db.begin():
        return sorted(db.scalars(select(JobValue.key)))


def test_values_are_listed_one_a_line(errand, kept):
    kept(last={"serial": 12}, **{"a\tb\n c": "ü\x1b[31m"}, long="x" * 500)
    outcome = errand("jobs", "values", HELLO)
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    lines = [line.split("\t") for line in outcome.stdout.splitlines()]
    assert [(key, size) for key, size, _, _ in lines] == [("a b c", "18"), ("last", "14"), ("long", "502")]
    assert lines[0][3] == '"ü\\u001b[31m"'
    assert lines[1][3] == '{"serial": 12}'
    assert lines[2][3] == '"' + "x" * 199 + "…"
    assert "\x1b" not in outcome.stdout


def test_json_has_all_as_the_api_shapes_it(errand, kept):
    kept(last={"serial": 12}, long="x" * 500)
    first, second = json.loads(errand("jobs", "values", HELLO, "--json").stdout)
    assert set(first) == {"key", "hidden", "value", "size", "updated_at", "result"}
    assert (first["key"], first["value"], first["size"], first["result"]) == (
        "last",
        {"serial": 12},
        14,
        None,
    )
    assert second["value"] == "x" * 500


def test_a_job_that_keeps_nothing_lists_nothing(errand, kept):
    assert errand("jobs", "values", HELLO).output == ""
    assert json.loads(errand("jobs", "values", HELLO, "--json").stdout) == []


def test_one_or_some_are_deleted(errand, kept, db):
    kept(**{"a": 1, "b/c": 2, "c": 3, "d": 4})
    outcome = errand("jobs", "values", HELLO, "--delete", "b/c")
    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (0, "", "Deleted 1 value.\n")
    assert errand("jobs", "values", HELLO, "--delete", "a", "--delete", "c", "--delete", "a").stderr == (
        "Deleted 2 values.\n"
    )
    assert keys(db) == ["d"]


def test_all_are_deleted(errand, kept, db):
    kept(a=1, b=2)
    assert errand("jobs", "values", HELLO, "--delete-all").stderr == "Deleted 2 values.\n"
    assert keys(db) == []
    assert errand("jobs", "values", HELLO, "--delete-all").stderr == "Deleted 0 values.\n"


@pytest.mark.parametrize("key", ["lasst", "", "\udcff", "x" * 300])
def test_a_key_that_is_not_there_deletes_none(errand, kept, db, key):
    kept(last=1, other=2)
    outcome = errand("jobs", "values", HELLO, "--delete", "other", "--delete", key)
    assert (outcome.exit_code, outcome.stdout) == (1, "")
    assert "keeps no value" in outcome.stderr
    assert ("Did you mean last?" in outcome.stderr) is (key == "lasst")
    assert keys(db) == ["last", "other"]


@pytest.mark.parametrize(
    "options", [("--json", "--delete-all"), ("--delete", "a", "--delete-all"), ("--delete", "a", "--json")]
)
def test_only_one_thing_is_asked_for(errand, kept, db, options):
    kept(a=1)
    assert errand("jobs", "values", HELLO, *options).exit_code == 2
    assert keys(db) == ["a"]


def test_an_unknown_job_is_told(errand, kept):
    outcome = errand("jobs", "values", "local/hello/Helo")
    assert (outcome.exit_code, outcome.stdout) == (1, "")
    assert f"Did you mean {HELLO}?" in outcome.stderr


def test_of_a_job_with_sensitive_inputs_only_keys_are_shown(errand, db, make_job):
    make_job(HELLO, has_sensitive_variables=True)
    db.add(JobValue(class_path=HELLO, key="a", value="geheim"))
    db.commit()
    listed, as_json = errand("jobs", "values", HELLO), errand("jobs", "values", HELLO, "--json")
    assert listed.stdout.startswith("a\t\t")
    assert "only the keys" in listed.stderr
    assert json.loads(as_json.stdout)[0]["hidden"] is True
    assert "geheim" not in listed.output + as_json.output
    with db.begin():
        assert list_kept(db, HELLO, limit=1)[0][0].value == "geheim"
