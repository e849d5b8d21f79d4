"""git, held short: it fetches one commit of a repository, and nothing of the repository is ever run.

Each use has a folder of its own, readable by nobody else, with what git needs to log in; it is removed afterwards. Git
reads no settings of this machine and gets no secret as an argument or in its environment.
"""

import os
import shlex
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO

from store.git_rules import problem_of_ref, problem_of_url, scheme_of
from store.text import clean_text
from worker.git_place import look_up
from worker.snapshots import MOST_CONTENT_BYTES, MOST_FILES

#: How long git may take for all it does for one sync, and how much may come.
GIT_SECONDS = 120.0
#: And to ask only what is there.
ASK_SECONDS = 30.0
MOST_REPOSITORY_BYTES = 200 * 1024**2

#: Between two looks at the clock and the folder.
LOOK_SECONDS = 0.05

LONGEST_SAID = 300
MOST_SAID_BYTES = 1024**2

#: What git may know of its environment: how to get out of here, and whom to trust there.
KEPT_VARIABLES = (
    "PATH",
    "TMPDIR",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
)

OPTIONS = (
    "credential.helper=",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.askPass=",
    "fetch.recurseSubmodules=false",
    "gc.auto=0",
    "maintenance.auto=false",
    # Elsewhere than asked may be anywhere.
    "http.followRedirects=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=20",
)

#: Answers the questions of git from the files beside it.
ASKPASS = """#!/bin/sh
case "$1" in
[Uu]sername*) cat "${0%/*}/username" ;;
*) cat "${0%/*}/token" ;;
esac
"""

#: {what git or ssh says: (the input of the form, what it means)}, the first that fits.
MEANINGS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("REMOTE HOST IDENTIFICATION HAS CHANGED",),
        "host_keys",
        "The server shows another host key than before, so nothing was sent to it. If it was really replaced, enter "
        "its new key.",
    ),
    (
        ("Host key verification failed", "No matching host key", "no matching host key"),
        "host_keys",
        "The server shows a host key that is not among those that are known, so nothing was sent to it.",
    ),
    (
        ("Permission denied", "Authentication failed", "could not read Username", "error: 403", "error: 401"),
        "credentials",
        "The server refused the login.",
    ),
    (("unable to update url base from redirection", "error: 30"), "url", "The server sends to another address: enter that one."),
    (("SSL certificate", "certificate verify", "TLS", "server certificate"), "url", "The certificate of the server is not trusted."),
    (("error: 404", "not found", "does not exist", "does not appear to be a git repository", "not valid: is this a git"), "url", "There is no such repository, or this login may not see it."),
    (("Could not resolve", "Connection refused", "Failed to connect", "timed out", "unreachable", "Connection closed", "Connection reset", "Empty reply", "Operation too slow", "Couldn't connect"), "url", "The server does not answer."),
)  # fmt: skip


