"""Jobs that do what no job should, one thing each. Every one of them is bounded, so that a failing test harms nobody."""

import ctypes
import faulthandler
import fcntl
import locale
import logging
import os
import random
import re
import resource
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
import warnings
from pathlib import Path

from jobs import BooleanVar, ChoiceVar, IntegerVar, Job, SoftTimeLimitExceeded, StringVar

name = "Poison"

#: Nothing here lives longer than that, whatever the tests do.
LONGEST_SECONDS = 120

logger = logging.getLogger(__name__)

#: What earlier runs in this process have left here.
kept = []


def sleep_on():
    end = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < end:
        time.sleep(0.01)


def note_pid(folder, pid):
    Path(folder, f"pid-{pid}").touch()


# --- Those that do not end ---


class Hangs(Job):
    """Does not end by itself, in one way or another."""

    how = ChoiceVar(
        choices=[
            (how, how)
            for how in (
                "sleeps",
                "catches all",
                "in C",
                "blocks signals",
                "ignores signals",
                "joins",
                "regex",
                "stops",
            )
        ]
    )

    class Meta:
        soft_time_limit = 50
        time_limit = 0.3

    def run(self, how):
        getattr(self, "_" + how.replace(" ", "_"))()

    def post_run(self):
        self.log_info("post_run was called")

    def _sleeps(self):
        sleep_on()

    def _catches_all(self):
        end = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < end:
            try:
                sleep_on()
            except BaseException:
                pass

    def _in_C(self):
        sum(range(10**10))  # No signal is looked at before it is done.

    def _blocks_signals(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        sleep_on()

    def _ignores_signals(self):
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        sleep_on()

    def _joins(self):
        thread = threading.Thread(target=sleep_on, daemon=True)
        thread.start()
        thread.join()

    def _regex(self):
        re.match(r"(a+)+$", "a" * 40 + "b")

    def _stops(self):
        os.kill(os.getpid(), signal.SIGSTOP)


class SoftThenHard(Job):
    """Is told that its time is nearly up, and does not care in the end."""

    cleans_up = BooleanVar(default=False)

    class Meta:
        soft_time_limit = 0.2
        time_limit = 0.7

    def run(self, cleans_up):
        try:
            sleep_on()
        except SoftTimeLimitExceeded as error:
            self.log_warning(f"cleaning up: {error}")
            if cleans_up:
                return "cleaned up"
            sleep_on()


class SoftOnly(Job):
    class Meta:
        soft_time_limit = 0.2

    def run(self):
        sleep_on()

    def post_run(self):
        self.log_info("post_run was called")


class Waits(Job):
    """Waits to be canceled."""

    swallows = BooleanVar(default=False)

    def run(self, swallows):
        self.log_info("began")
        while True:
            try:
                sleep_on()
            except BaseException:
                if not swallows:
                    raise

    def post_run(self):
        self.log_info("post_run was called")


# --- Memory ---


class AllocatesAtOnce(Job):
    def run(self):
        bytearray(8 * 1024**3)


class Grows(Job):
    """Takes memory step by step, itself or in a process that it starts."""

    where = ChoiceVar(choices=[("here", "here"), ("in a child process", "in a child process")])

    class Meta:
        memory_limit = 200

    def run(self, where):
        code = (
            "import time\nkept = []\n"
            "for _ in range(40):\n    kept.append(bytearray(b'x') * 10_000_000)\n    time.sleep(0.01)\n"
            "time.sleep(60)"
        )
        if where == "here":
            exec(code, {})
        else:
            child = subprocess.Popen([sys.executable, "-c", code])
            child.wait()


class TakesMemory(Job):
    keeps = BooleanVar(default=False)

    def run(self, keeps):
        taken = bytearray(b"x") * (300 * 1024**2)
        if keeps:
            kept.append(taken)
        return os.getpid()


# --- What is left running ---


class Leaves(Job):
    """Leaves something running behind, and writes its pid to the folder."""

    folder = StringVar()
    what = ChoiceVar(choices=[(what, what) for what in ("process", "daemon", "ignorant", "writer")])
    ends = ChoiceVar(choices=[(end, end) for end in ("well", "hangs", "kills worker")], default="well")

    def run(self, folder, what, ends):
        getattr(self, f"_{what}")(folder)
        end = time.monotonic() + 30
        while not list(Path(folder).glob("pid-*")) and time.monotonic() < end:
            time.sleep(0.005)
        self.log_info("began")
        if ends == "hangs":
            sleep_on()
        if ends == "kills worker":
            os.kill(parent_of(os.getppid()), signal.SIGKILL)
            sleep_on()

    def _process(self, folder):
        note_pid(folder, subprocess.Popen(["sleep", str(LONGEST_SECONDS)]).pid)

    def _writer(self, folder):
        # It writes without an end: reading what it wrote must have one.
        note_pid(folder, subprocess.Popen(["timeout", str(LONGEST_SECONDS), "yes"]).pid)

    def _ignorant(self, folder):
        shell = subprocess.Popen(
            ["sh", "-c", f"trap '' TERM HUP INT; touch {folder}/trap; sleep {LONGEST_SECONDS}"]
        )
        while not Path(folder, "trap").exists():
            time.sleep(0.005)
        note_pid(folder, shell.pid)

    def _daemon(self, folder):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                note_pid(folder, os.getpid())
                os.closerange(0, 4096)
                time.sleep(LONGEST_SECONDS)
            os._exit(0)
        os.wait()


def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


class LeavesAThread(Job):
    def run(self):
        thread = threading.Thread(target=self._work, daemon=True)
        thread.start()
        return os.getpid()

    def _work(self):
        while True:
            time.sleep(0.005)
            print("from the thread")


class ForkBomb(Job):
    """Forks as fast as it can, up to 700 processes."""

    folder = StringVar()

    class Meta:
        memory_limit = 100_000  # A page that all of them share counts for each.

    def run(self, folder):
        for _ in range(700):
            pid = os.fork()
            if pid == 0:
                time.sleep(LONGEST_SECONDS)
                os._exit(0)
            note_pid(folder, pid)
        sleep_on()


# --- Ends ---


class Dies(Job):
    how = ChoiceVar(
        choices=[(how, how) for how in ("exits 0", "segfault", "kill", "parent", "group", "worker", "abort")]
    )

    def run(self, how):
        self.log_info("about to die")
        match how:
            case "exits 0":
                os._exit(0)
            case "segfault":
                ctypes.string_at(0)
            case "abort":
                os.abort()
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "parent":
                os.kill(os.getppid(), signal.SIGKILL)
            case "group":
                os.killpg(0, signal.SIGKILL)
            case "worker":
                os.kill(parent_of(os.getppid()), signal.SIGKILL)
        sleep_on()


class Evil(Exception):
    def __str__(self):
        raise ZeroDivisionError("no text")

    __repr__ = __str__


class RaisesWithoutText(Job):
    def run(self):
        raise Evil


class BreaksWhenMade(Job):
    def __init__(self):
        raise ValueError("not today")

    def run(self):
        self.log_info("never")


class Undecided:
    def __bool__(self):
        raise ValueError("neither")

    def __str__(self):
        raise ValueError("no text")


class Returns(Job):
    what = ChoiceVar(
        choices=[
            (what, what) for what in ("set", "huge", "deep", "very deep", "circle", "undecided", "surrogate")
        ]
    )

    def run(self, what):
        return getattr(self, "_" + what.replace(" ", "_"))()

    def _set(self):
        return {1, 2}

    def _huge(self):
        return "x" * 5_000_000

    def _deep(self, levels=600):
        value = []
        for _ in range(levels):
            value = [value]
        return value

    def _very_deep(self):
        return self._deep(100_000)

    def _circle(self):
        value = []
        value.append(value)
        return value

    def _undecided(self):
        return Undecided()

    def _surrogate(self):
        return {"\ud800": "\udfff\x00"}


# --- Output ---


class Prints(Job):
    how = StringVar()

    def run(self, how):
        getattr(self, f"_{how}")()

    def _no_newline(self):
        print("no newline", end="")

    def _order(self):
        print("1")
        self.log_info("2")
        sys.stdout.write("3\n")
        logger.warning("4")
        sys.stderr.write("5\n")
        self.logger.info("6")
        warnings.warn("7", stacklevel=1)

    def _long_line(self):
        sys.stdout.write("x" * (64 * 1024**2))
        sys.stdout.write("y\n")

    def _long_line_of_a_program(self):
        subprocess.run("head -c 67108864 /dev/zero | tr '\\0' 'x'", shell=True, check=True)

    def _flood(self):
        subprocess.run("yes | head -c 1000000000", shell=True, check=True)

    def _writes_on(self):
        # The shell ends at once: whose child the writer is then, this process does not know.
        line = "$(head -c 60000 /dev/zero | tr '\\0' x)"
        subprocess.run(f"timeout {LONGEST_SECONDS} yes {line} & :", shell=True, check=True)
        end = time.monotonic() + 30
        while not fcntl.ioctl(1, termios.FIONREAD, b"\0\0\0\0").strip(b"\0") and time.monotonic() < end:
            time.sleep(0.001)

    def _many_lines(self):
        for number in range(500):
            print(number)
        raise ValueError("the last word")

    def _garbage(self):
        sys.stdout.buffer.write(b"\xff\xfe\x00garbage\x80\n")
        os.write(1, b"\xf0\x28\x8c\xbc\n")
        print("nul \x00 surrogate \ud800 direction \u202e ends")

    def _terminal(self):
        print("\x1b[1;31mred\x1b[0m and \x1b]0;title\x07plain")
        for percent in range(0, 101, 10):
            print(f"\r{percent} %", end="")
        print()
        os.write(1, b"10 %\r20 %\rdone\r\n")

    def _past_python(self):
        libc = ctypes.CDLL(None)
        libc.printf(b"by C, buffered\n")
        sys.__stdout__.write("by the first stdout\n")
        os.write(2, b"by a system call\n")
        subprocess.run(["echo", "by a program"], check=True)
        subprocess.run(["echo", "by a program, given"], check=True, stdout=sys.stdout)

    def _by_libraries(self):
        logger.debug("my own logger")
        logging.getLogger("a.library").warning("by %s", "a library")
        logging.getLogger("a.library").info("too fine")
        logging.getLogger("a.library").error("%d", "no number")
        logging.getLogger("a.library").error(Undecided())

    def _warns(self):
        warnings.warn("mind this", stacklevel=1)

    def _in_a_thread(self):
        def breaks():
            print("by the thread")
            raise ValueError("in the thread")

        threads = [threading.Thread(target=breaks, name="t1"), threading.Thread(target=sys.exit)]
        for thread in threads:
            thread.start()
            thread.join()

    def _replaced(self):
        sys.stdout = None
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        sys.stderr.close()
        self.log_info("still here")

    def _closed(self):
        print("before")
        sys.stdout.close()
        sys.stderr.close()
        self.log_info("still here")

    def _reads(self):
        try:
            input("? ")
        except EOFError:
            self.log_info("nobody answers")


module_handler = logging.StreamHandler(sys.stdout)
logging.getLogger("module.handler").addHandler(module_handler)
logging.getLogger("module.handler").propagate = False


class LogsByAHandlerOfItsModule(Job):
    def run(self):
        logging.getLogger("module.handler").error("by the module's handler")
        return os.getpid()


# --- Files and the line ---


class Closes(Job):
    what = ChoiceVar(
        choices=[(what, what) for what in ("others", "output", "line and sleeps", "all and returns")]
    )

    def run(self, what):
        match what:
            case "others":
                os.closerange(3, 4096)
                self.log_info("?")
            case "output":
                os.close(1)
                os.close(2)
                print("as ever")
                self.log_info("as ever")
                return os.getpid()
            case "line and sleeps":
                os.closerange(3, 4096)
                sleep_on()
            case "all and returns":
                os.closerange(0, 4096)
        return None


class Writes(Job):
    """Writes what it was given to the line to its worker."""

    frames = StringVar()
    everywhere = BooleanVar(default=False)

    def run(self, frames, everywhere):
        self.log_info("began")
        for descriptor in range(0 if everywhere else 3, 100):
            try:
                where = os.readlink(f"/proc/self/fd/{descriptor}")
                if everywhere or where.startswith("socket:"):
                    os.write(descriptor, frames.encode() + b"\n")
            except OSError:
                pass
        self.log_info("ended")


class WritesALargeFile(Job):
    folder = StringVar()

    def run(self, folder):
        with open(Path(folder, "large"), "wb") as file:
            file.truncate(5 * 1024**3)  # It is all holes: nothing of it takes place on the disk.


# --- What a run changes in its process ---


class Changes(Job):
    """Changes its process, and returns its pid."""

    what = StringVar()
    folder = StringVar(default="/")

    def run(self, what, folder):
        getattr(self, f"_{what}")(folder)
        return os.getpid()

    def _nothing(self, folder):
        pass

    def _all_that_can_be_put_back(self, folder):
        os.environ["POISON"] = "1"
        os.environ["TZ"] = "Asia/Tokyo"
        del os.environ["PATH"]
        time.tzset()
        os.chdir(folder)
        os.umask(0o777)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        for wanted in ("C.UTF-8", "C"):
            try:
                locale.setlocale(locale.LC_ALL, wanted)
            except locale.Error:
                continue
        sys.path[:] = ["/nowhere"]
        logging.basicConfig(level=logging.CRITICAL)
        logging.disable(logging.CRITICAL)
        for quiet in ("a.library", __name__, "errand.jobs.Prints", "errand.jobs.LooksAround"):
            logging.getLogger(quiet).disabled = True
        logging.getLogger("a.library").setLevel(logging.DEBUG)
        sys.setrecursionlimit(200)
        for number in (
            resource.RLIMIT_NOFILE,
            resource.RLIMIT_CPU,
            resource.RLIMIT_FSIZE,
            resource.RLIMIT_STACK,
        ):
            resource.setrlimit(number, (64, resource.getrlimit(number)[1]))
        random.seed(1)
        socket.setdefaulttimeout(0.001)
        sys.settrace(lambda *_: None)
        sys.excepthook = sys.unraisablehook = sys.displayhook = None
        threading.excepthook = None
        warnings.simplefilter("ignore")
        sys.stdin = None
        faulthandler.dump_traceback_later(1, exit=True)

    def _seed(self, folder):
        random.seed(1)

    def _module(self, folder):
        kept.append("something")

    def _priority(self, folder):
        os.nice(1)

    def _hard_limit(self, folder):
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))

    def _thread(self, folder):
        threading.Thread(target=sleep_on, daemon=True).start()

    def _hidden_thread(self, folder):
        import _thread

        _thread.start_new_thread(sleep_on, ())

    def _process(self, folder):
        subprocess.Popen(["sleep", str(LONGEST_SECONDS)])

    def _zombie(self, folder):
        if os.fork() == 0:
            os._exit(0)
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)

    def _files(self, folder):
        kept.extend(open(os.devnull) for _ in range(50))  # noqa: SIM115

    def _memory(self, folder):
        kept.append(b"x" * (250 * 1024**2))

    def _stdout(self, folder):
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, 1)
        os.close(descriptor)


