"""What a run says loses its credentials and its secret values before it is stored."""

import base64
import html
import json
import logging
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from store.models import JobResult
from store.settings import SettingsError, load_settings
from tests.worker.conftest import Portal
from worker.masking import Mask
from worker.redaction import MOST_FAILURES, Rules, load_rules, names_credentials

MEGABYTE = 1_000_000

#: Longer than anything should take that takes time in proportion to a megabyte; anything else takes minutes.
PATIENCE = Rules(seconds=20)

# The rules


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        # What stands before an @.
        ("http://user:password@localhost", "http://(redacted)@localhost"),
        ("HTTPS://:password@EXAMPLE.COM/x", "HTTPS://(redacted)@EXAMPLE.COM/x"),
        ("postgresql+psycopg://u:p%40@db/errand", "postgresql+psycopg://(redacted)@db/errand"),
        ("https://u:p@ss@host", "https://(redacted)@host"),
        ("DATABASE_URL=postgres://u:p@db", "DATABASE_URL=postgres://(redacted)@db"),
        ("see [it](https://u:p@host/x)", "see [it](https://(redacted)@host/x)"),
        ("alice@example.com", "(redacted)@example.com"),
        ("from <alice@example.com> to `bob@x`", "from <(redacted)@example.com> to `(redacted)@x`"),
        ("@property", "@property"),
        ("http://@host and a @ b", "http://@host and a @ b"),
        # What stands behind a name.
        ("username alice, password hunter2", "username (redacted) password (redacted)"),
        ("Username: alice Password: hunter2", "Username: (redacted) Password: (redacted)"),
        ("My username is alice", "My username is (redacted)"),
        ("My password is: hunter2!", "My password is: (redacted)"),
        ("PASSWD=hunter2", "PASSWD=(redacted)"),
        ("pwd = hunter2", "pwd = (redacted)"),
        ("Password is1234", "Password (redacted)"),
        ("secrets is is1234", "secrets is (redacted)"),
        ("secret:hunter2", "secret:(redacted)"),
        ("DB_PASSWORD='two words' x", "DB_PASSWORD='(redacted)' x"),
        ('{"password": "a\\"b", "host": "x"}', '{"password": "(redacted)", "host": "x"}'),
        ("{'secret': 'x', 'n': 1}", "{'secret': '(redacted)', 'n': 1}"),
        ("pwd=`two words`", "pwd=`(redacted)`"),
        ('password="never ends', "password=(redacted) ends"),
        ("--password hunter2 -v", "--password (redacted) -v"),
        ("**Password:** hunter2", "**Password:** (redacted)"),
        ("| password | hunter2 |", "| password | (redacted) |"),
        ("password => hunter2", "password => (redacted)"),
        ("password:\n  hunter2", "password:\n  (redacted)"),
        # What is none.
        ("check_password(user)\n    raise", "check_password(user)\n    raise"),
        ("passwordless, secretary", "passwordless, secretary"),
        ("password", "password"),
        ("", ""),
        # Both.
        (
            "username FOO and password BAR for https://FOO:BAR@example.com",
            "username (redacted) and password (redacted) for https://(redacted)@example.com",
        ),
    ],
)
def test_default_rules(said: str, kept: str):
    mask = Mask(Rules())
    assert mask.message(said) == kept
    assert mask.message(kept) == kept, "what was redacted once stays as it is"
    # What the quick look takes for harmless is never tried.
    assert names_credentials(said) or said == kept


