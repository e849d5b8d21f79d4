"""Passwords that others think of first: words of every list of common ones, and rows of keys, with digits around them."""

#: What lists of passwords that were stolen begin with, and what stands where a system was set up.
_WORDS = """
    access admin administrator alexander amanda andrew angel ashley august austin banana baseball basketball batman
    biteme boomer changeme charlie cheese chelsea chicken chocolate computer cookie corvette dallas daniel december default
    diamond dragon eagle errand falcon february flower football forever freedom friday friends george ginger golf
    hannah harley heather hello hockey hunter iceman iloveyou internet iwantu january jasmine jennifer jessica jordan joshua
    july june justin killer kitten knight letmein liverpool login london lovely loveme lucky maggie march martin master
    matrix matthew merlin michael michelle mickey monday monkey monster mustang mynoob naruto newyork nicole november
    october orange pass passw0rd password passwort patrick pepper phoenix pokemon princess purple qazwsx ranger robert root
    samantha saturday secret september shadow silver slipknot soccer sommer spiderman spring starwars steelers sunday
    sunshine superman summer superuser system taylor tennis test thomas thunder thursday tigger trustno tuesday user
    victoria wednesday welcome whatever willkommen winner winter yankees yellow zaq
"""
WORDS = frozenset(_WORDS.split())
_LONGEST = max(map(len, WORDS))

#: Neighbours on keyboards and in the alphabet, to be gone along in either direction.
_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "qwertzuiop",
    "asdfghjkl",
    "zxcvbnm",
    "yxcvbnm",
)
_ALONG = (*_ROWS, *(row[::-1] for row in _ROWS))
_SHORTEST_WALK = 3

#: How letters are written that nobody is to know.
_AS_LETTERS = str.maketrans("013457@$!|", "oieastasil")


def is_common(password: str) -> bool:
    """Tell whether a password is a repetition, or for half of it or more common words and walks along the keys.

    The rest may be digits and signs; another letter makes it another password.
    """
    text = password.lower()
    # A text stands in itself twice at another place than its beginning only where it is a repetition.
    if (text + text).find(text, 1) < len(text):
        return True
    return _covered(text) * 2 >= len(text)


def _covered(text: str) -> int:
    """Return how many characters of a text the words and walks have that it is made of; 0 where it has other letters."""
    plain = text.translate(_AS_LETTERS)
    # By how far one has come: the most of it that is no digit or sign between words.
    most: dict[int, int] = {0: 0}
    for end in range(1, len(text) + 1):
        ways = [
            most[start] + end - start
            for start in range(max(0, end - max(_LONGEST, len(_ROWS[0]))), end)
            if start in most and (_is_piece(text[start:end]) or plain[start:end] in WORDS)
        ]
        if not text[end - 1].isalpha() and end - 1 in most:
            ways.append(most[end - 1])
        if ways:
            most[end] = max(ways)
    return most.get(len(text), 0)


def _is_piece(part: str) -> bool:
    return part in WORDS or (len(part) >= _SHORTEST_WALK and any(part in row for row in _ALONG))
