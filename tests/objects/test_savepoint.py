"""Parts of a run's changes."""

import pytest

from examples.inventory.models import Manufacturer
from store.savepoint import after_commit, savepoint


def names() -> set[str]:
    return set(Manufacturer.objects.values_list("name", flat=True))


def make(name: str) -> Manufacturer:
    made = Manufacturer(name=name, slug=name.lower())
    made.save()
    return made


@savepoint()
def broken(name: str, act=lambda: None) -> None:
    """A part that is taken back, after it has done something."""
    make(name)
    act()
    raise KeyError(name)


def test_an_exception_takes_back_its_part_and_comes_through(run):
    make("One")
    with pytest.raises(KeyError):
        broken("Two")
    with savepoint():
        make("Three")
    assert names() == {"One", "Three"}


def test_a_part_within_a_part_is_taken_back_alone(run):
    with savepoint():
        make("Outer")
        with pytest.raises(KeyError):
            broken("Inner")
    assert names() == {"Outer"}


def test_a_part_is_taken_back_with_the_parts_in_it(run):
    with pytest.raises(KeyError):
        broken("Outer", act=savepoint()(lambda: make("Inner")))
    assert names() == set()


def test_what_was_not_saved_is_neither_written_nor_forgotten(run):
    one = make("One")
    one.name = "Changed, not saved"
    with savepoint():
        make("Two")
    with pytest.raises(KeyError):
        broken("Three")
    assert one.name == "Changed, not saved"
    assert names() == {"One", "Two"}


def test_what_is_to_be_done_after_a_commit_goes_with_its_part(run):
    after_commit(print)
    with pytest.raises(KeyError):
        broken("One", act=lambda: after_commit(len))
    with savepoint():
        after_commit(repr)
    assert run.after_commit == [print, repr]


def test_where_nothing_is_changed_nothing_comes_after(data):
    with data.session():
        after_commit(print)
