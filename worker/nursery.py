"""The nursery, a program of its own: `python -m worker.nursery <control fd> <parent pid> <database> <plugin>...`.

A parent pid of 0: it does not die with the thread that started it, but when the control line ends.

It is exec'ed, so it never knew the portal's secrets; it imports all that running a job needs, and then forks a
ready child whenever its worker asks. Children share its memory, and it never runs a line of a job's code itself.

The worker writes one byte with three file descriptors (the line, stdout, stderr of the new child) to `control`;
the nursery answers in lines of JSON: ["forked", pid], and ["ended", pid, wait status] when one has ended.
"""

import contextlib
import gc
import os
import selectors
import signal
import socket
import sys
from collections.abc import Sequence

from store.plugins import load_named
from worker import child
from worker.frames import FORK, encode
from worker.host import die_with_parent


def main(control_fd: int, parent_pid: int, database: str, plugins: Sequence[str]) -> None:
    if parent_pid:
        die_with_parent(parent_pid)
    # Whoever stops a service signals all of its processes; the worker says when its nursery has to go.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    load_named(plugins)
    child.prepare(database)
    gc.collect()
    # Children share this memory: a collector that writes into it would copy it for each of them.
    gc.freeze()
    _Nursery(socket.socket(fileno=control_fd)).work()


class _Nursery:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._wake_reading, self._wake_writing = os.pipe()
        for end in (self._wake_reading, self._wake_writing):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wake_writing, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def work(self) -> None:
        selector = selectors.DefaultSelector()
        selector.register(self._control, selectors.EVENT_READ)
        selector.register(self._wake_reading, selectors.EVENT_READ)
        # The worker may be gone in the middle of a word; then there is nobody left to work for.
        with contextlib.suppress(ConnectionError):
            while True:
                for key, _ in selector.select():
                    if key.fd == self._wake_reading:
                        self._report_ends()
                    elif not self._serve(selector):
                        return

    def _serve(self, selector: selectors.BaseSelector) -> bool:
        """Fork one child; False when the worker is gone."""
        command, descriptors, _, _ = socket.recv_fds(self._control, 1, 3)
        if command != FORK or len(descriptors) != 3:
            return False
        own_pid = os.getpid()
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            selector.close()
            for end in (self._wake_reading, self._wake_writing):
                os.close(end)
            self._control.close()
            child.main(*descriptors, parent_pid=own_pid)
        for descriptor in descriptors:
            os.close(descriptor)
        self._control.sendall(encode("forked", pid))
        return True

    def _report_ends(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_reading, 4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._control.sendall(encode("ended", pid, status))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