@pytest.mark.parametrize("end", ["", "@", " x@y pwd=x"], ids=repr)
@pytest.mark.parametrize(
    "again",
    [
        "x",
        "x ",
        "@",
        "a@",
        "a@ ",
        "a@b:",
        "://",
        "a://",
        "a:// ",
        "<",
        '"',
        "password",
        "password ",
        "password=",
        'pwd="',
        "pwd='pwd=\"pwd=`",
        'pwd="\\"',
        "pwd='\n",
        "secret\\",
        "username'",
        "username is ",
        "pwd" + " " * 500,
        "pwd" + "\n" * 500,
        "pwd=" + " " * 500,
        " is",
        "\\",
        "pwd|-",
        "ſ",
    ],
    ids=lambda text: repr(text[:20]),
)
def test_default_rules_take_no_longer_than_in_proportion(
    again: str, end: str, caplog: pytest.LogCaptureFixture
):
    """Text after text on which a careless pattern would try everything from everywhere: none is given up on."""
    # What it begins with has both rules tried.
    Mask(PATIENCE).message("@pwd" + again * (MEGABYTE // len(again)) + end)
    assert caplog.records == []


def test_a_rule_that_takes_too_long_is_left_out_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    file = tmp_path / "rules"
    file.write_text("(a|aa)+$\ntoken=\\S+")
    rules = replace(load_rules(file), seconds=0.01)
    mask = Mask(rules)
    endless = "a" * 5_000 + "! token=x"
    for _ in range(MOST_FAILURES + 2):
        assert mask.message(endless) == "a" * 5_000 + "! (redacted)"
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        f"A text of a run was not redacted by line 1 of {file}: it took longer than 0.01 seconds."
    )
    assert mask.message("aaa") == "aaa", "it has failed too often in this run"
    assert Mask(rules).message("aaa") == "(redacted)", "and has another chance in the next"


# The file


@pytest.mark.parametrize(
    ("lines", "said", "kept"),
    [
        ("", "password: x, a@b", "password: x, a@b"),
        ("# nothing\n\n  \n", "password: x", "password: x"),
        (r"token=\S+", "Token=x password=y", "(redacted) password=y"),
        (r"(token=)\S+ => \1{replacement}!", "token=x", "token=(redacted)!"),
        (r"(?-i:Token)=\S+", "token=x Token=x", "token=x (redacted)"),
        ("a => b => c", "a => b", "c"),
        ("noise =>", "some noise here", "some  here"),
        ("defaults\ntoken=\\S+", "token=x password=y a@b", "(redacted) password=(redacted) (redacted)@b"),
        ("\ufefftoken\r\nkey\r\n", "a token, a key", "a (redacted), a (redacted)"),
        (r"\# => no", "# 1", "no 1"),
    ],
)
def test_a_file_of_rules(tmp_path: Path, lines: str, said: str, kept: str):
    file = tmp_path / "rules"
    file.write_text(lines, "utf-8", newline="")
    assert Mask(load_rules(file)).message(said) == kept


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"fine\n(open", "line 2: the pattern cannot be used: missing ) at position 5."),
        (b"(a) => \\2", "line 1: the replacement cannot be used: invalid group reference"),
        (b"a => \\g<name>", "line 1: the replacement cannot be used: unknown group."),
        (b"# x\nx*", "line 2: the pattern matches where nothing stands, and so everywhere."),
        (b"a\nb\n\xff", "line 3: this is no text in UTF-8."),
    ],
)
def test_a_rule_that_cannot_work_is_told_with_its_line(tmp_path: Path, content: bytes, told: str):
    file = tmp_path / "rules"
    file.write_bytes(content)
    with pytest.raises(SettingsError) as error:
        load_rules(file)
    assert str(error.value).startswith(f"ERRAND_REDACTION, {file}, {told}")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path):
    settings = load_settings(tmp_path, {"ERRAND_REDACTION": str(tmp_path / "missing")})
    with pytest.raises(
        SettingsError, match=r"ERRAND_REDACTION names .*/missing, which cannot be read: No such file"
    ):
        load_rules(settings.redaction_file)
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        load_rules(tmp_path)
    assert load_settings(tmp_path, {}).redaction_file is None
    assert load_rules(None) == Rules()


def test_a_worker_with_rules_that_cannot_work_does_not_begin(portal: Portal, tmp_path: Path):
    (tmp_path / "rules").write_text("(")
    portal.settings = replace(portal.settings, redaction_file=tmp_path / "rules")
    with pytest.raises(SettingsError, match="line 1"):
        portal.supervisor()