class GitError(Exception):
    """Why a repository could not be had, as a sentence; `field` is the input of its form that has to do with it."""

    def __init__(self, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


@dataclass(frozen=True, slots=True)
class Remote:
    url: str
    #: A branch or a tag; empty: the main branch.
    ref: str = ""
    username: str = ""
    token: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    #: Lines of a known_hosts file; empty: what the server shows is taken, and kept.
    host_keys: str = ""

    @property
    def secrets(self) -> list[str]:
        return [line for text in (self.token, self.private_key) for line in text.splitlines() if line]


@dataclass(frozen=True, slots=True)
class Head:
    #: "refs/heads/main"
    ref: str
    commit: str

    @property
    def in_words(self) -> str:
        """As the beginning of a sentence: "The branch main"."""
        for prefix, word in (("refs/heads/", "branch"), ("refs/tags/", "tag")):
            if self.ref.startswith(prefix):
                return f"The {word} {clean_text(self.ref.removeprefix(prefix))}"
        return "The main commit"


@dataclass(frozen=True, slots=True)
class _Entry:
    mode: str
    object_id: str
    size: int
    name: str


class Repository:
    """One repository for the time of a `with`, in a folder that must not exist yet."""

    def __init__(
        self, remote: Remote, folder: Path, allowed: Collection[str] = (), seconds: float | None = None
    ) -> None:
        self._remote, self._folder, self._allowed = remote, folder, allowed
        self._seconds = GIT_SECONDS if seconds is None else seconds
        self._deadline = time.monotonic() + self._seconds

    def __enter__(self) -> "Repository":
        """Raises GitError."""
        self._check()
        self._variables = self._environment()
        self._folder.mkdir(mode=0o700, parents=True)
        try:
            self._write_login()
            self._git("init", "--quiet", "--bare", "--template=", "repository.git")
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def host_keys(self) -> str:
        """The keys that an ssh server has shown, as lines of a known_hosts file."""
        with suppress(OSError):
            return clean_text((self._folder / "known_hosts").read_text("utf-8", "replace"))
        return ""

    def head(self) -> Head:
        """Ask the server what is to be fetched. Raises GitError."""
        wanted = self._remote.ref
        names = [f"refs/heads/{wanted}", f"refs/tags/{wanted}"] if wanted else ["HEAD"]
        patterns = [*names, f"{names[-1]}^{{}}"]
        said = self._git("ls-remote", "--quiet", "--symref", "--", self._remote.url, *patterns)
        found: dict[str, str] = {}
        main = ""
        for line in said.decode("utf-8", "replace").splitlines():
            first, _, name = line.partition("\t")
            if first.startswith("ref: "):
                main = first.removeprefix("ref: ")
            else:
                found[name] = first
        for name in names:
            if name in found:
                return Head(main or name, found.get(f"{name}^{{}}", found[name]))
        if wanted:
            raise GitError(f"The repository has no branch and no tag {wanted}.", "ref")
        raise GitError("The repository is empty: it has no commit yet.", "url")

    def fetch(self, ref: str) -> str:
        """Fetch the newest commit of a ref, without what was before it; return which it is. Raises GitError."""
        fetch = (
            "fetch",
            "--quiet",
            "--depth=1",
            "--no-tags",
            "--no-recurse-submodules",
            "--no-write-fetch-head",
        )
        self._git(*fetch, "--", self._remote.url, f"+{ref}:refs/errand/head")
        return self._git("rev-parse", "--verify", "refs/errand/head^{commit}").decode("ascii").strip()

    def export(self, commit: str, path: str) -> tuple[Path, list[str]]:
        """Write the files below a folder of the commit; return where, and what was left out. Raises GitError.

        As they are in the repository: nothing converts, or acts on, what is written.
        """
        entries = list(self._entries(commit, path))
        if not entries:
            where = f"no folder {path}" if path else "no file"
            raise GitError(f"There is {where} in the commit {commit[:12]}.", "path")
        kept = [entry for entry in entries if entry.mode != "160000"]
        if len(kept) > MOST_FILES or sum(entry.size for entry in kept) > MOST_CONTENT_BYTES:
            raise GitError(
                f"There are too many or too large files for jobs: at most {MOST_FILES:,}, {MOST_CONTENT_BYTES >> 20} MB.",
                "path",
            )
        target = self._folder / "files"
        self._write(kept, target)
        return target, [f"The submodule {entry.name} is left out." for entry in entries if entry not in kept]

    # --- Before git is started ---

    def _check(self) -> None:
        """What was right when it was stored need not be so under other settings."""
        remote = self._remote
        if shutil.which("git") is None:
            raise GitError("git is not installed where the scheduler runs: there is no git on its PATH.")
        if scheme_of(remote.url) == "ssh" and shutil.which("ssh") is None:
            raise GitError("ssh is not installed where the scheduler runs: there is no ssh on its PATH.")
        if problem := problem_of_url(remote.url, self._allowed):
            raise GitError(problem, "url")
        if problem := problem_of_ref(remote.ref):
            raise GitError(problem, "ref")
        # git goes to what is checked here: it does not look the name up again.
        self._place = look_up(remote.url)
        if self._place.lost:
            raise GitError(f"The server does not answer: nobody knows where {self._place.host} is.", "url")
        if "local" not in self._allowed and self._place.of_this_machine:
            raise GitError(
                "This is an address of the server itself, which is not allowed here: an operator can set "
                "ERRAND_GIT_ALLOW=local.",
                "url",
            )

    def _write_login(self) -> None:
        remote = self._remote
        # ssh refuses a key without a last line break, or with those of Windows.
        key = "\n".join([*remote.private_key.splitlines(), ""])
        for name, text, mode in (
            ("username", remote.username or "git", 0o600),
            ("token", remote.token, 0o600),
            ("key", key, 0o600),
            ("known_hosts", "\n".join([*remote.host_keys.splitlines(), ""]).lstrip("\n"), 0o600),
            ("askpass", ASKPASS, 0o700),
        ):
            # Readable by nobody else from the first moment on.
            descriptor = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "w") as file:
                file.write(text)

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        protocols = ["https", "ssh", *(name for name in ("http", "file") if name in self._allowed)]
        return {
            **kept,
            "HOME": str(self._folder),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_LFS_SKIP_SMUDGE": "1",
            "GIT_ALLOW_PROTOCOL": ":".join(protocols),
            "GIT_SSH_COMMAND": self._ssh(),
            "GIT_SSH_VARIANT": "ssh",
            **({"GIT_ASKPASS": str(self._folder / "askpass")} if self._remote.token else {}),
        }

    def _ssh(self) -> str:
        known = str(self._folder / "known_hosts")
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": "10",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "PasswordAuthentication": "no",
            "UserKnownHostsFile": f'"{known}"',
            "GlobalKnownHostsFile": os.devnull,
            "StrictHostKeyChecking": "yes" if self._remote.host_keys.strip() else "accept-new",
            "HashKnownHosts": "no",
            "UpdateHostKeys": "no",
            "CheckHostIP": "no",
            "ProxyCommand": "none",
            "ForwardAgent": "no",
            "PermitLocalCommand": "no",
            "LogLevel": "ERROR",
            **self._place.ssh_options(),
        }
        key = ["-i", str(self._folder / "key")] if self._remote.private_key else ["-o", "IdentityFile=none"]
        words = ["ssh", "-F", os.devnull, *key]
        return shlex.join([*words, *(word for pair in options.items() for word in ("-o", "=".join(pair)))])

    # --- git ---

    def _git(
        self, *arguments: str, stdin: IO[bytes] | None = None, most_bytes: int = MOST_SAID_BYTES
    ) -> bytes:
        """Run git, and return what it says. Raises GitError, also where it takes too long or too much comes."""
        options = [word for option in (*OPTIONS, *self._place.http_options) for word in ("-c", option)]
        repository = self._folder / "repository.git"
        place = ["--git-dir", str(repository)] if repository.is_dir() else []
        with open(self._folder / "out", "w+b") as out, open(self._folder / "err", "w+b") as err:
            process = subprocess.Popen(
                ["git", *options, *place, *arguments],
                stdin=stdin or subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=self._folder,
                env=self._variables,
                start_new_session=True,
            )
            try:
                self._wait(process)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            err.seek(0)
            if process.returncode:
                raise self._meaning(err.read(MOST_SAID_BYTES).decode("utf-8", "replace"))
            out.seek(0)
            return out.read(most_bytes)

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        while process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(LOOK_SECONDS)
            if _size_of(self._folder) > MOST_REPOSITORY_BYTES:
                raise GitError(
                    f"The repository is too large: at most {MOST_REPOSITORY_BYTES >> 20} MB of it are fetched.",
                    "url",
                )
            if time.monotonic() > self._deadline:
                raise GitError(f"It took longer than {self._seconds:g} seconds and was stopped.", "url")

    def _meaning(self, said: str) -> GitError:
        for words, name, sentence in MEANINGS:
            if any(word in said for word in words):
                return GitError(sentence, name)
        for secret in self._remote.secrets:
            said = said.replace(secret, "***")
        lines = [
            line for line in clean_text(said).replace(str(self._folder), "").splitlines() if line.strip()
        ]
        return GitError(f"git says: {lines[-1][:LONGEST_SAID] if lines else 'nothing'}")

    def _entries(self, commit: str, path: str) -> Iterator[_Entry]:
        below = ["--", f"{path}/"] if path else []
        # A line names an object and a path; of more there would be too many anyway.
        said = self._git("ls-tree", "-r", "-z", "-l", "--full-tree", commit, *below, most_bytes=64 * 1024**2)
        for line in said.split(b"\0"):
            about, tab, name = line.partition(b"\t")
            if tab:
                mode, _kind, object_id, size = about.decode("ascii").split()
                shown = os.fsdecode(name)
                inside = shown[len(path) + 1 :] if path else shown
                yield _Entry(mode, object_id, int(size) if size.isdigit() else 0, inside)

    def _write(self, entries: Sequence[_Entry], target: Path) -> None:
        with open(self._folder / "wanted", "w+b") as wanted:
            wanted.write("".join(f"{entry.object_id}\n" for entry in entries).encode())
            wanted.seek(0)
            room = MOST_CONTENT_BYTES + MOST_FILES * 200
            said = memoryview(self._git("cat-file", "--batch", stdin=wanted, most_bytes=room))
        target.mkdir()
        links = []
        at = 0
        for entry in entries:
            # "<object> blob <size>", the content, a line break.
            at += bytes(said[at : at + 200]).index(b"\n") + 1
            content = bytes(said[at : at + entry.size])
            at += entry.size + 1
            place = target.joinpath(*_parts(entry.name))
            if entry.mode == "120000":
                links.append((place, entry.name, content))
            else:
                _write_file(place, content, executable=entry.mode == "100755")
        # Links come last: nothing is ever written through one.
        for place, name, content in links:
            _write_link(target, place, name, content)
        for place, name, _ in links:
            if not os.path.realpath(place).startswith(f"{os.path.realpath(target)}{os.sep}"):
                raise _leads_out(name)


