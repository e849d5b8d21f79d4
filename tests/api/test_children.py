"""What a run has asked for of other jobs, by the API."""

import uuid

import pytest

from store.models import FanOut, Gathering, JobResult


@pytest.fixture
def parent(db, plain, make_result) -> JobResult:
    result = make_result(status="failed", gathers="ready")
    db.add(Gathering(result_id=result.id, method="", size=3, total=3))
    call = FanOut(id=uuid.uuid4(), result_id=result.id, class_path=plain.class_path, stop_cause="")
    db.add(call)
    db.commit()
    for number, status in enumerate(("completed", "failed", "completed"), 1):
        of = {"parent_id": result.id, "map_number": number, "origin": "map", "origin_id": call.id}
        make_result(status=status, return_value=number, attempt=3, attempts_before=1, **of)
    return result


def test_children_are_listed_by_their_numbers(call, parent):
    first = call("GET", f"/results/{parent.id}/children?limit=2").json
    assert [(child["number"], child["status"], child["return_value"]) for child in first["results"]] == [
        (1, "completed", 1),
        (2, "failed", 2),
    ]
    assert (first["counts"], first["asked"], first["again_of"]) == ({"completed": 2, "failed": 1}, 3, None)
    assert first["results"][0]["attempt"] == 2
    rest = call("GET", first["next"].removeprefix("/api/v1")).json
    assert ([child["number"] for child in rest["results"]], rest["next"]) == ([3], None)
    failed = call("GET", f"/results/{parent.id}/children?status=failed").json
    assert [child["number"] for child in failed["results"]] == [2]
    assert failed["counts"]["completed"] == 2, "of all of them"


def test_those_that_did_not_complete_are_run_again(call, parent, db):
    answer = call("POST", f"/results/{parent.id}/children/again")
    assert answer.status_code == 201, answer.text
    made = answer.json["id"]
    assert answer.json["cause"] == "It waits for its run."
    told = call("GET", f"/results/{made}/children").json
    assert (told["results"], told["asked"], told["again_of"]) == ([], 1, str(parent.id))
    refused = call("POST", f"/results/{made}/children/again")
    assert (refused.status_code, "has not ended" in refused.text) == (422, True)