# Secret values

SECRET = 's3cr?t/ü "x"\'\\\t&'


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        repr(SECRET)[1:-1],
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        quote(SECRET, safe="")
        .replace("%2F", "%2f")
        .replace("%3F", "%3f")
        .replace("%C3%BC", "%c3%bc")
        .replace("%5C", "%5c"),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
        html.escape(SECRET),
        json.dumps(SECRET)[1:-1].replace("/", "\\/"),
        json.dumps(SECRET)[1:-1].replace("&", "\\u0026"),
    ],
    ids=range(15),
)
def test_a_secret_value_is_masked_however_it_is_written(form: str):
    mask = Mask(Rules(()), [SECRET])
    assert mask.text(f"<{form}> and {form}{form}") == "<(redacted)> and (redacted)(redacted)"


@pytest.mark.parametrize("before", ["", "u:", "user:", "alice:"])
def test_a_secret_value_is_masked_inside_of_base64(before: str):
    encoded = base64.b64encode(f"{before}hunter2 hunter2:x".encode()).decode()
    masked = Mask(Rules(()), ["hunter2 hunter2"]).text(encoded)
    assert "(redacted)" in masked
    left = [part for part in masked.split("(redacted)") if part]
    # Of the value nothing but a character of six bits at either edge.
    assert all(len(part) <= len(base64.b64encode(f"{before}x:x".encode())) for part in left)


def test_a_secret_value_of_several_lines_is_masked_line_by_line():
    key = "-----BEGIN KEY-----\r\n  abcdefgh\r\n  ab\r\n-----END KEY-----\r\n"
    mask = Mask(Rules(()), [key])
    assert mask.text(f"[{key}]") == "[(redacted)]"
    assert mask.text(key.replace("\r\n", "\n")) == "(redacted)"
    lines = [mask.text(line) for line in key.splitlines()]
    # The third is too short to be told from other words.
    assert lines == ["(redacted)", "  (redacted)", "  ab", "(redacted)"]


def test_a_long_secret_value_is_masked_line_by_line_in_base64():
    secret = "".join(f"line {number} of a key " for number in range(20))
    mask = Mask(Rules(()), [secret])
    lines = base64.encodebytes(secret.encode()).decode().splitlines()
    assert len(lines) > 4
    assert {mask.text(line) for line in lines[:-1]} == {"(redacted)"}


def test_short_values_and_no_values_stay():
    assert Mask(Rules(()), ["abc", "", "1"]).text("abc 1") == "abc 1"
    assert Mask(Rules(()), ["abcd"]).text("abcd 1") == "(redacted) 1"
    assert Mask(Rules(())).text("abcd") == "abcd"


def test_longer_values_go_first_and_nothing_is_replaced_twice():
    mask = Mask(Rules(()), ["hunter", "hunter2", "redacted", "acted) ("])
    assert mask.text("hunter2 hunter redacted") == "(redacted) (redacted) redacted"


def test_secret_values_may_come_later():
    mask = Mask(Rules(()), ["first1"])
    mask.hide(["second2"])
    mask.hide(["second2"])
    assert mask.text("first1 second2") == "(redacted) (redacted)"


def test_the_beginning_of_a_secret_value_at_a_cut_is_masked():
    mask = Mask(Rules(()), ["hunter2-hunt"])
    assert mask.text("it is hunter2-hun", cut=True) == "it is (redacted)"
    assert mask.text("it is hunt", cut=True) == "it is (redacted)"
    assert mask.text("it is hun", cut=True) == "it is hun"
    assert mask.text("hunting", cut=True) == "hunting"
    assert mask.text("hunthunt", cut=True) == "hunt(redacted)"
    # One that ends as it begins, whole at the end.
    assert Mask(Rules(()), ["hunter2-hunter2"]).text("hunter2-hunter2", cut=True) == "(redacted)"
    assert mask.text("it is hunt") == "it is hunt", "nothing was cut"


# JSON


