"""`/jobs`: what there is to run."""

import pytest

from tests.api.conftest import VARIABLES, described, follow

JOB_KEYS = {
    "id",
    "class_path",
    "url",
    "source",
    "name",
    "grouping",
    "description",
    "installed",
    "enabled",
    "hidden",
    "read_only",
    "commit_default",
    "dialect",
    "approval_required",
    "restricted",
    "approval_expires",
    "has_plan",
    "concurrency_limit",
    "concurrency_key",
    "concurrency_policy",
    "dedupe",
    "delay",
    "has_sensitive_variables",
    "soft_time_limit",
    "time_limit",
    "keep_days",
    "keep_failed_days",
    "queues",
    "presets",
    "overrides",
    "version",
    "variables",
    "code_digest",
    "code_commit",
    "refreshed_at",
}


def test_a_job_is_shaped_as_the_contract_says(call, hello):
    answer = call("GET", "/jobs")
    assert set(answer.json) == {"results", "next"}
    assert answer.json["next"] is None
    [job] = answer.json["results"]
    assert set(job) == JOB_KEYS
    assert job["id"] == str(hello.id)
    assert job["class_path"] == "local/hello/Hello"
    assert (job["name"], job["grouping"], job["description"]) == ("Hello", "hello", "Says hello.")
    assert job["enabled"] is True
    assert job["queues"] == ["default"]
    assert job["refreshed_at"] == "2026-01-31T12:00:00.000005Z"
    assert job["variables"] == VARIABLES


@pytest.mark.parametrize("path", ["/jobs/plugin/acme.jobs/A", "/jobs/plugins/acme.jobs/A"])
def test_a_plugins_job_is_found_by_both_spellings(call, make_job, path):
    make_job("plugins/acme.jobs/A")
    assert call("GET", path).json["class_path"] == "plugins/acme.jobs/A"
    assert call("POST", f"{path}/run", json={}).status_code == 201
    assert len(call("GET", "/results?job=plugin/acme.jobs/A").json["results"]) == 1


def test_a_variable_for_objects_names_its_model(call, make_job):
    site = described(
        "ObjectVar", "site", model="inventory.site", display_field="name", query_params={}, null_option=None
    )
    make_job("local/a/A", variables=[site])
    assert call("GET", "/jobs").json["results"][0]["variables"] == [site]


def test_what_else_a_description_holds_stays_inside(call, make_job):
    make_job("local/a/A", variables=[described("StringVar", "x", widget="<Widget>", secret="geheim")])
    assert "geheim" not in call("GET", "/jobs").text


@pytest.mark.parametrize("by", ["id", "class_path"])
def test_one_job_is_found_by_id_and_by_class_path(call, hello, by):
    answer = call("GET", f"/jobs/{getattr(hello, by)}")
    assert answer.status_code == 200
    assert answer.json == call("GET", "/jobs").json["results"][0]


def test_a_job_that_is_not_enabled_is_seen_by_superusers_only(call, call_as_root, make_job):
    hidden = make_job("local/a/A", enabled=False)
    assert call("GET", "/jobs").json["results"] == []
    assert call("GET", "/jobs/local/a/A").status_code == 404
    assert call("GET", f"/jobs/{hidden.id}").status_code == 404
    assert call_as_root("GET", "/jobs/local/a/A").json["enabled"] is False
    assert len(call_as_root("GET", "/jobs").json["results"]) == 1


@pytest.mark.parametrize(
    "reference",
    [
        "nothing",
        "local/none/None",
        "7a5ad157-04a5-4a53-b7a3-0a8be41e9b7e",
        "a%00b",
        "a/%00",
        "%ff%fe/x",
        "a/%ed%a0%80",
        "x" * 5000,
        "a/" * 2000 + "b",
    ],
)
def test_an_unknown_job_is_a_404(call, hello, reference):
    answer = call("GET", f"/jobs/{reference}")
    assert answer.status_code == 404
    assert "detail" in answer.json


def test_a_class_called_run_is_a_job_like_others(call, make_job):
    make_job("local/errands/run")
    assert call("GET", "/jobs/local/errands/run").json["name"] == "run"
    assert call("POST", "/jobs/local/errands/run/run", json={}).status_code == 201


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_hold_every_job_once_in_order(call, make_job, limit):
    paths = sorted(f"local/m{n}/J" for n in range(7))
    for path in reversed(paths):
        make_job(path)
    pages = follow(call, f"/jobs?limit={limit}")
    assert [job["class_path"] for page in pages for job in page] == paths
    assert all(0 < len(page) <= limit for page in pages)


@pytest.mark.parametrize(
    ("query", "name"),
    [("limit=0", "limit"), ("limit=x", "limit"), ("limit=-1", "limit"), ("limit=1&limit=2", "limit"),
     ("limit=" + "9" * 5000, "limit"), ("after=a&after=b", "after"), ("after=%00", "after"), ("qq=x", "qq"), ("limit=٣", "limit")],
)  # fmt: skip
def test_parameters_that_cannot_be_meant_are_refused_by_name(call, query, name):
    answer = call("GET", f"/jobs?{query}")
    assert answer.status_code == 422
    assert list(answer.json["errors"]) == [name]


def test_fields_that_name_none_are_all_of_them(call, hello):
    path = f"/jobs/{hello.id}"
    assert call("GET", f"{path}?fields=%09,").json == call("GET", path).json
