"""The import names of other systems: which are served, where, and what is said of the rest."""

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import jobs
from jobs.loading import Source
from jobs.shims import finder
from jobs.shims.sanitizer import sanitize
from store.settings import PROJECT_ROOT
from worker.discover import Found, discover

MODULES = sorted(
    ".".join(path.relative_to(finder.SERVED).with_suffix("").parts).removesuffix(".__init__")
    for path in finder.SERVED.rglob("*.py")
)


def served(name: str) -> Any:
    """Import a module that is served as the house sees it."""
    return importlib.import_module(f"jobs.shims.served.{name}")


def found_in(folder: Path, text: str, **options: Any) -> Found:
    (folder / "tried.py").write_text(text)
    return next(
        found for found in discover([Source("local", (str(folder),))], **options) if found.module == "tried"
    )


def sentence_of(folder: Path, text: str, **options: Any) -> str:
    (error,) = found_in(folder, text, **options).errors
    return error["message"]


def served_in_a_process(program: str, **environment: str) -> str:
    program = f"from jobs.shims.finder import install_shims\ninstall_shims(['examples.inventory'])\n{program}"
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        check=True,
        capture_output=True,
        text=True,
        cwd=PROJECT_ROOT,
        env={**os.environ, **environment},
        timeout=60,
    ).stdout.strip()


def test_every_module_can_be_imported_by_its_name():
    names = served_in_a_process(
        f"import importlib\nfor name in {MODULES}: print(importlib.import_module(name).__name__)"
    )
    assert names.split() == MODULES


def test_nothing_is_served_where_no_job_files_run():
    program = (
        "import importlib.util, jobs, worker.submit, webapp.app; print(importlib.util.find_spec('nautobot'))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"


def test_the_star_exports_a_job_and_its_variables():
    kinds = "Boolean Choice File Integer IPAddress IPAddressWithMask IPNetwork JSON MultiChoice MultiObject Object String Text"
    expected = {"Job", *(f"{kind}Var" for kind in kinds.split())}
    assert set(served("nautobot.extras.jobs").__all__) == expected
    scripts = {"Script", "BaseScript", *expected} - {"Job", "JSONVar"}
    assert set(served("nautobot.extras.scripts").__all__) == scripts


def test_ways_to_import_the_same_thing_give_the_same_thing():
    program = (
        "from nautobot.apps import jobs; from nautobot.extras.jobs import Job, IntegerVar\n"
        "import jobs as house; import nautobot.extras.scripts as scripts\n"
        "from celery.exceptions import SoftTimeLimitExceeded\n"
        "from django.core.exceptions import ObjectDoesNotExist, ValidationError\n"
        "from django import forms; from django.forms.widgets import Textarea\n"
        "from nautobot.dcim.models import Site; from nautobot.apps.exceptions import AbortTransaction\n"
        "print(issubclass(jobs.Job, Job), IntegerVar is house.IntegerVar is scripts.IntegerVar,\n"
        "  SoftTimeLimitExceeded is house.SoftTimeLimitExceeded, issubclass(Site.DoesNotExist, ObjectDoesNotExist),\n"
        "  forms.Textarea is Textarea, AbortTransaction is house.AbortTransaction, Site.object_type)"
    )
    assert served_in_a_process(program) == "True True True True True True inventory.site"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("import nautobot.core.graphql", "nautobot.core.graphql is not served, because nautobot is not inst"),
        ("from nautobot.core import graphql", "install nautobot beside Errand, or change the import"),
        ("from django.db import models", "django.db.models is not served, because django is not installed"),
        ("from django.db.models import Q", "`Device.objects.filter(name__in=[...])`"),
        ("from django.contrib.auth.models import User", "`self.user` is who asked"),
        (
            "from celery import shared_task",
            "celery.shared_task is not served, because celery is not installed",
        ),
        ("from nautobot.extras.jobs import run_job", "nautobot.extras.jobs has no run_job: a run cannot ask"),
        ("from nautobot.apps.jobs import get_jobs", "nautobot.apps.jobs has no get_jobs"),
        ("from nautobot.extras.models import JobResult", "`self.job_result`"),
        ("from nautobot.extras.models import Job, JobLogEntry", "nautobot.extras.models has no Job:"),
        ("from nautobot.utilities.testing import run_job_for_testing", "docs/testing.md"),
        ("from nautobot.apps.testing import TransactionTestCase", "docs/testing.md"),
        ("from nautobot.extras.jobs import NoSuchVar", "cannot import name 'NoSuchVar'"),
        ("from nautobot.dcim.models import Rack", "no plugin of this portal has a model of that name"),
        ("from django.conf import settings\nsettings.DATABASES", "There is no setting DATABASES here"),
    ],
)
def test_what_is_not_served_is_told_with_what_to_do(tmp_path: Path, text: str, sentence: str):
    assert sentence in sentence_of(tmp_path, text, plugins=("examples.inventory",))


