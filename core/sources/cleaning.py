"""From what services and files say to what the library keeps: names, lengths, codes, addresses. Pure."""

import math
import re
import unicodedata
from collections.abc import Iterable
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from core import text_encoding
from core.names import clean

MAX_ADDRESS = 2000
_LONG = 4000  # no name needs more, and cleaning takes time
_MAX_DURATION_S = 7 * 86_400.0
_ISRC = re.compile(r"[A-Z]{2}[A-Z0-9]{3}\d{7}")
_CLOCK = re.compile(r"(?:(\d{1,3}):)?(\d{1,3}):([0-5]\d)(?:[.,]\d+)?(?: ?([AaPp])\.?[Mm]\.?)?")
_GROUPED = re.compile(r"(\d{1,3}([.,'’ ])\d{3}((?:\2\d{3})*))((?!\2)[.,]\d+)?")
_AMOUNT = r"(\d[\d.,'’]*|\d{1,3}(?: \d{3})+)"
_UNITS_S = (86_400.0, 3600.0, 60.0, 1.0, 0.001)
_LENGTH_IN_UNITS = re.compile(
    rf"(?:p ?)?(?:{_AMOUNT} ?(?:d|days?),? ?)?t?"
    rf"(?:{_AMOUNT} ?(?:h|hrs?|hours?|std|stunden?)\.?,? ?)?"
    rf"(?:{_AMOUNT} ?(?:m|mins?|minutes?|minuten?|['’′])\.?,? ?)?"
    rf"(?:{_AMOUNT} ?(?:s|secs?|seconds?|sek|sekunden?|[\"”″]|''|(?<=[m'’′.] \d\d)|(?<=[m'’′]\d\d))\.?)? ?"
    rf"(?:{_AMOUNT} ?(?:ms|msecs?|milliseconds?))?",
    re.IGNORECASE,
)
"""Days, hours, minutes, seconds and milliseconds; ISO 8601 has a P and a T between them."""
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,5}$")
_TRACK_NUMBER = re.compile(r"^(?:\d{1,2}-\d{2}|\d{1,3}(?:[.)\-]|\s-)|0\d{1,2})\s+(?=\S)")  # not the number in "50 Cent"
_DASH = re.compile(r"\s+(?:-{1,2}|[–—―])\s+")
_BARE_DASH = re.compile(r"\s*[—―]\s*")


def name(said: Any) -> str:
    """A name on one line; '' for what is no text."""
    return clean(said[:_LONG]) if isinstance(said, str) else ""


def artist_names(said: Iterable[Any]) -> tuple[str, ...]:
    """Artists in their order, each once, without empty ones; `;` becomes `,` as it is what joins artists elsewhere."""
    names = (name(one.replace(";", ",")) if isinstance(one, str) else "" for one in said)
    return tuple(dict.fromkeys(one for one in names if one))


def isrc(said: Any) -> str | None:
    """An International Standard Recording Code as `GBUM71029604`, or None if it is not one."""
    code = re.sub(r"[\s-]", "", said).upper() if isinstance(said, str) and len(said) < 100 else ""
    return code if code.isascii() and _ISRC.fullmatch(code) else None


def duration_s(said: Any, *, unit_s: float = 1.0, minutes_first: bool = False) -> float | None:
    """Seconds from a length as tables and files write it; None if it is none.

    A number (also as text, also with thousands grouped) counts units of `unit_s`. Text may also be a clock (`3:45`), name
    its units (`3m 45s`, `225 000 ms`), or be an ISO 8601 duration (`PT3M45S`). Of a clock of three parts the first are
    hours, unless `minutes_first`, or unless it is a time of day (`03:45:00 AM`), as spreadsheets make of `3:45`.
    """
    if isinstance(said, str):
        said = " ".join(said.split())[:40]
        if clock := _CLOCK.fullmatch(said):
            said, unit_s = _seconds_of_clock(clock, minutes_first=minutes_first), 1.0
        elif (named := _LENGTH_IN_UNITS.fullmatch(said)) and any(named.groups()):
            parts = zip(named.groups(), _UNITS_S, strict=True)
            said, unit_s = sum(_number(part, is_whole=size < 1) * size for part, size in parts if part), 1.0
        else:
            said = _number(said, is_whole=unit_s < 1)
    try:
        length = float(said) * unit_s
    except (TypeError, ValueError, OverflowError):
        return None
    return length if math.isfinite(length) and 0 < length <= _MAX_DURATION_S else None


def _seconds_of_clock(clock: re.Match[str], *, minutes_first: bool) -> int:
    first, second, third = (int(part or 0) for part in clock.group(1, 2, 3))
    if clock[4]:  # a time of day: hours are minutes
        hours = first if clock[1] else second
        minutes = second if clock[1] else third
        return 60 * (hours % 12 + 12 * (clock[4].upper() == "P")) + minutes
    return 60 * first + second if minutes_first and clock[1] else 3600 * first + 60 * second + third


