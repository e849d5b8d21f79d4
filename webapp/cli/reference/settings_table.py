"""The table of all settings."""

from store.setting_words import GROUPS
from webapp.cli.reference.tables import table

HEAD = ("setting", "default", "meaning", "read by")


def text() -> str:
    parts = []
    for group, settings in GROUPS.items():
        rows = (
            (f"`{words.name}`", words.default, words.meaning, ", ".join(words.readers)) for words in settings
        )
        parts.append(f"## {group}\n\n{table(HEAD, rows)}")
    return "\n".join(parts)
