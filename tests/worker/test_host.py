"""Processes of this machine."""

import subprocess
import sys
import textwrap

import pytest

from store.settings import PROJECT_ROOT
from tests.waiting import until
from worker.host import start_time

#: Starts a process that is to end with it, says its pid when that is so, and waits to be killed.
PARENT = """
import subprocess, sys
code = '''
import os, sys, time
from worker import host
host.sys.platform, host.PARENT_SECONDS = {platform!r}, 0.01
host.die_with_parent(int(sys.argv[1]))
print(os.getpid(), flush=True)
time.sleep(600)
'''
import os
subprocess.run([sys.executable, "-c", code, str(os.getpid())])
"""


@pytest.mark.parametrize("platform", [sys.platform, "elsewhere"])
def test_a_process_ends_with_its_parent_however_that_ends(platform: str):
    command = [sys.executable, "-c", textwrap.dedent(PARENT.format(platform=platform))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT_ROOT) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert start_time(child)
        parent.kill()
        until(lambda: start_time(child) is None, "it ended as well")
