"""Discovery: what is found, what is wrong with the rest, and that nothing hides anything."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from jobs.loading import Source
from store.models import JobRecord, JobSource, LoadError
from store.settings import Settings
from worker.discover import Found, discover
from worker.refresh import refresh, refresh_module


def found_in(*folders: Path, seconds: float = 10) -> dict[str, Found]:
    source = Source("local", folders=tuple(str(folder) for folder in folders))
    return {
        f"{module.module}@{Path(module.path).parent.name}": module
        for module in discover([source], module_seconds=seconds)
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "my jobs"
    path.mkdir()
    (path / "good.py").write_text(
        "from jobs import Job\nname = 'Good ones'\nclass B(Job): pass\nclass A(Job): pass\n"
    )
    return path


def only_module(folder: Path, text: str, seconds: float = 10) -> Found:
    (folder / "other.py").write_text(text)
    found = found_in(folder, seconds=seconds)
    assert [job["class_name"] for job in found["good@my jobs"].jobs] == ["A", "B"], "nothing else is hidden"
    return found["other@my jobs"]


def test_a_module_names_the_group_of_its_jobs(folder: Path):
    (folder / "plain.py").write_text("from jobs import Job\nclass C(Job): pass\n")
    found = found_in(folder)
    assert found["good@my jobs"].jobs[0]["grouping"] == "Good ones"
    assert found["plain@my jobs"].jobs[0]["grouping"] == "plain"
    assert len(found["plain@my jobs"].digest) == 64


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def f(:", "SyntaxError"),
        ("import no_such_package", "No module named 'no_such_package'"),
        ("raise RuntimeError('at import')", "RuntimeError: at import"),
        ("import sys; sys.exit(3)", "it calls exit(3)"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import os; os._exit(3)", "ended the process that loaded it"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended the process that loaded it"),
        ("def f(): f()\nf()", "RecursionError"),
    ],
)
def test_a_broken_file_is_told_and_hides_nothing_else(folder: Path, text: str, said: str):
    module = only_module(folder, text)
    [error] = module.errors
    assert said in error["message"]
    assert str(folder / "other.py") in error["message"]


def test_an_endless_import_is_stopped_and_says_where_it_was(folder: Path):
    module = only_module(folder, "def spin():\n    while True: pass\nspin()\n", seconds=1)
    [error] = module.errors
    assert "was still loading after 1 seconds" in error["message"]
    assert "in spin" in error["traceback"]


def test_a_traceback_begins_in_the_authors_file(folder: Path):
    module = only_module(folder, "def f():\n    1 / 0\nf()\n")
    assert "importlib" not in module.errors[0]["traceback"]
    assert 'other.py", line 2, in f' in module.errors[0]["traceback"]


def test_what_a_file_prints_does_no_harm(folder: Path):
    module = only_module(
        folder,
        "import os\nprint('{}')\nos.write(1, b'x' * 100000)\nfrom jobs import Job\nclass C(Job): pass\n",
    )
    assert [job["class_name"] for job in module.jobs] == ["C"]


@pytest.mark.parametrize(
    "text",
    [
        "raise RuntimeError('a\\x00b\\ud800')",
        "from jobs import Job\nclass C(Job):\n    class Meta:\n        name = 'a\\x00b\\ud800'\n",
        "import os\nfor fd in range(3, 20):\n    try: os.write(fd, b'no json\\n[1]\\n')\n    except OSError: pass\n",
        "from jobs import Job\nC = type('C' * 101, (Job,), {})\n",
    ],
)
def test_no_file_can_break_the_refresh_of_the_others(
    db: Session, settings: Settings, folder: Path, text: str
):
    (folder / "other.py").write_text(text)
    report = refresh(db, replace(settings, jobs_roots=(folder,)))
    assert {"local/good/A", "local/good/B"} <= set(report.new)


def test_two_classes_of_one_name_are_told(folder: Path):
    module = only_module(
        folder,
        "from jobs import Job\nfirst = type('Twin', (Job,), {})\nsecond = type('Twin', (Job,), {})\njobs = [first, second]\n",
    )
    assert [job["class_name"] for job in module.jobs] == ["Twin"]
    assert "another class" in module.errors[0]["message"]


def test_choices_that_can_be_read_once_are_kept(folder: Path):
    module = only_module(
        folder, "from jobs import ChoiceVar, Job\nclass C(Job):\n    v = ChoiceVar(choices=zip('ab', 'AB'))\n"
    )
    assert module.jobs[0]["variables"][0]["choices"] == [["a", "A"], ["b", "B"]]


def test_a_file_that_eats_memory_is_stopped(folder: Path):
    module = only_module(folder, "hog = bytearray(16 * 1024 ** 3)\n")
    assert "MemoryError" in module.errors[0]["message"]


def test_one_bad_class_leaves_the_others(folder: Path):
    module = only_module(
        folder,
        "from jobs import Job, StringVar\n"
        "class Bad(Job):\n    v = StringVar(regex='(')\n"
        "class Odd(Job):\n    v = StringVar(default=object())\n"
        "class Fine(Job): pass\n",
    )
    assert [job["class_name"] for job in module.jobs] == ["Fine"]
    assert [error["message"].split(" ")[0] for error in module.errors] == ["Bad", "Odd"]


def test_siblings_may_import_each_other_and_stay_one_class(folder: Path):
    (folder / "aaa.py").write_text("from good import A\nclass Sub(A): pass\n")
    (folder / "zzz.py").write_text(
        "from .good import A as X\nimport good\nassert good.A is X\nclass Last(X): pass\n"
    )
    found = found_in(folder)
    assert [job["class_name"] for job in found["aaa@my jobs"].jobs] == ["Sub"]
    assert [job["class_name"] for job in found["zzz@my jobs"].jobs] == ["Last"]


FUNCTIONS = """
from jobs import job
from good import A
@job
def first(): pass
@job
def second_one(): pass
@job
def third(where: complex): pass
"""


def test_functions_are_jobs_beside_classes(folder: Path):
    (folder / "zzz.py").write_text("from other import first\nfrom jobs import Job\nclass Last(Job): pass\n")
    module = only_module(folder, FUNCTIONS)
    assert [job["class_name"] for job in module.jobs] == ["First", "SecondOne"]
    assert [error["message"].split(" ")[0] for error in module.errors] == ["Third"]
    assert [job["class_name"] for job in found_in(folder)["zzz@my jobs"].jobs] == ["Last"]


def test_a_list_of_jobs_may_name_functions(folder: Path):
    module = only_module(folder, f"{FUNCTIONS}\njobs = [second_one, A]\n")
    assert [job["class_name"] for job in module.jobs] == ["A", "SecondOne"]
    assert module.errors == []


def test_a_sibling_never_shadows_an_installed_package(folder: Path):
    (folder / "json.py").write_text("raise RuntimeError('the wrong json')\n")
    module = only_module(folder, "import json\njson.dumps({})\nfrom jobs import Job\nclass C(Job): pass\n")
    assert module.errors == []


def test_bases_are_listed_only_when_they_are_jobs(folder: Path):
    module = only_module(
        folder,
        "from jobs import BaseJob, Job\nclass Hidden(BaseJob): pass\nclass Base(Job): pass\nclass Leaf(Base): pass\n",
    )
    assert [job["class_name"] for job in module.jobs] == ["Base", "Leaf"]


def test_of_two_files_with_one_name_the_second_is_refused_with_both_paths(folder: Path, tmp_path: Path):
    second = tmp_path / "second"
    second.mkdir()
    (second / "good.py").write_text("from jobs import Job\nclass Z(Job): pass\n")
    found = found_in(folder, second)
    assert [job["class_name"] for job in found["good@my jobs"].jobs] == ["A", "B"]
    message = found["good@second"].errors[0]["message"]
    assert str(second / "good.py") in message
    assert str(folder / "good.py") in message


def test_modules_come_by_name_and_classes_too(folder: Path):
    for name in ("zeta", "alpha"):
        (folder / f"{name}.py").write_text("from jobs import Job\nclass Z(Job): pass\nclass A(Job): pass\n")
    found = found_in(folder)
    assert [module.module for module in found.values()] == ["alpha", "good", "zeta"]
    assert [job["class_name"] for job in found["zeta@my jobs"].jobs] == ["A", "Z"]


def test_packages_are_modules_and_odd_names_are_told(folder: Path):
    package = folder / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("from .inner import C\n")
    (package / "inner.py").write_text("from jobs import Job\nclass C(Job): pass\n")
    (folder / "not-a-name.py").write_text("")
    (folder / "notes.txt").write_text("no job")
    found = found_in(folder)
    assert [job["class_name"] for job in found["pack@pack"].jobs] == ["C"]
    assert "cannot be imported" in found["not-a-name@my jobs"].errors[0]["message"]


def test_job_files_do_not_see_what_opens_the_portal(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SECRET_KEY", "hush")
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret@nowhere/x")
    module = only_module(
        folder, "import os\nassert not {'SECRET_KEY', 'DATABASE_URL', 'ERRAND_INSTANCE'} & set(os.environ)\n"
    )
    assert module.errors == []


def test_a_missing_folder_is_no_error(tmp_path: Path):
    assert found_in(tmp_path / "nowhere") == {}


def test_refresh_keeps_records_and_errors_up_to_date(
    db: Session, settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    settings = replace(settings, jobs_roots=(folder,))
    (folder / "broken.py").write_text("def f(:")
    report = refresh(db, settings)
    assert (report.jobs, sorted(report.new)) == (2, ["local/good/A", "local/good/B"])
    records = {record.class_name: record for record in db.query(JobRecord)}
    assert [(r.enabled, r.installed, r.grouping) for r in records.values()] == [
        (False, True, "Good ones")
    ] * 2
    assert [error.module for error in db.query(LoadError)] == ["broken"]
    assert [source.name for source in db.query(JobSource)] == ["local"]

    records["A"].enabled = True
    db.commit()
    (folder / "broken.py").unlink()
    (folder / "good.py").write_text("from jobs import Job\nclass A(Job):\n    description = 'new'\n")
    report = refresh(db, settings, enable_new=True)
    assert (report.new, report.gone, report.errors) == ([], ["local/good/B"], [])
    db.expire_all()
    assert (records["A"].enabled, records["A"].description) == (True, "new")
    assert (records["B"].installed, records["A"].id) == (False, records["A"].id)
    assert db.query(LoadError).all() == []


def test_jobs_of_one_name_in_one_group_get_numbers(db: Session, settings: Settings, tmp_path: Path):
    twins = "from jobs import Job\nname = 'G'\nclass {0}(Job):\n    class Meta: name = 'n' * 100\n"
    for module in ("a", "b", "c"):
        (tmp_path / f"{module}.py").write_text(twins.format(module.upper()))
    (tmp_path / "other.py").write_text(twins.format("Other").replace("'G'", "'H'"))
    for _ in range(2):
        refresh(db, replace(settings, jobs_roots=(tmp_path,)))
        names = {record.class_name: record.name.lstrip("n") for record in db.query(JobRecord)}
        assert names == {"A": "", "B": " (2)", "C": " (3)", "Other": ""}
    assert {len(record.name) for record in db.query(JobRecord)} == {100}

    (tmp_path / "b.py").write_text(twins.format("B").replace("'n' * 100", "'n' * 99 + 'm'"))
    source = Source("local", (str(tmp_path),))
    refresh_module(db, settings, source, "b")
    assert db.query(JobRecord).filter_by(class_name="B").one().name.endswith("nm")
    (tmp_path / "b.py").write_text(twins.format("B"))
    refresh_module(db, settings, source, "b")
    assert db.query(JobRecord).filter_by(class_name="B").one().name.endswith("n (2)")
