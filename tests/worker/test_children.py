"""The nursery may die at any moment, also before it has forked anything: then the next one does."""

import os
import shutil
import signal
from collections.abc import Iterator
from uuid import uuid4

import pytest

from store.settings import Settings
from worker import children as module
from worker.children import Children, NoChild
from worker.host import start_time


@pytest.fixture
def own_children(settings: Settings) -> Iterator[Children]:
    children = Children(settings, f"test-{uuid4().hex}")
    yield children
    children.stop()


def kill_nursery(children: Children) -> None:
    assert children._process is not None
    os.kill(children._process.pid, signal.SIGKILL)


def test_a_nursery_that_was_killed_while_it_started_is_replaced(own_children: Children):
    own_children.start()
    kill_nursery(own_children)
    child = own_children.take()
    assert start_time(child.pid)
    own_children.let_go(child)


def test_a_nursery_that_is_killed_while_somebody_waits_for_a_child_is_replaced(
    own_children: Children, monkeypatch: pytest.MonkeyPatch
):
    wait = own_children._wait
    kills = iter([kill_nursery, kill_nursery])

    def wait_and_die(seconds: float) -> None:
        for kill in kills:
            kill(own_children)
            break
        wait(seconds)

    monkeypatch.setattr(own_children, "_wait", wait_and_die)
    child = own_children.take()
    assert start_time(child.pid)
    assert next(kills, None) is None
    own_children.let_go(child)


def test_a_nursery_that_never_comes_up_is_given_up(own_children: Children, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module.sys, "executable", shutil.which("false"))
    with pytest.raises(NoChild):
        own_children.take()