def test_models_are_those_of_the_plugins(tmp_path: Path):
    text = (
        "from nautobot.extras.jobs import *\nfrom nautobot.tenancy.models import Manufacturer\n"
        "class Picks(Job):\n    maker = ObjectVar(model=Manufacturer)\n"
    )
    (job,) = found_in(tmp_path, text, plugins=("examples.inventory",)).jobs
    assert job["variables"][0]["model"] == "inventory.manufacturer"
    assert "Models there are: none." in sentence_of(tmp_path, text)


def test_a_star_brings_all_models(tmp_path: Path):
    text = "from nautobot.dcim.models import *\nSite, Device, Status"
    assert found_in(tmp_path, text, plugins=("examples.inventory",)).errors == []


def test_of_several_models_of_one_name_the_one_of_that_application_counts(monkeypatch: pytest.MonkeyPatch):
    shared = {"dcim.rack": type("Rack", (), {}), "other.rack": type("Rack", (), {})}
    monkeypatch.setattr("jobs.shims.models._known", lambda: shared)
    assert served("nautobot.dcim.models").Rack is shared["dcim.rack"]
    with pytest.raises(ImportError, match=r"Several plugins have a model Rack: dcim.rack, other.rack"):
        served("nautobot.ipam.models").Rack  # noqa: B018


def test_an_installed_package_wins_and_is_not_added_to(tmp_path: Path):
    (tmp_path / "celery").mkdir()
    (tmp_path / "celery" / "__init__.py").write_text("mine = True")
    program = (
        "import celery; print(celery.mine)\n"
        "try: import celery.exceptions\nexcept ModuleNotFoundError as error: print(error)"
    )
    said = served_in_a_process(program, PYTHONPATH=str(tmp_path))
    assert said.splitlines() == ["True", "No module named 'celery.exceptions'"]


def test_an_authors_own_file_wins(tmp_path: Path):
    (tmp_path / "billiard.py").write_text("mine = 1")
    assert found_in(tmp_path, "import billiard\nbilliard.mine").errors == []


def test_of_a_file_that_registers_jobs_only_these_are_listed(tmp_path: Path):
    text = (
        "from nautobot.apps.jobs import Job, register_jobs\nfrom nautobot.core import celery\n"
        "class Base(Job): pass\nclass B(Base): pass\nclass A(Base): pass\n"
        "register_jobs(B)\nregister_jobs(A, B)\ncelery.register_jobs(A)\n"
    )
    assert [job["class_name"] for job in found_in(tmp_path, text).jobs] == ["A", "B"]


def test_a_module_called_jobs_is_no_list_of_jobs(tmp_path: Path):
    text = "from nautobot.apps import jobs\nclass A(jobs.Job):\n    x = jobs.StringVar()\n"
    assert [job["class_name"] for job in found_in(tmp_path, text).jobs] == ["A"]


def test_a_list_of_jobs_decides_alone(tmp_path: Path):
    text = "from nautobot.extras.jobs import Job\nclass A(Job): pass\nclass B(Job): pass\njobs = (B,)\n"
    assert [job["class_name"] for job in found_in(tmp_path, text).jobs] == ["B"]


def test_mixins_may_stand_on_the_base(tmp_path: Path):
    text = (
        "from nautobot.extras.jobs import BaseJob, Job, StringVar\n"
        "class Shared(BaseJob):\n    host = StringVar()\n    class Meta: hidden = True\n"
        "class A(Shared, Job):\n    port = StringVar()\n"
    )
    (job,) = found_in(tmp_path, text).jobs
    assert [one["name"] for one in job["variables"]] == ["host", "port"]
    assert (job["hidden"], job["has_sensitive_variables"]) == (True, True)


def test_long_texts_are_cut_and_long_names_refused(tmp_path: Path):
    text = (
        f"from nautobot.extras.jobs import Job\nname = 'g' * 300\n"
        f"class Long(Job):\n    class Meta: name = 'n' * 101\nclass {'C' * 101}(Job): pass\n"
    )
    found = found_in(tmp_path, text)
    assert [(len(job["name"]), len(job["grouping"])) for job in found.jobs] == [(100, 255)]
    messages = " ".join(error["message"] for error in (*found.errors, *found.advice))
    assert "The name of Long was cut: it is longer than 100 characters." in messages
    assert "The grouping of Long was cut: it is longer than 255 characters." in messages
    assert "The class name is longer than 100 characters." in messages


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = 1\n    class Meta: commit_default = 'no'", "commit_default must be bool, not str."),
        ("x = 1\n    class Meta: task_queues = 'default'", "task_queues must be list or tuple, not str."),
        ("x = 1\n    class Meta: has_sensitive_variables = None", "has_sensitive_variables must be bool"),
        ("run = StringVar()", "A variable cannot be called run"),
        ("post_run = StringVar()", "A variable cannot be called post_run"),
        ("log_success = StringVar()", "A variable cannot be called log_success"),
    ],
)
def test_what_is_wrong_with_a_class_is_told(tmp_path: Path, text: str, sentence: str):
    assert sentence in sentence_of(
        tmp_path, f"from nautobot.extras.jobs import *\nclass Wrong(Job):\n    {text}\n"
    )


