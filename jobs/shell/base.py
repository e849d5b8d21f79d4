"""`ShellJob`: a job that is a command."""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

from jobs.errors import BadJob
from jobs.job import Job
from jobs.shell.reporting import FORMATS
from jobs.shell.template import arguments, filled, misplaced, names_in, parts_of, quoted
from jobs.shell.values import MOST_BYTES, Texts, texts_of
from jobs.variables import SecretVar, StringVar, Variable

#: What a variable of the environment may be called.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

#: Tells a command where its job's file is: scripts that it runs may lie beside that.
OWN_FOLDER = "JOB_FOLDER"

#: What means something to a shell, and to no program.
_OF_SHELLS = ("|", "&&", "||", ";", "&", ">", ">>", "<", "2>&1")

#: What runs a text as a line, by an option such as `-c` or `-ec`.
_SHELLS = ("ash", "bash", "dash", "fish", "ksh", "sh", "zsh")
_RUN_NEXT = re.compile(r"-[a-z]*c")


class BadPart(BadJob):
    """A part of a job that cannot be as it is written. path: where it stands in its table."""

    def __init__(self, sentence: str, *path: str) -> None:
        super().__init__(sentence)
        self.path = path


class ShellJob(Job):
    """A job that runs a command. Subclass it, give it variables, and say in `command` what is run:

    command = ["df", "-h", "{path}"]

    Each item is one argument of the program, whatever the values hold. An item that is nothing but `{name}` falls away
    where that is empty, and becomes several where it has several values.
    """

    dialect: ClassVar[str] = "shell"

    #: The program and its arguments, as a list or as a line; with `shell`, what `sh` is to run. A program with a
    #: relative path is looked for from the folder of the job's own file on.
    command: ClassVar[Sequence[str] | str] = ()
    #: Whether `command` is a line for `sh`, in which each value is one word.
    shell: ClassVar[bool] = False
    #: Where it runs; "": in an empty folder that is gone at the end. From the folder of the job's own file on.
    working_folder: ClassVar[str] = ""
    #: What is added to the environment; values may name variables.
    added_environment: ClassVar[Mapping[str, str]] = {}
    #: What is made of its output as the run's report: one of FORMATS.
    report_format: ClassVar[str] = "none"
    #: The files that are kept of what it has written in its folder: "*.csv", "**/*.log".
    files: ClassVar[Sequence[str]] = ()
    #: The exit codes that are no failure.
    expects: ClassVar[Sequence[int]] = (0,)

    #: Variables that are no attributes: those of a table may have any name.
    _variables: ClassVar[Mapping[str, Variable]] = {}
    #: What is wrong with it, each a sentence.
    _problems: ClassVar[Sequence[str]] = ()

    def __init__(self) -> None:
        super().__init__()
        #: The inputs of the run as texts.
        self.texts: Texts = {}
        #: A folder that is gone at the end.
        self._scratch = Path()

    # What others may do in their own way

    def argv(self, data: Mapping[str, Any]) -> list[str]:
        """Return the program and its arguments. data: the inputs of the run."""
        texts = texts_of(self._get_vars(), data)
        if self.shell:
            return ["sh", "-c", quoted(str(self.command), texts)]
        argv = [argument for item in self._items() for argument in arguments(item, texts)]
        if argv and "/" in argv[0]:
            argv[0] = str(self._own_folder() / argv[0])
        return argv

    def folder(self) -> Path | None:
        """Return where it runs; None: in an empty folder that is gone at the end."""
        if not self.working_folder:
            return None
        return self._own_folder() / Path(self.working_folder).expanduser()

    def environment(self) -> dict[str, str]:
        """Return what is added to the environment."""
        added = {name: filled(text, self.texts) for name, text in self.added_environment.items()}
        return {OWN_FOLDER: str(self._own_folder()), **added}

    def prepare(self) -> None:
        """Called before the command starts."""

    def log_folder(self) -> Path:
        """Return where the files `stdout` and `stderr` are written while it runs; by default they are gone at the end."""
        return self._scratch / "log"

    # What is known of the job

    @classmethod
    def _own_folder(cls) -> Path:
        """Return the folder that the job's file is in."""
        return Path(cls.file_path).parent

    @classmethod
    def _items(cls) -> list[str]:
        """Return the items of a command that is run without a shell. Raises BadJob."""
        if not isinstance(cls.command, str):
            return list(cls.command) if isinstance(cls.command, list | tuple) else []
        try:
            return shlex.split(cls.command)
        except ValueError as error:
            raise BadPart(f"the command cannot be taken apart into arguments: {error}.", "command") from error

    @classmethod
    def _get_vars(cls) -> dict[str, Variable]:
        found = {**super()._get_vars(), **cls._variables}
        for variable in found.values():
            if isinstance(variable, StringVar) and variable.most_bytes is None:
                variable.most_bytes = MOST_BYTES
        order = [name for name in cls.field_order if name in found]
        return {name: found[name] for name in dict.fromkeys([*order, *found])}

    @classmethod
    def _check_as_job(cls) -> None:
        """Raise BadJob where the command cannot be run as it is written."""
        if cls._problems:
            raise BadJob(" ".join(cls._problems))
        if taken := vars(ShellJob).keys() & super()._get_vars().keys():
            raise BadJob(f"A variable cannot be called {min(taken)}: a command's job uses that name itself.")
        if cls.argv is ShellJob.argv:
            cls._check_command()
        cls._check_environment()
        if cls.report_format not in FORMATS:
            raise BadPart(f"report is {cls.report_format!r}; choose from: {', '.join(FORMATS)}.", "report")
        if not _is_list(cls.files, str) or any(not name or name.startswith("/") for name in cls.files):
            raise BadPart('files is a list of names below the folder, such as "*.csv".', "files")
        if not _is_list(cls.expects, int):
            raise BadPart("expects is a list of exit codes.", "expects")
        if not isinstance(cls.working_folder, str):
            raise BadPart("folder is the path of a folder.", "folder")

    @classmethod
    def _advice(cls) -> list[str]:
        if cls.argv is not ShellJob.argv:
            return []
        items = [str(cls.command)] if cls.shell else cls._items()
        named = {name for item in items for name in names_in(item)}
        secret = [
            name for name, each in cls._get_vars().items() if name in named and isinstance(each, SecretVar)
        ]
        advice = [
            f"{cls.__name__} has the secret {{{name}}} among its arguments, where others on the machine can read it: "
            "give it in the environment."
            for name in secret
        ]
        if not cls.shell and (words := [item for item in items if item in _OF_SHELLS]):
            advice.append(
                f"{cls.__name__} gives {words[0]} to the program as an argument: only with `shell` it means more."
            )
        if not cls.shell:
            advice += [
                f"{cls.__name__} takes a {{{name}}} that begins with - for an option: "
                "put -- before it, or give it a `regex` that wants something else."
                for name in cls._taken_for_options(items)
            ]
        return advice

    @classmethod
    def _taken_for_options(cls, items: Sequence[str]) -> list[str]:
        """Return the variables of any text at all that begin an argument where the program still looks for options."""
        before = items[: items.index("--")] if "--" in items else items
        first = [name for item in before[1:] for text, name in parts_of(item)[:1] if name and not text]
        free = {
            name
            for name, each in cls._get_vars().items()
            if isinstance(each, StringVar) and not isinstance(each, SecretVar) and each.regex is None
        }
        return [name for name in dict.fromkeys(first) if name in free]

    @classmethod
    def _check_command(cls) -> None:
        if not isinstance(cls.shell, bool):
            raise BadPart("shell is true or false.", "shell")
        if cls.shell and not isinstance(cls.command, str):
            raise BadPart("with shell, command is a text: what sh is to run.", "command")
        items = [cls.command] if cls.shell else cls._items()
        if not items or not _is_list(items, str) or not str(items[0]).strip():
            raise BadPart(
                "command is what to run: a list of texts, the first of which is the program, or one line.",
                "command",
            )
        cls._check_names("command", map(str, items))
        if cls.shell and (names := misplaced(str(cls.command))):
            raise BadPart(
                f"command has {{{names[0]}}} where it is not one word to the shell: values are quoted already, so let "
                "them stand outside of quotes, comments, backticks, arithmetic and here-documents.",
                "command",
            )
        if not cls.shell and (line := _line_of(list(map(str, items)))) and (names := names_in(line)):
            raise BadPart(
                f"command has {{{names[0]}}} in what another shell runs, which would run its value, too: hand it over, as "
                f"in bash -c 'echo \"$1\"' bash {{{names[0]}}}, or set `shell`.",
                "command",
            )

    @classmethod
    def _check_environment(cls) -> None:
        given = cls.added_environment
        if not isinstance(given, Mapping):
            raise BadPart("environment is a mapping of names to texts.", "environment")
        for name, text in given.items():
            if not isinstance(name, str) or not _NAME.fullmatch(name) or not isinstance(text, str):
                raise BadPart(
                    f"environment has {name!r}: names and values are texts.", "environment", str(name)
                )
            cls._check_names("environment", [text])

    @classmethod
    def _check_names(cls, part: str, texts: Iterable[str]) -> None:
        known = cls._get_vars()
        try:
            for name in [name for text in texts for name in names_in(text)]:
                if name not in known:
                    raise BadJob(f"{part} names {{{name}}}, which is no variable of the job.")
        except BadJob as error:
            raise BadPart(str(error), part) from error


def _line_of(items: Sequence[str]) -> str:
    """Return the item that a shell among them runs as a line; "" where there is none."""
    shells = [number for number, item in enumerate(items) if item.rpartition("/")[2] in _SHELLS]
    after = items[shells[0] + 1 :] if shells else []
    lines = [line for option, line in pairwise(after) if _RUN_NEXT.fullmatch(option)]
    return lines[0] if lines else ""


def _is_list(given: Any, kind: type) -> bool:
    return isinstance(given, list | tuple) and all(type(each) is kind for each in given)
