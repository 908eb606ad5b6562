"""Names: of artists (the one parser of artist fields), of songs for comparing, and read off a file name. Pure.

Two spellings are one artist if `artist_key` is equal. It ignores case, accents, script (`Кино` is `Kino`), punctuation,
spaces, a leading "the", "and" or "&" between words, and what YouTube adds to channels; "$" and "!" inside a word are "s"
and "i". Names of symbols only (`!!!`) are compared as they are.

Initials are the word of their letters (`R.E.M.` is `REM`), but not where that is another artist's everyday word or first
name (`SPELLED_OUT`): `H.E.R.` is not `Her`.
"""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from anyascii import anyascii

from core.names import MAX_GENRE, MAX_NAME, clean  # noqa: F401 - the limits are still found here, too

# -- words -------------------------------------------------------------------------------------------------------------

_LONG = 600
"""More characters of a name are not read: none is so long, and reading takes time."""
_APOSTROPHES = re.compile(r"['`´]")
_INITIALS = re.compile(r"\b(?:[a-z]\.){2,}")  # R.E.M. is one word
_WORD = re.compile(r"[a-z0-9]+")
_S_FOR_DOLLAR = re.compile(r"\$(?=[a-z])|(?<=[a-z])\$")  # A$AP, Joey Bada$$
_I_FOR_MARK = re.compile(r"(?<=[a-z])!(?=[a-z])")  # P!nk
_SHORT = {"pt": "part"}


def plain_line(text: str) -> str:
    """`text` on one line, as lower-case ASCII."""
    if not text.isascii():
        text = anyascii(unicodedata.normalize("NFKC", text))
    return clean(text.casefold(), limit=_LONG)


def word_line(plain: str) -> str:
    """The words of a plain line by single spaces; "&" and a lonely "n" between words are "and", "pt" is "part"."""
    if "$" in plain or "!" in plain:
        plain = _I_FOR_MARK.sub("i", _S_FOR_DOLLAR.sub("s", plain))
    plain = _INITIALS.sub(lambda match: match.group().replace(".", "") + " ", plain)
    words = _WORD.findall(_APOSTROPHES.sub("", plain).replace("&", " and "))
    last = len(words) - 1
    return " ".join("and" if word == "n" and 0 < i < last else _SHORT.get(word, word) for i, word in enumerate(words))


def words(text: str) -> tuple[str, ...]:
    """The words of any text, comparable: lower-case ASCII without accents and punctuation."""
    return tuple(word_line(plain_line(text)).split())


def symbols(plain: str, raw: str) -> str:
    """Something comparable where there are no words: the symbols themselves. No "|": that separates parts of a key."""
    return (plain or clean(raw.casefold(), limit=_LONG)).replace("|", "¦")


def comparable(name: str) -> str:
    """`name` for comparing: without case, accents and punctuation; words separated by single spaces."""
    plain = "".join(ch for ch in unicodedata.normalize("NFKD", name) if not unicodedata.combining(ch))
    return " ".join(re.findall(r"\w+", plain.casefold().replace("_", " ")))


# -- artists -----------------------------------------------------------------------------------------------------------

FEATURING = r"(?:feat|ft|featuring)\b[.\s]*"

