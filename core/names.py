"""Names on one line. Pure."""

import unicodedata

MAX_NAME = 300
"""Longer names are cut: they are noise, and they break tables."""
MAX_GENRE = 60


def clean(text: str, *, limit: int = MAX_NAME) -> str:
    """`text` on one line, without control and direction characters, at most `limit` long."""
    if not text.isprintable():  # printable text has nothing to take out
        text = "".join(" " if ch.isspace() else ch for ch in text if ch.isspace() or unicodedata.category(ch)[0] != "C")
    return " ".join(text.split())[:limit].strip()
