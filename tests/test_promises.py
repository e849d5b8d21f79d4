"""The tables of the docs on other systems name every promise, and tests that are there."""

import re
from collections.abc import Iterator

import pytest

from store.settings import PROJECT_ROOT

TEXT = (PROJECT_ROOT / "docs" / "nautobot.md").read_text("utf-8")
ROWS = re.findall(r"^\| ((?:NB|CF)-.+?) \| .+? \| (.+) \|$", TEXT, re.MULTILINE)

BOTS = (PROJECT_ROOT / "docs" / "bots-scheduler.md").read_text("utf-8")
BOTS_ROWS = re.findall(r"^\| ((?:BS|CF|DC)-.+?) \| .+? \| (.*)\|$", BOTS, re.MULTILINE)

SCHLEUDER = (PROJECT_ROOT / "docs" / "jobschleuder.md").read_text("utf-8")
SCHLEUDER_ROWS = re.findall(r"^\| ((?:JS|CF|DC)-.+?) \| .+? \| (.*)\|$", SCHLEUDER, re.MULTILINE)

PROMISED_SCHLEUDER = {
    *(("JS", number) for number in range(1, 28)),
    *(("CF", number) for number in range(25, 28)),
    ("DC", 13),
}

PROMISED_BOTS = {
    *(("BS", number) for number in range(1, 45)),
    *(("CF", number) for number in range(13, 19)),
    *(("DC", number) for number in range(9, 12)),
}

BENNETTBOT = (PROJECT_ROOT / "docs" / "bennettbot.md").read_text("utf-8")
BENNETTBOT_ROWS = re.findall(r"^\| ((?:BB|CF|DC)-.+?) \| .+? \| (.*)\|$", BENNETTBOT, re.MULTILINE)

PROMISED_BENNETTBOT = {
    *(("BB", number) for number in range(1, 47)),
    *(("CF", number) for number in range(19, 25)),
    ("DC", 12),
}

#: What the command line in the shape of Nautobot will bring is promised elsewhere.
PROMISED = {
    *(("NB", number) for number in (1, *range(3, 118), *range(122, 125), *range(128, 147))),
    ("CF", 10),
}


def promises(cell: str) -> Iterator[tuple[str, int]]:
    """Yield the promises of "NB-48, 50 to 52, CF-1"."""
    kind = "NB"
    for part in cell.split(", "):
        named, dash, numbers = part.rpartition("-")
        kind = named if dash else kind
        first, _, last = numbers.partition(" to ")
        yield from ((kind, number) for number in range(int(first), int(last or first) + 1))


def test_every_promise_has_a_row_or_is_said_to_be_missing():
    missing = re.search(r"^Not there yet:.+?\n\n", TEXT, re.MULTILINE | re.DOTALL)
    told = re.findall(r"NB-[0-9, ]*[0-9]", missing[0]) if missing else []
    said = {promise for cell, _ in ROWS for promise in promises(cell)}
    assert sorted(PROMISED - said - {promise for cell in told for promise in promises(cell)}) == []


def test_every_promise_of_bots_scheduler_has_a_row():
    said = [promise for cell, _ in BOTS_ROWS for promise in promises(cell)]
    assert sorted(said) == sorted(PROMISED_BOTS)


def test_every_promise_of_bennettbot_has_a_row():
    said = [promise for cell, _ in BENNETTBOT_ROWS for promise in promises(cell)]
    assert sorted(said) == sorted(PROMISED_BENNETTBOT)


def test_every_promise_of_jobschleuder_has_a_row():
    said = [promise for cell, _ in SCHLEUDER_ROWS for promise in promises(cell)]
    assert sorted(said) == sorted(PROMISED_SCHLEUDER)


ALL_ROWS = [*ROWS, *BOTS_ROWS, *BENNETTBOT_ROWS, *SCHLEUDER_ROWS]


@pytest.mark.parametrize("tests", [tests for _, tests in ALL_ROWS], ids=[cell for cell, _ in ALL_ROWS])
def test_what_the_table_names_is_there(tests: str):
    file = ""
    for name in re.findall(r"`([^`]+)`", tests):
        if name.endswith("/"):
            assert (PROJECT_ROOT / name).is_dir()
            continue
        if ".py" in name:
            file, _, function = name.partition("::")
        else:
            function = name
        path = PROJECT_ROOT / (file if file.startswith("tests/") else f"tests/worker/{file}")
        assert not function or f"\ndef {function}(" in path.read_text("utf-8")
        assert path.is_file()
