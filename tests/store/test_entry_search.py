"""What a query means, and what the words of a text are."""

import pytest

from store.entry_search import BadQuery, parse, plain_text
from store.entry_search.words import words_of


def test_a_query_is_words_phrases_beginnings_and_what_is_not_to_be_there():
    query = parse('Ping -"no answer" rtr-0* "10.0.0.1 ÜBER" -x')
    assert query.as_tsquery() == (
        "(ping) & !(no <-> answer) & (rtr <-> 0:*) & (10 <-> 0 <-> 0 <-> 1 <-> uber) & !(x)"
    )
    assert query.as_fts5() == '("ping" "rtr 0" * "10 0 0 1 uber") NOT ("no answer" OR "x")'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "Write a word that is to be there"),
        ("-down", "Write a word that is to be there"),
        ('say "hello', "A quotation mark is missing"),
        ('"a"b', "leave a space"),
        ('""', "an empty phrase there is no letter"),
        ("up ***", "star may only be the last"),
        ("a*b", "star may only be the last"),
        ("-", "In - there is no letter"),
        ("a*", "at least 2 letters"),
        (" ".join(["word"] * 17), "too many words"),
        ("x" * 201, "too long"),
    ],
)
def test_what_cannot_be_looked_for_is_said(text: str, says: str):
    with pytest.raises(BadQuery, match=says.replace("*", r"\*")):
        parse(text)


def test_words_are_those_a_reader_sees():
    html = '<p>Port <strong>Te1/1</strong> &amp; <a href="/x?hidden=1" title="a > b">Zürich</a></p><pre>a\nif_up</pre>'
    assert plain_text(html) == "Port Te1/1 & Zürich\na\nif_up\n"
    assert words_of(plain_text(html)) == ["port", "te1", "1", "zurich", "a", "if", "up"]
    assert words_of("Zu\u0308rich ½ " + "x" * 100) == ["zurich", "12", "x" * 64]


def test_all_that_is_looked_for_is_marked():
    text = "rtr-01 answered; rtr-013 did not answer, Äpfel"
    spans = parse("rtr-01* apfel -answered").marked(text)
    assert [text[start:end] for start, end in spans] == ["rtr-01", "rtr-013", "Äpfel"]