class LooksAround(Job):
    """Returns all of its process that a run may change, and its pid."""

    def run(self):
        self.log_info("heard")
        self.logger.info("heard by the logger")
        return {
            "pid": os.getpid(),
            "environment": dict(os.environ),
            "zone": time.tzname[0],
            "folder": os.getcwd(),
            "umask": _umask(),
            "handlers": {
                number: str(signal.getsignal(number)).partition(" at ")[0] for number in range(1, 32)
            },
            "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
            "locale": locale.setlocale(locale.LC_ALL),
            "path": sys.path,
            "root": [logging.root.level, len(logging.root.handlers), logging.root.manager.disable],
            "loggers": [[one.level, one.disabled] for one in map(logging.getLogger, ("a.library", __name__))],
            "recursion": sys.getrecursionlimit(),
            "limits": {
                name: resource.getrlimit(getattr(resource, name))
                for name in dir(resource)
                if name.startswith("RLIMIT_") and name != "RLIMIT_AS"
            },
            "timeout": socket.getdefaulttimeout(),
            "trace": str(sys.gettrace()),
            "hooks": [callable(hook) for hook in (sys.excepthook, sys.unraisablehook, sys.displayhook)],
            "thread hook": callable(threading.excepthook),
            "filters": len(warnings.filters),
            "stdin": sys.stdin is None,
        }


def _umask():
    value = os.umask(0)
    os.umask(value)
    return value


class Rolls(Job):
    def run(self):
        return [os.getpid(), random.random()]


class Fresh(Job):
    class Meta:
        fresh_process = True

    def run(self):
        return os.getpid()


class Breaks(Job):
    def run(self):
        self.log_info(str(os.getpid()))
        raise ValueError("broken")


class SeesItsModule(Job):
    lines = IntegerVar(default=0)

    def run(self, lines):
        return [os.getpid(), len(kept)]
