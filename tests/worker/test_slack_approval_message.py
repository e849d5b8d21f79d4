"""The message about a run that waits for an approval, as Slack takes it."""

from uuid import uuid4

from slack_sdk.models.blocks import Block

from store.models import Approval, JobRecord, JobResult
from worker.slack.approval_message import blocks_of, decided_blocks_of, text_of

HOSTILE = "Deploy <!channel> & <@U1>"


def a_run(name: str = HOSTILE) -> JobResult:
    return JobResult(
        id=uuid4(), name=name, username="alice", data={"token": "hush"}, status="awaiting_approval"
    )


def checked(blocks: list[dict]) -> str:
    """Return all that the blocks say, once Slack's own library takes them."""
    for block in Block.parse_all(blocks):
        block.validate_json()
    return str(blocks)


def buttons(blocks: list[dict]) -> dict[str, dict]:
    elements = [each for block in blocks for each in block.get("elements", ())]
    return {each["action_id"]: each for each in elements}


def test_it_asks_for_a_decision_and_tells_the_inputs_to_nobody():
    run = a_run()
    blocks = blocks_of(run, JobRecord(has_plan=False), "https://errand.example.com")
    said = checked(blocks)
    assert "hush" not in said
    assert "<!channel>" not in said + text_of(run)
    assert "&lt;!channel&gt; &amp; &lt;@U1&gt;" in said
    found = buttons(blocks)
    assert [found["errand.approve"]["value"], found["errand.deny"]["value"]] == [str(run.id)] * 2
    assert found["errand.open"]["url"] == f"https://errand.example.com/approvals/{run.id}"


def test_what_has_a_plan_is_decided_on_in_the_portal():
    planned = JobRecord(has_plan=True)
    found = buttons(blocks_of(a_run(), planned, "https://errand.example.com"))
    assert set(found) == {"errand.open"}
    assert [block["type"] for block in blocks_of(a_run(), planned, "")] == ["section"]


def test_a_decision_stands_in_its_place():
    denial = Approval(decision="denied", decided_by="bob", comment="Not <now>.\n" + "&" * 4_000)
    said = checked(decided_blocks_of(a_run("Deploy"), denial, ""))
    assert "Denied by bob" in said
    assert ">Not &lt;now&gt;." in said
    assert "errand.approve" not in said
