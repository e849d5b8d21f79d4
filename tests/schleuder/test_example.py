"""The example: its registry, its plugins and what they ask for, from end to end."""

import pytest

from tests.worker.conftest import Portal, on_sqlite
from tests.worker.test_fan_out import children_of, execute_children

pytestmark = pytest.mark.in_turn


def test_a_backup_of_each_device_runs_and_is_summed_up(plugins: Portal):
    arguments = {"sot": True, "site": "lab", "exclude": {"devices": ["spare.lab"]}}
    asked = {"arguments": arguments, "preprocessing": "devices_of_site"}
    parent = plugins.run("simple_config_backup", raw={**asked, "postprocessing": "summarize_backups"})
    assert (parent.status, parent.cause) == ("pending", "It waits for its 3 runs.")
    children = {
        child.data["arguments"]["device"]["name"]: child for child in execute_children(plugins, parent)
    }
    assert {name: child.status for name, child in children.items()} == {
        "core1.lab": "completed",
        "core2.lab": "completed",
        "edge1.lab": "errored",
    }
    saved = children["core2.lab"]
    assert saved.return_value == "! saved by jobschleuder\nhostname core2.lab\nversion 17.6"
    assert plugins.messages(saved) == [
        ("info", "core2.lab", "backup connects"),
        ("success", "core2.lab", "3 lines are saved"),
    ]
    told = plugins.execute(parent)
    assert (told.status, told.cause) == ("failed", "1 of 3 runs did not complete.")
    assert plugins.messages(told) == [("error", "summarize_backups", "No backup of edge1.lab")]
    assert [child.origin for child in children_of(plugins, parent)] == ["map"] * 3


@on_sqlite
def test_hello_is_said(plugins: Portal):
    result = plugins.run("hello_world", raw={"arguments": {"hello": "world"}})
    assert (result.status, plugins.messages(result)) == ("completed", [("success", "run", "Hello world")])
    record = plugins.jobs["hello_world"]
    assert (record.class_path, record.dialect) == ("local/plugins.hello_world/hello_world", "schleuder")
    assert record.description == "Say hello to what `hello` names."
    ours = {name for name, job in plugins.jobs.items() if job.source == "local"}
    assert ours == {"hello_world", "simple_config_backup"}, "what is listed as preprocessing is no job"
