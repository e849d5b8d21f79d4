"""The tables of docs/asvs.md are whole, and name what there is; so does that of protections in docs/security.md."""

import re
from pathlib import Path

from benchmarks.soak.guards import misplaced
from benchmarks.soak.unguarded import UNGUARDED

ROOT = Path(__file__).resolve().parent.parent
PROTECTIONS = 35


#: How many requirements of levels 1 and 2 each section of ASVS 5.0.0 has; those of level 3 have the numbers after them.
SECTIONS = """
    1.1:2 1.2:9 1.3:11 1.4:3 1.5:2 2.1:3 2.2:3 2.3:4 2.4:1 3.2:2 3.3:4 3.4:6 3.5:5 3.7:2 4.1:3 4.2:1 4.3:2 4.4:4 5.1:1 5.2:3 5.3:2
    5.4:3 6.1:3 6.2:12 6.3:4 6.4:4 6.5:5 6.6:3 6.8:4 7.1:3 7.2:4 7.3:2 7.4:5 7.5:2 7.6:2 8.1:2 8.2:3 8.3:1 8.4:1 9.1:3 9.2:4
    10.1:2 10.2:2 10.3:4 10.4:11 10.5:5 10.6:2 10.7:3 11.1:2 11.2:3 11.3:3 11.4:4 11.5:1 11.6:1 12.1:3 12.2:2 12.3:4 13.1:1 13.2:5
    13.3:2 13.4:5 14.1:2 14.2:4 14.3:3 15.1:3 15.2:3 15.3:7 16.1:1 16.2:5 16.3:4 16.4:3 16.5:3 17.1:1 17.2:4 17.3:2
"""
REQUIRED = {
    f"{section}.{number}"
    for section, _, many in (each.partition(":") for each in SECTIONS.split())
    for number in range(1, int(many) + 1)
}
TABLES = {"What is done": 4, "What is not done, or not in full": 3, "What does not apply": 2}


def tables() -> dict[str, list[list[str]]]:
    """Return the rows of each table of docs/asvs.md by its title, without heads and the names of chapters."""
    found: dict[str, list[list[str]]] = {}
    for part in (ROOT / "docs" / "asvs.md").read_text().split("\n## ")[1:]:
        title, *lines = part.splitlines()
        cells = [
            [cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")
        ]
        found[title] = [row for row in cells[1:] if not row[0].startswith("**")]
    return found


def ids_of(rows: list[list[str]]) -> list[tuple[str, bool]]:
    """Return each id, and whether it is said to be of level 3."""
    return [
        (of, bool(level)) for row in rows for of, level in re.findall(r"(\d+\.\d+\.\d+)( \(L3\))?", row[0])
    ]


def test_each_requirement_of_levels_1_and_2_stands_there_once():
    assert len(REQUIRED) == 70 + 183
    found = [each for rows in tables().values() for each in ids_of(rows)]
    assert sorted(of for of, third in found if not third) == sorted(REQUIRED)
    further = [of for of, third in found if third]
    assert len(set(further)) == len(further)
    assert not set(further) & REQUIRED


def test_the_counts_are_those_of_the_tables():
    counts = [sum(not third for _, third in ids_of(rows)) for rows in tables().values()]
    said = re.search(
        r"Of (\d+) requirements on these levels (\d+) are met, (\d+) are not, or not in full, and (\d+) do not apply",
        (ROOT / "docs" / "asvs.md").read_text(),
    )
    assert said is not None
    assert [int(number) for number in said.groups()] == [sum(counts), *counts]


def test_each_file_and_each_test_of_the_tables_is_there():
    found = tables()
    assert {title: len(rows[0]) for title, rows in found.items()} == TABLES
    problems = []
    for title, rows in found.items():
        for ids, what, *more in rows:
            assert what, ids
            for where in more[0].split("<br>") if more else ():
                if not where or not (ROOT / where).exists():
                    problems.append(f"{ids}: no file {where}")
            for test in more[1].split("<br>") if title == "What is done" else ():
                if not is_test(test):
                    problems.append(f"{ids}: no test {test}")
    assert problems == []


def is_test(named: str) -> bool:
    file, _, name = named.partition("::")
    path = ROOT / file
    return path.is_file() and bool(re.search(rf"^def {name}\(", path.read_text(), re.M))


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
