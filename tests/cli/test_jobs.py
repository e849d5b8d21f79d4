import json

import pytest

from webapp.api.shapes import jobs as shapes

HELLO = "local/hello/Hello"
BRANCH = "plugins/branch/NewBranch"


@pytest.fixture
def two_jobs(make_job):
    return make_job(HELLO), make_job(BRANCH, enabled=True)


def enabled(db, *records):
    db.rollback()
    db.expire_all()
    found = [record.enabled for record in records]
    db.rollback()
    return found


def test_list_shows_every_job_in_a_line(errand, two_jobs, make_job):
    make_job("local/old/Gone", installed=False)
    assert errand("jobs", "list").stdout.splitlines() == [
        f"{HELLO}\tdisabled\tHello",
        "local/old/Gone\tnot installed\tGone",
        f"{BRANCH}\tenabled\tNewBranch",
    ]


def test_list_prints_json_as_the_api_shapes_it(errand, two_jobs):
    assert json.loads(errand("jobs", "list", "--json").stdout) == [shapes.job(record) for record in two_jobs]


def test_list_of_nothing_prints_nothing(errand):
    assert errand("jobs", "list").output == ""
    assert json.loads(errand("jobs", "list", "--json").stdout) == []


def test_enable_and_disable_change_what_they_name(errand, db, two_jobs):
    assert errand("jobs", "enable", HELLO, BRANCH).stderr == "Enabled 1 job.\n"
    assert enabled(db, *two_jobs) == [True, True]
    assert errand("jobs", "disable", BRANCH).exit_code == 0
    assert enabled(db, *two_jobs) == [True, False]


def test_enable_and_disable_all(errand, db, two_jobs):
    assert errand("jobs", "enable", "--all").exit_code == 0
    assert enabled(db, *two_jobs) == [True, True]
    assert errand("jobs", "disable", "--all").stderr == "Disabled 2 jobs.\n"
    assert enabled(db, *two_jobs) == [False, False]


def test_enable_all_leaves_out_what_is_not_installed(errand, db, make_job):
    gone = make_job("local/old/Gone", installed=False)
    errand("jobs", "enable", "--all")
    assert enabled(db, gone) == [False]


def test_enable_changes_nothing_when_one_of_the_jobs_is_unknown(errand, db, two_jobs):
    outcome = errand("jobs", "enable", HELLO, "plugins/branch/NewBrunch")
    assert outcome.exit_code == 1
    assert f"Did you mean {BRANCH}?" in outcome.stderr
    assert enabled(db, *two_jobs) == [False, True]


def test_enable_says_how_to_see_the_jobs_when_nothing_is_near(errand):
    assert "jobs list" in errand("jobs", "enable", "zzz").stderr


@pytest.mark.parametrize("arguments", [(), (HELLO, "--all")])
@pytest.mark.parametrize("command", ["enable", "disable"])
def test_enable_and_disable_want_either_names_or_all(errand, two_jobs, command, arguments):
    assert errand("jobs", command, *arguments).exit_code == 2


SOUND = "from jobs import Job\n\n\nclass Sound(Job):\n    pass\n"


def test_refresh_finds_jobs_and_names_every_file_that_cannot_be_loaded(errand, monkeypatch, tmp_path):
    broken = {"syntax.py": "def (:\n", "imports.py": "import no_such_module_anywhere\n"}
    for name, text in {"sound.py": SOUND, **broken}.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("JOBS_ROOT", str(tmp_path))
    outcome = errand("jobs", "refresh")
    assert (outcome.exit_code, outcome.stdout) == (1, "1 job, 1 new.\n")
    assert len(outcome.stderr.splitlines()) == len(broken)
    for name in broken:
        assert outcome.stderr.count(str(tmp_path / name)) == 1, "each file is named, once"
    assert "no_such_module_anywhere" in outcome.stderr
    assert errand("jobs", "list").stdout == "local/sound/Sound\tdisabled\tSound\n"
    assert errand("jobs", "refresh").stdout == "1 job, 0 new.\n"


def test_refresh_of_sound_folders_ends_well(errand, monkeypatch, tmp_path):
    (tmp_path / "sound.py").write_text(SOUND)
    monkeypatch.setenv("JOBS_ROOT", str(tmp_path))
    outcome = errand("jobs", "refresh")
    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (0, "1 job, 1 new.\n", "")