def test_secret_values_in_json_are_masked_and_nothing_else():
    mask = Mask(Rules(), ["hunter2", "98765"])
    value = {
        "list": ["a hunter2", ["u@h", 1, 2.5, None, True], {}],
        "hunter2": "x",
        "number": 98765,
        "hunter2@x": 1,
        "98765@x": 2,
        "username": "alice",
        "text": "password is q",
    }
    assert mask.data(value) == {
        "list": ["a (redacted)", ["u@h", 1, 2.5, None, True], {}],
        "(redacted)": "x",
        "number": "(redacted)",
        "(redacted)@x": 1,
        "(redacted)@x (2)": 2,
        "username": "alice",
        "text": "password is q",
    }


def test_json_that_is_nested_deeper_than_allowed_breaks_nothing():
    value: list = []
    for _ in range(10_000):
        value = [value]
    kept = Mask(Rules()).data(value)
    depth = 0
    while kept:
        [kept] = kept
        depth += 1
    assert depth == 100


# Whole runs


def everything(portal: Portal, result: JobResult) -> str:
    """Return all that is stored of what a run said."""
    entries = [
        (entry.grouping, entry.message, entry.html, entry.object_text, entry.object_url)
        for entry in portal.entries(result)
    ]
    groups = [group.name for group in portal.groups(result)]
    return repr((entries, groups, result.cause, result.output, result.return_value, result.results))


def test_the_messages_of_a_run_lose_their_credentials(portal: Portal):
    result = portal.run("Tells", raw={"secret": "hunter2"})
    assert result.status == "completed", result.cause
    entries = portal.entries(result)
    assert sorted(entry.message for entry in entries) == sorted(
        [
            "Cloning https://(redacted)@git.example.com/network.git",
            "Nothing to see here.",
            "The password is (redacted)",
            "export DB_PASSWORD=(redacted)",
            '{"pwd": "(redacted)"}',
            "An object.",
            "Another.",
        ]
    )
    assert entries[0].html == "<p>Cloning https://(redacted)@git.example.com/network.git</p>"
    # What other programs read is as the job has said it.
    assert result.return_value["url"] == "https://u:hunter2@host/"
    assert result.results["kept"]["count"] == 3


def test_cause_and_traceback_lose_their_credentials(portal: Portal):
    result = portal.run("TellsAsItBreaks", raw={"secret": "hunter2"})
    assert result.status == "errored"
    assert result.cause.startswith(
        "The job raised ValueError: https://(redacted)@host refused username: (redacted) password: (redacted)"
    )
    assert "hunter2" not in everything(portal, result)
    assert "Traceback" in portal.entries(result)[0].message


def test_a_portal_may_have_rules_of_its_own(portal: Portal, tmp_path: Path):
    file = tmp_path / "rules"
    file.write_text("plainly => ~")
    portal.settings = replace(portal.settings, redaction_file=file)
    result = portal.run("Tells", raw={"secret": "plainly"})
    assert portal.entries(result)[0].message == "Cloning https://alice:~@git.example.com/network.git"


@pytest.mark.parametrize("live", ["sqlite"], indirect=True)
@pytest.mark.parametrize("value", ["hunter2 hunter2", "break hunter2", "long hunter2"])
def test_a_run_loses_its_secret_values(portal: Portal, value: str):
    result = portal.run("TellsPlainly", raw={"value": value})
    assert "hunt" not in everything(portal, result)
    messages = [entry.message for entry in portal.entries(result)]
    assert {"It is (redacted)!", "<(redacted)>", "((redacted))"} <= set(messages)
    assert any(message.startswith("xxx") and "x(redacted)… (cut: " in message for message in messages)
    assert result.results == {"(redacted)": ["(redacted)"]}
    if value.startswith("break"):
        assert result.cause.startswith("The job raised ValueError: not with (redacted)")
    elif value.startswith("long"):
        assert result.output.endswith("xx(redacted)\n… (cut: 3 more characters)")
    else:
        assert result.return_value == "(redacted), (redacted)"
