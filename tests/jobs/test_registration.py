"""Which classes of a job file are its jobs, and what the file may be called."""

import sys
from types import ModuleType

import pytest

from jobs import Job
from jobs.errors import BadJob
from jobs.loading import Module, check_name, job_classes
from jobs.registration import register_jobs


def module_with(source: str, name: str = "registering") -> list[str]:
    full_name = f"errand_jobs.test.{name}"
    loaded = ModuleType(full_name)
    exec(source, vars(loaded))
    return [cls.__name__ for cls in job_classes(Module("test", name, full_name, __file__), loaded)]


def test_registering_twice_is_registering_once():
    source = (
        "from jobs import Job\nfrom jobs.registration import register_jobs\n"
        "class A(Job): pass\nclass B(Job): pass\nclass Base(Job): pass\n"
        "register_jobs(A)\nregister_jobs(A, B)\nregister_jobs(int)\n"
    )
    assert module_with(source) == ["A", "B"]
    assert module_with(source) == ["A", "B"]
    assert module_with("from jobs import Job\nclass A(Job): pass\n", "other") == ["A"]


def test_what_a_part_of_a_package_registers_counts_for_the_package():
    class Part(Job): ...

    part = ModuleType("errand_jobs.test.package.part")
    vars(part).update(register_jobs=register_jobs, Part=Part)
    exec("register_jobs(Part)", vars(part))
    assert module_with("from jobs import Job\nclass Base(Job): pass\n", "package") == ["Part"]
    assert module_with("from jobs import Job\nclass Base(Job): pass\n", "pack") == ["Base"]
    assert "errand_jobs.test.package" not in sys.modules


@pytest.mark.parametrize("name", ["class", "two.import", "no-name", "1st"])
def test_a_file_is_called_what_can_be_imported(name: str):
    with pytest.raises(BadJob, match="cannot be imported"):
        check_name(Module("test", name, name, ""))
    check_name(Module("test", "match", "match", ""))