def _parts(name: str) -> tuple[str, ...]:
    parts = PurePosixPath(name).parts
    if not parts or any(part in ("..", "/") or part.lower() == ".git" for part in parts):
        raise GitError(f"{clean_text(name)!r} is no name for a file.", "path")
    return parts


def _write_file(place: Path, content: bytes, *, executable: bool) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(place, flags, 0o700 if executable else 0o600), "wb") as file:
            file.write(content)
    except (FileExistsError, NotADirectoryError) as error:
        raise GitError("The commit names one file twice.", "path") from error


def _write_link(target: Path, place: Path, name: str, content: bytes) -> None:
    leads_to = os.fsdecode(content)
    inside = os.path.normpath(os.path.join(place.parent, leads_to)) if "\0" not in leads_to else ""
    if os.path.isabs(leads_to) or not inside.startswith(f"{target}{os.sep}"):
        raise _leads_out(name)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(leads_to)
    except OSError as error:
        raise GitError(f"The link {clean_text(name)} cannot be made.", "path") from error


def _leads_out(name: str) -> GitError:
    return GitError(
        f"The link {clean_text(name)} leads out of the folder of job files, so the commit is not used.",
        "path",
    )


def _size_of(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                found = os.lstat(os.path.join(place, name))
                total += found.st_size if stat.S_ISREG(found.st_mode) else 0
    return total