def _number(text: str, *, is_whole: bool = False) -> float:
    """A number as people write it; NaN if it is none. `225,000` is 225 thousand if `is_whole`, else 225 and no thousandths."""
    grouped = _GROUPED.fullmatch(text)
    if grouped and (is_whole or grouped[2] not in ".," or grouped[3] or grouped[4]):
        text = grouped[1].replace(grouped[2], "") + (grouped[4] or "")
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return math.nan


def address(said: Any) -> str:
    """A web address, or '' if it is none."""
    text = said.strip() if isinstance(said, str) else ""
    if not text or len(text) > MAX_ADDRESS or clean(text, limit=MAX_ADDRESS) != text or " " in text:
        return ""
    try:
        parts = urlsplit(text)
        return text if parts.scheme in ("http", "https") and parts.hostname else ""
    except ValueError:
        return ""


def web_place(text: str) -> tuple[str, str, dict[str, str]] | None:
    """Host, path and query of a web address, also one without `https://`; None if it is none, or names a port."""
    text = text.strip()
    text = text if re.match(r"(?i)https?://", text) else f"https://{text}"
    if not address(text):
        return None
    try:
        parts = urlsplit(text)
        if parts.port or parts.username:
            return None
        return (parts.hostname or "").rstrip("."), parts.path, dict(parse_qsl(parts.query))
    except ValueError:
        return None


def artist_and_title(line: str) -> tuple[str, str]:
    """Artist and title from `Artist - Title`, with any dash that stands free; artist '' if there is none."""
    line = " ".join(line[:_LONG].split())
    for dash in (_DASH, _BARE_DASH):
        parts = dash.split(line, maxsplit=1)
        if len(parts) == 2 and name(parts[0]) and name(parts[1]):
            return name(parts[0].replace(";", ",")), name(parts[1])
    return "", name(line)


def divisions(line: str) -> list[tuple[str, str]]:
    """All the ways to divide `A - B - C` at a dash that stands free: (`A`, `B - C`) and (`A - B`, `C`)."""
    line = " ".join(line[:_LONG].split())
    pairs = [(name(line[: dash.start()]), name(line[dash.end() :])) for dash in islice(_DASH.finditer(line), 8)]
    return [pair for pair in pairs if all(pair)]


def likeness_to_path(artist: str, title: str, path: str) -> int:
    """How much of a path such as `/Artist/Album/01 Title.m4a` agrees with artist and title; 0 if nothing does."""
    grandparent, parent, stem = _parts_of_path(path)
    of_file = artist_and_title(stem)
    singer = _bare(artist)
    agrees = 2 * (_same(stem, title) or _same(of_file[1], title)) + 3 * (
        _bare(of_file[0]) == singer and _same(of_file[1], title)
    )
    return agrees + 2 * (_bare(grandparent) == singer != "") + (_bare(parent) == singer != "")


def artist_in_path(title: str, album: str, path: str) -> str:
    """The artist that `/Artist/Album/01 Title.m4a` or `Artist - Title.m4a` names, where title or album agree; else ''."""
    grandparent, parent, stem = _parts_of_path(path)
    artist, of_file = artist_and_title(stem)
    if artist and _same(of_file, title):
        return artist
    return name(grandparent) if album and _same(parent, album) else ""


def _parts_of_path(path: str) -> tuple[str, str, str]:
    """The two last folders of a path or address ('' if there is none), and the file's name without ending and number."""
    folders = re.split(r"[\\/]", unquote(path) if "://" in path else path)[:-1]
    grandparent, parent = ["", "", *folders][-2:]
    return grandparent, parent, _stem_of_file(path)


def _same(of_file: str, title: str) -> bool:
    """Whether a file's or folder's name is a title, perhaps numbered or cut, or with some characters replaced."""
    full = _bare(title)
    for short in map(_bare, (of_file, re.sub(r"^\d{1,3}\s+", "", of_file))):
        if short == full != "" or (len(short) > 24 and full.startswith(short)):
            return True
    return False


def _bare(text: str) -> str:
    """Only the letters and digits, for comparing."""
    return "".join(ch for ch in unicodedata.normalize("NFKC", text).casefold() if ch.isalnum())


def artist_and_title_of_file(path: str) -> tuple[str, str]:
    """As `artist_and_title`, from the last part of a path or address, without ending and track number."""
    return artist_and_title(_stem_of_file(path))


def _stem_of_file(path: str) -> str:
    last = re.split(r"[\\/]", path.rstrip("\\/ "))[-1]
    if path.startswith(("http://", "https://", "file:")):
        last = unquote(last.split("?")[0].split("#")[0])
    stem = name(_ENDING.sub("", last).replace("_", " "))
    return _TRACK_NUMBER.sub("", stem) or stem


def title_of_file(path: str) -> str:
    """A playlist's title from its file: Exportify writes `_` for spaces."""
    last = re.split(r"[\\/]", path.rstrip("\\/ "))[-1]
    return name(_ENDING.sub("", last).replace("_", " ")) or name(last) or "Playlist"


def text_of(data: bytes) -> str | None:
    """Decode a text file, whatever its encoding; None if it is no text. See `text_encoding.decode`."""
    return text_encoding.decode(data)[0]
