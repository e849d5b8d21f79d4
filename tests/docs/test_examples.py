"""The examples: each folder stands in their table, with a command that starts it and jobs that are found."""

import re
import shlex
from collections.abc import Iterator

import pytest

from examples.inventory.models import Device
from jobs.loading import Source
from store.settings import PROJECT_ROOT
from tests.docs.shell_lines import wrong_with_command
from webapp.cli import main
from worker.discover import discover
from worker.testing import errand_data, run_job

EXAMPLES = PROJECT_ROOT / "examples"

ROW = re.compile(r"^\| \[(\w+)\]\((\w+)/README\.md\) \| .+ \| `\./errand (.+)` \|$", re.M)

#: It needs a package that is not installed, and says so: that is what it shows.
CANNOT_LOAD = {"leaks"}


@pytest.fixture(scope="module")
def commands() -> dict[str, list[str]]:
    """What stands in the table: `{folder: words of its command}`."""
    rows = ROW.findall((EXAMPLES / "README.md").read_text("utf-8"))
    assert all(folder == linked for folder, linked, _ in rows)
    return {folder: shlex.split(command) for folder, _, command in rows}


def test_each_folder_has_one_command_that_there_is(commands: dict[str, list[str]]):
    folders = {path.parent.name for path in EXAMPLES.glob("*/README.md")}
    assert set(commands) == folders
    assert folders == {path.name for path in EXAMPLES.iterdir() if path.is_dir() and path.name[0] not in "._"}
    for folder, words in commands.items():
        assert wrong_with_command(main, words) == "", folder
        readme = (EXAMPLES / folder / "README.md").read_text("utf-8")
        assert f"./errand {shlex.join(words)}\n" in readme or folder == "inventory", folder


def test_the_jobs_of_each_are_found(commands: dict[str, list[str]]):
    for folder, words in commands.items():
        if "--jobs" not in words:
            continue
        place = words[words.index("--jobs") + 1]
        assert place == f"examples/{folder}"
        found = discover([Source("local", (str(PROJECT_ROOT / place),))], plugins=["examples.inventory"])
        assert sum(len(each.jobs) for each in found) > 0, folder
        broken = {each.module: each.errors[0]["message"] for each in found if each.errors}
        assert broken.keys() <= CANNOT_LOAD, f"{folder}: {broken}"


# --- What they do ---


@pytest.fixture
def demo() -> Iterator[None]:
    with errand_data(load_demo=True):
        yield


def in_folder(folder: str) -> dict[str, tuple[str, ...]]:
    return {"folders": (str(EXAMPLES / folder),)}


@pytest.mark.usefixtures("demo")
def test_the_best_of_puts_what_is_in_order_into_service_or_nothing():
    site = Device.objects.filter(status__slug="planned", site__name="Ghent").first().site
    given = {"site": site.slug, "ticket": "CHG-1234", "password": "sesame", "seconds": 0, "tolerated": 3}
    run = run_job("local/handover/HandOverSite", given, **in_folder("best_of"))
    assert run.status == "completed", str(run)
    bad = [child for child in run.children if child.status != "completed"]
    assert run.return_value == {"in service": 30 - len(bad), "left out": len(bad)}
    assert run.files["devices.csv"].count(b"\n") == 31
    planned = Device.objects.filter(status__slug="planned", site=site)
    assert planned.count() == len(bad)
    assert 0 < len(bad) <= 3, "what the README tells of"
    again = run_job("local/handover/HandOverSite", {**given, "tolerated": 0}, **in_folder("best_of"))
    assert (again.status, planned.count()) == ("failed", len(bad)), str(again)


def test_those_of_errand_itself_run(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "large.log").write_bytes(b"x" * 3_000_000)
    (tmp_path / "small.txt").write_text("small")
    run = run_job("local/folders/LargestFiles", {"folder": str(tmp_path), "count": 1}, **in_folder("errand"))
    assert run.status == "completed", str(run)
    assert run.logged("success", "**2** files with 2.9 MB")
    nowhere = run_job("local/folders/LargestFiles", {"folder": "/not/there"}, **in_folder("errand"))
    assert nowhere.status == "failed"
    given = {"file": b"abc", "method": "md5", "expected": "900150983cd24fb0d6963f7d28e17f72"}
    assert run_job("local/checksums/Checksum", given, **in_folder("errand")).status == "completed"
    other = run_job("local/checksums/Checksum", {**given, "expected": "0" * 32}, **in_folder("errand"))
    assert (other.status, "Another one was expected" in other.cause) == ("failed", True)


@pytest.mark.usefixtures("demo")
def test_those_of_nautobot_run():
    site = Device.objects.filter(site__name="Bern").first().site
    devices = Device.objects.filter(site=site)
    given = {"site": site.pk, "devices": list(devices.values_list("pk", flat=True)), "prefix": "Core"}
    run = run_job("local/renaming/RenameDevices", given, commit=False, **in_folder("nautobot"))
    assert (run.status, devices.filter(name__startswith="core-").count()) == ("failed", 0)
    run = run_job("local/renaming/RenameDevices", given, **in_folder("nautobot"))
    assert run.logged("failure", "already")
    assert devices.filter(name__startswith="core-").count() > 1
    assert run_job("local/renaming/SerialNumbers", **in_folder("nautobot")).status == "completed"
    key = devices.filter(status__slug="active").first().pk
    dry = run_job("local/decommissioning/DecommissionDevices", {"devices": [key]}, **in_folder("nautobot"))
    assert (dry.return_value, Device.objects.get(pk=key).status.slug) == ({"changed": 1}, "active")
    for expected in ("completed", "failed"):
        given = {"devices": [key], "dryrun": False}
        run = run_job("local/decommissioning/DecommissionDevices", given, **in_folder("nautobot"))
        assert run.status == expected, str(run)
    assert Device.objects.get(pk=key).status.slug == "decommissioning"