_NEXT_JOINER = r"(?:[&+/|*,;)\]]|(?:and|with|vs|x|feat|ft|featuring)\b)"
_SEPARATE = re.compile(
    # not in "Little Feat & Friends" nor in "A Feat of Strength"
    rf";|[\s(\[](?:{FEATURING}(?=\S)(?!{_NEXT_JOINER}|of\b)|(?:aka|a\.k\.a\.?)\s+(?=\S))",
    re.IGNORECASE,
)
_JOINERS = re.compile(
    r"(?<!\d)\s*[,،、]|[,،、]\s*(?!\d)|×"  # not in "10,000 Maniacs"
    r"|(?<=[^\W_]{3})/(?=[^\W\d_](?:[^\W\d_]|\s){2})"  # ID3v2.3 writes "Beyoncé/JAY-Z"; not in "AC/DC"
    r"|[\s(\[](?:&|\+|/|\||\*|and|und|et|och|og|vs\.?|versus|with|mit|avec|con|w/|pres\.?|presents)(?=\s)"
    rf"|[\s(\[][xy](?=\s+(?!{_NEXT_JOINER})\S)",  # not in "Lil Nas X & Jack Harlow"
    re.IGNORECASE,
)
_SORTED_UNDER = re.compile(r"([^,]+),\s*(the|a|an|los|las|les|der|die|das|el|la|le)", re.IGNORECASE)  # "Beatles, The"
_CHANNEL = re.compile(r"(?:\s+[-–—]\s+topic|(?<=\w)\s?vevo)$", re.IGNORECASE)
_GROUP = (
    r"(?:orchest(?:ra|er|re)|orquesta|orkester|bands?|friends|choir|chor|chorus|ensemble|trio|quartett?|quintett?|sextett?"
    r"|septett?|combo|strings|guests|boys|men|gang|all stars|allstars)"
)
_ACCOMPANIMENT = re.compile(
    rf"(?:his|her|their|sein|seine|ihr|ihre|son|ses|sa|su|sus|seu|seus)\s.*\b{_GROUP}|{_GROUP}|others|more|al|etc|various",
    re.IGNORECASE,
)
"""Named beside an artist, these are nobody: `His Orchestra` would join all bandleaders to one artist."""
_PLACEHOLDER = re.compile(r"[\s()\[\]{}<>\"'.,:;_/\\-]*")
_WRITTEN_UNKNOWN = (
    "unknown; unknown artist; unknown artists; artist unknown; various; various artist; various artists; "
    "various interprets; various performers; va; vv aa; aa vv; no artist; none; null; traditional; trad; "
    "unbekannt; unbekannter interpret; unbekannter künstler; verschiedene interpreten; verschiedene künstler; "
    "diverse interpreten; diverse artister; inconnu; artiste inconnu; artistes divers; artistes variés; "
    "artista desconocido; varios artistas; varios intérpretes; artista desconhecido; vários artistas; vários intérpretes; "
    "artista sconosciuto; artisti vari; onbekende artiest; diverse artiesten; okänd artist; ukjent artist; "
    "nieznany wykonawca; różni wykonawcy; neznámý interpret; různí interpreti; bilinmeyen sanatçı; "
    "неизвестный исполнитель; неизвестен; разные исполнители; различные исполнители; сборник; "
    "невідомий виконавець; різні виконавці; 不明なアーティスト; ヴァリアス・アーティスト; オムニバス; "
    "未知艺术家; 未知藝人; 未知歌手; 群星; 알 수 없는 아티스트"
)
UNKNOWN = frozenset("".join(words(name)) for name in _WRITTEN_UNKNOWN.split(";"))
"""Names, without spaces, that say that the artist is not known or that there are many: no artist."""

SPELLED_OUT = frozenset(
    [
        "ace",
        "bob",
        "dad",
        "gem",
        "he",
        "heat",
        "her",
        "him",
        "his",
        "it",
        "its",
        "me",
        "mia",
        "my",
        "she",
        "spy",
        "them",
        "us",
        "we",
        "william",
        "you",
    ]
)
"""Words and first names that are another artist when they are written in pieces: Her and H.E.R., William and will.i.am."""
INITIALS_IN_CAPITALS = frozenset({"bob", "gem", "her", "mia"})
"""Of these, in capitals without dots the initials are meant: HER is H.E.R.; others are words in any case."""


class Artist(NamedTuple):
    """One artist of a credit: the name as it is written there, and the key by which artists are compared."""

    name: str
    key: str


def artist_key(name: str) -> str:
    """The key by which one artist's name is compared, without taking it apart.

    Parameters
    ----------
    name : str
        An artist's name as any source writes it.

    Returns
    -------
    str
        Lower-case ASCII letters and digits without spaces (with dots for `SPELLED_OUT`); the symbols themselves where
        there are none of these. '' if the name says nothing, or is one of `UNKNOWN`.

    Examples
    --------
    >>> artist_key("The Beatles - Topic"), artist_key("H.E.R."), artist_key("Various Artists")
    ('beatles', 'h.e.r', '')

    """
    return _key(_unsorted(_one_line(name)))


def artists(credit: str) -> tuple[Artist, ...]:
    """Everyone named in an artist field, in order.

    Names are taken apart at ";", ",", "&", "+", "/", "x", "and", "with", "vs.", "feat." and their like in some other
    languages, as services do not agree on which joined name is one artist: `Earth, Wind & Fire` gives three. `AC/DC`,
    `10,000 Maniacs`, `Lil Nas X` and `Beatles, The` are not taken apart.

    Parameters
    ----------
    credit : str
        An artist field, such as `"Simon & Garfunkel feat. Somebody"`.

    Returns
    -------
    tuple of Artist
        Without unknown and various artists, and without what only accompanies (`& His Orchestra`). Empty if nobody is
        named.

    """
    found: dict[str, Artist] = {}
    for _, members in _read(credit):
        for artist in members:
            found.setdefault(artist.key, artist)
    return tuple(found.values())


