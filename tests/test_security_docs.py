"""The table of docs/asvs.md names what there is."""

import re
from pathlib import Path

from benchmarks.soak.guards import misplaced
from benchmarks.soak.unguarded import UNGUARDED

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = 17
PROTECTIONS = 35


def rows() -> list[list[str]]:
    lines = (ROOT / "docs" / "asvs.md").read_text().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][
        1:
    ]


def test_each_file_and_each_test_of_the_table_is_there():
    found = rows()
    assert len(found) > 80
    problems = []
    for ids, what, where, test in found:
        if ids.startswith("**") and not what:
            continue
        if not where or not (ROOT / where).exists():
            problems.append(f"{ids}: no file {where}")
        if not test:
            if not what.startswith("not "):
                problems.append(f"{ids}: no test")
            continue
        file, _, name = test.partition("::")
        if not (ROOT / file).is_file() or not re.search(rf"^def {name}\(", (ROOT / file).read_text(), re.M):
            problems.append(f"{ids}: no test {test}")
    assert problems == []


def test_each_protection_names_the_tests_that_miss_it():
    """As `./errand soak guards` has them, which takes longer than a test may."""
    lines = (ROOT / "docs" / "security.md").read_text().splitlines()
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    protections = [cells for cells in found if len(cells) == 5 and cells[0].isdecimal()]
    assert [int(cells[0]) for cells in protections] == list(range(1, PROTECTIONS + 1))
    assert {row for row, _ in UNGUARDED} == set(range(1, PROTECTIONS + 1))
    for number, what, changes, tests, seen in protections:
        of_row = {test: removals for (row, test), removals in UNGUARDED.items() if row == int(number)}
        assert tests.split("<br>") == list(of_row), number
        assert int(changes) == sum(map(len, of_row.values())), number
        assert what
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", seen), number


def test_what_is_taken_out_is_written_so_and_its_test_is_there():
    for (row, test), removals in UNGUARDED.items():
        file, _, name = test.partition("::")
        assert re.search(rf"^def {name}\(", (ROOT / file).read_text(), re.M), test
        assert removals, row
        for each in removals:
            assert misplaced(each, ROOT) == ""
            if each.file.endswith(".py"):
                # What could not even be read would fail whatever it does.
                compile(
                    (ROOT / each.file).read_text("utf-8").replace(each.text, each.instead), each.file, "exec"
                )


def test_each_chapter_has_rows():
    ids = " ".join(row[0] for row in rows())
    missing = [number for number in range(1, CHAPTERS) if not re.search(rf"\b{number}\.\d", ids)]
    assert (missing, "V17" in ids) == ([], True)
