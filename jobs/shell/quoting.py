"""Where in a line for `sh` a quoted value is one word, whatever it holds: nowhere within quotes, for example.

Where it is not sure how a shell reads on, no place counts as such.
"""

#: Stands for a value.
VALUE = "\0"

#: Brackets around commands: within them, quotes begin anew.
_COMMANDS = ("(", "$(")

_ENDS_WORD = " \t\n;&|()<>"


def safe_places(line: str) -> list[bool]:
    """Tell of each VALUE in a line whether it is one word there, or a part of one."""
    return _Reader(line).places


class _Reader:
    def __init__(self, line: str) -> None:
        self.places: list[bool] = []
        self._line = line
        self._at = 0
        #: What is open, the last one innermost: `"`, "${", "((" or brackets around commands.
        self._open: list[str] = []
        self._begins_word = True
        #: From here on, nobody knows; within "$(...)", `case` has brackets that close nothing.
        self._lost = "esac" in line and "$(" in line
        while self._at < len(line):
            self._read()

    @property
    def _top(self) -> str:
        return self._open[-1] if self._open else ""

    def _read(self) -> None:
        began_at, began_word = self._at, self._begins_word
        sign = self._line[began_at]
        self._at += 1
        self._begins_word = False
        if sign == VALUE:
            is_word = self._top in ("", *_COMMANDS) and not {"${", "(("}.intersection(self._open)
            self.places.append(is_word and not self._lost)
        elif sign == "\\":
            self._escape(began_word=began_word)
        elif sign == "`":
            self._skip_to("`")
        elif sign in "'\"":
            self._quote(sign)
        elif sign == "$":
            self._dollar()
        elif sign == "}" and self._top == "${":
            self._open.pop()
        elif self._top != '"':
            self._outside_quotes(sign, began_word=began_word)

    def _outside_quotes(self, sign: str, *, began_word: bool) -> None:
        if self._top == "${":
            return
        following = self._line[self._at : self._at + 1]
        if sign == "#" and began_word:
            self._skip_to("\n")
            self._begins_word = True
        elif sign == "<" and following == "<":
            self._lost = True  # What stands in such a document, and where it ends, is told by its own quotes.
        elif sign == "(" and following == "(":
            self._open += ["((", "(("]
            self._at += 1
        elif sign == "(":
            self._open.append(sign)
            self._begins_word = True
        elif sign == ")" and self._top in (*_COMMANDS, "(("):
            self._begins_word = self._open.pop() == "("
        else:
            self._begins_word = sign in _ENDS_WORD

    def _escape(self, *, began_word: bool) -> None:
        following = self._line[self._at : self._at + 1]
        if following == VALUE:
            self.places.append(False)
        self._at += 1
        self._begins_word = began_word and following == "\n"

    def _quote(self, sign: str) -> None:
        if self._top == "((" or (self._top == "${" and '"' in self._open):
            self._lost = True  # Shells differ in what a quote is there.
        elif self._top == '"':
            if sign == '"':
                self._open.pop()
        elif sign == '"':
            self._open.append(sign)
        else:
            self._skip_to("'")

    def _dollar(self) -> None:
        following = self._line[self._at : self._at + 1]
        if following == VALUE:
            self.places.append(False)
            self._at += 1
        elif self._line.startswith("((", self._at):
            self._open += ["((", "(("]
            self._at += 2
        elif following == "(":
            self._open.append("$(")
            self._at += 1
            self._begins_word = True
        elif following == "{":
            self._open.append("${")
            self._at += 1
        elif following == "'" and self._top != '"':
            self._lost = True  # To some shells, its quotes are of another kind.

    def _skip_to(self, end: str) -> None:
        """Go on behind the next such sign: no value before that is a word."""
        while self._at < len(self._line):
            sign = self._line[self._at]
            self._at += 1
            if sign == VALUE:
                self.places.append(False)
            elif sign == end:
                return
            elif sign == "\\" and end == "`":
                if self._line[self._at : self._at + 1] == VALUE:
                    self.places.append(False)
                self._at += 1