def test_variables_may_be_called_as_facts_of_the_class_or_the_run_are(tmp_path: Path):
    names = "name description grouping class_path file_path request user result results progress data commit"
    variables = "".join(f"    {name} = StringVar()\n" for name in names.split())
    found = found_in(tmp_path, f"from nautobot.extras.jobs import *\nclass Named(Job):\n{variables}")
    (job,) = found.jobs
    assert " ".join(one["name"] for one in job["variables"]) == names
    assert (job["name"], job["grouping"], job["description"]) == ("Named", "tried", "")


def test_meta_may_be_anything_and_harms_nobody(tmp_path: Path):
    text = "from nautobot.extras.jobs import *\nclass Odd(Job):\n    Meta = None\nclass Fine(Job): pass\n"
    found = found_in(tmp_path, text)
    assert [job["class_name"] for job in found.jobs] == ["Fine", "Odd"]


def test_of_two_classes_of_one_name_the_later_counts_as_in_python(tmp_path: Path):
    text = (
        "from nautobot.extras.jobs import *\nclass Same(Job): x = StringVar()\n"
        "class Same(Job): y = StringVar()\n"
    )
    (job,) = found_in(tmp_path, text).jobs
    assert [one["name"] for one in job["variables"]] == ["y"]


def test_newer_names_are_the_houses_own_as_soon_as_it_has_them():
    """What runs of the second dialect need may not be here yet: then something plain stands in for it."""
    for name, home in {"DryRunVar": jobs, "RunJobTaskFailed": jobs.errors, "get_task_logger": jobs}.items():
        shim = getattr(served("nautobot.apps.jobs"), name)
        assert shim is getattr(served("nautobot.extras.jobs"), name)
        assert shim is getattr(home, name, shim)


@pytest.mark.parametrize(
    ("text", "slug"),
    [("Zürich HQ", "zurich-hq"), (" a--b_c ", "a-b_c"), ("(1) / 2", "1-2"), ("__x__", "x"), (7, "7")],
)
def test_slugs(text: Any, slug: str):
    assert served("django.utils.text").slugify(text) == slug


def test_slugs_may_keep_letters_of_all_alphabets():
    assert served("django.utils.text").slugify("Zürich HQ", allow_unicode=True) == "zürich-hq"


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("https://alice:pa55@host/x", "https://(redacted)@host/x"),
        ("alice@host", "(redacted)@host"),
        ("the password is pa55", "the password is (redacted)"),
        ("Username: alice now", "Username: (redacted) now"),
        (["pwd x1", b"passwd y1"], ["pwd (redacted)", b"passwd (redacted)"]),
        ("nothing to see", "nothing to see"),
    ],
)
def test_texts_lose_their_credentials(dirty: Any, clean: Any):
    assert sanitize(dirty) == clean


def test_small_helpers():
    truthy = served("nautobot.core.settings_funcs").is_truthy
    assert (truthy("Yes"), truthy("off"), truthy(3)) == (True, False, True)
    with pytest.raises(ValueError, match="neither"):
        truthy("perhaps")
    tools = served("nautobot.utilities.utils")
    assert tools.deepmerge({"a": {"b": 1, "c": 1}}, {"a": {"b": 2}, "d": 3}) == {
        "a": {"b": 2, "c": 1},
        "d": 3,
    }
    assert tools.flatten_dict({"a": {"b": 1}, "c": 2}) == {"a.b": 1, "c": 2}
    try:
        raise KeyError("x")
    except KeyError:
        info = served("billiard.einfo").ExceptionInfo()
    assert (info.type, str(info.exception)) == (KeyError, "'x'")
    assert "KeyError: 'x'" in str(info)
    assert served("django.utils.timezone").now().tzinfo is not None


def test_sets_of_choices():
    choices = served("nautobot.extras.choices").LogLevelChoices
    assert choices.as_dict()["info"] == "Info"
    assert next(iter(choices)) == choices()[0] == ("default", "Default")
    groups = type(
        "Groups", (served("nautobot.apps.choices").ChoiceSet,), {"CHOICES": (("g", (("a", "A"),)),)}
    )
    assert groups.values() == ["a"]