@lru_cache(maxsize=65_536)
def artist_keys(credit: str) -> frozenset[str]:
    """Keys by which two artist fields share an artist: they do if they have one in common. Empty if nobody is named.

    These are the keys of `artists`, and of joined names as wholes (`Tyler, The Creator` is `Tyler The Creator`); for
    capitals that may be initials or a word, both.
    """
    keys = {artist.key for artist in artists(credit)}
    for group, members in _read(credit):
        if len(members) > 1:
            keys.add(_key(group))
        for member in members:
            word = member.key.replace(".", "")
            if word in SPELLED_OUT and member.name.isupper() and member.name.isalpha():
                keys |= {word, ".".join(word)}
    return frozenset(keys - {""})


def joined_name(credit: str) -> frozenset[str]:
    """Keys of the first name in a credit that may be one artist's: of `Earth, Wind & Fire feat. B` without B."""
    return next((frozenset(artist.key for artist in members) for _, members in _read(credit) if members), frozenset())


@lru_cache(maxsize=65_536)
def _read(credit: str) -> tuple[tuple[str, tuple[Artist, ...]], ...]:
    """The names in a credit that are surely separate (cut at ";", NUL, "feat." and "aka"), and the artists in each."""
    line = _one_line(credit.replace("\0", ";"))
    groups = [_unsorted(group.strip()) for group in _SEPARATE.split(line) if group.strip()]
    return tuple((group, _members(group)) for group in groups)


def _unsorted(name: str) -> str:
    """`The Beatles` of `Beatles, The`."""
    match = _SORTED_UNDER.fullmatch(name)
    return f"{match[2]} {match[1]}" if match else name


def _members(group: str) -> tuple[Artist, ...]:
    members: list[Artist] = []
    for part in filter(None, map(str.strip, _JOINERS.split(group))):
        name = part.strip("()[]. ") or part
        if members and (_ACCOMPANIMENT.fullmatch(name) or name.casefold() == "the"):
            continue
        if key := _key(part):
            members.append(Artist(part, key))
    return tuple(members)


def _one_line(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text[: 4 * _LONG])
    return clean(text, limit=_LONG)


def _key(line: str) -> str:
    name = _CHANNEL.sub("", line)
    plain = plain_line(name)
    words = word_line(plain).split()
    if not words:
        return "" if _PLACEHOLDER.fullmatch(plain or name) else symbols(plain, name)
    if "".join(words) in UNKNOWN:
        return ""
    if len(words) > 1 and words[0] == "the":
        del words[0]
    last = len(words) - 1
    joined = "".join(word for i, word in enumerate(words) if word != "and" or i in (0, last))
    return _spelled_out(joined, name, plain) if joined in SPELLED_OUT else joined


def _spelled_out(word: str, name: str, plain: str) -> str:
    """`h.e.r` if the word is written in pieces, or is initials in capitals; else the word."""
    pieces = _WORD.findall(plain)
    if "".join(pieces) != word:  # an article, or symbols for letters
        return word
    if len(pieces) == 1 and word in INITIALS_IN_CAPITALS and name.isupper():
        pieces = list(word)
    return ".".join(pieces)


# -- file names --------------------------------------------------------------------------------------------------------

_TRACK_NUMBER = re.compile(r"^(?:\d{1,3}(?:[.)\-]|\s-)|0\d{1,2})\s+(?=\S)")  # not the number in "50 Cent"
_DOWNLOAD_ID = re.compile(r"\s*\[(?:\d+|[\w-]{11})\]$")


def artist_and_title(stem: str) -> tuple[str, str]:
    """Artist ('' if not told) and title from a file name such as `01 - Artist - Title [id]`, without its ending."""
    name = clean(_DOWNLOAD_ID.sub("", clean(stem)).replace("_", " "))
    name = _TRACK_NUMBER.sub("", name) or name
    artist, separator, title = name.partition(" - ")
    if separator and artist.strip() and title.strip():
        return artist.strip(), title.strip()
    return "", name or clean(stem) or "untitled"
