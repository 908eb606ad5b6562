"""Text whose encoding nobody declares: tags and playlists of older programs. Pure.

UTF-8 proves itself. Where it fails, each usual encoding is tried: the answer is the one whose words look most like words
(one script, no capital after a small letter, no signs between letters), and of equals the one that chardet prefers. chardet
alone errs on texts as short as tags.

Undecided text is passed on as Python's `surrogateescape` has it: ASCII, and a lone surrogate for each other byte.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

DEFAULT = "cp1252"
"""Windows' superset of Latin-1, which is what ID3 declares for such text."""
NAMES = {
    DEFAULT: "Windows-1252 (Western European)",
    "cp1251": "Windows-1251 (Cyrillic)",
    "cp932": "Shift-JIS (Japanese)",
    "gb18030": "GBK (Chinese)",
    "cp949": "EUC-KR (Korean)",
    "big5hkscs": "Big5 (Chinese)",
    "euc_jis_2004": "EUC-JP (Japanese)",
    "cp1250": "Windows-1250 (Central European)",
    "cp1253": "Windows-1253 (Greek)",
    "cp1254": "Windows-1254 (Turkish)",
    "cp1255": "Windows-1255 (Hebrew)",
    "cp1256": "Windows-1256 (Arabic)",
    "cp1257": "Windows-1257 (Baltic)",
    "cp874": "Windows-874 (Thai)",
    "koi8-r": "KOI8-R (Cyrillic)",
    "koi8-u": "KOI8-U (Ukrainian)",
    "cp866": "DOS 866 (Cyrillic)",
}
"""The encodings that are tried, as Python and chardet call them: usual ones first, with the names that people know."""
MAX_BYTES = 20_000
"""So much text is looked at; more does not change the answer."""

_COMMON = {
    "cp932": [(0x82, 0x83), (0x88, 0x97)],
    "gb18030": [(0xB0, 0xD7)],
    "cp949": [(0xB0, 0xC8)],
    "big5hkscs": [(0xA4, 0xC6)],
    "euc_jis_2004": [(0xA4, 0xA5), (0xB0, 0xCF)],
}
"""First bytes of the characters in daily use (kana, level-1 ideographs, Hangul); the rest of each table is rare."""
_SIGNS = "‘’‚“”„«»‹›–—…·•´¡¿°№™©®×½、。・「」『』〜～！？（）：ー々"
_INSIDE = frozenset("’‘´·–—…×、。・「」『』〜～！？（）：ー々")
"""Signs that words may have around them, and inside."""
_BETWEEN_WORDS = re.compile(r"[\s\x00-\x40\[-`{-\x7f]+")
_ASCII = frozenset(map(chr, range(128)))
_EAST_ASIAN = {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "IDEOGRAPHIC"}
_CHARDET_SHARE = 0.3
_LATIN_BONUS = 0.15
_RANK_COST = 0.004
_CLOSE = 0.5
_SUITS = 0.5
_ICELANDIC = frozenset("þðýÞÐÝ")
"""Where these stand in Windows-1252, Turkish, Croatian and Baltic letters do in its neighbours: far more songs have those."""


def decode(data: bytes) -> tuple[str | None, str]:
    """Decode a text file of unknown encoding.

    Returns
    -------
    tuple of (str or None, str)
        The text, without a byte order mark; None if `data` is no text. And the encoding that was guessed, a key of `NAMES`;
        "" where none had to be: UTF-8, also where a few bytes of it are damaged, and UTF-16 with its mark.

    """
    encoding = ""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", errors="replace")
    else:
        text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace")
        damaged = text.count("\ufffd")
        if damaged and damaged >= sum(ch > "\x7f" for ch in text) - damaged:  # hardly anything else is UTF-8
            encoding = guess([data])
            text = data.decode(encoding, errors="replace")
    return (None if "\0" in text else text), encoding


def is_undecided(text: str) -> bool:
    """Whether `text` holds bytes that nobody has decoded."""
    return any("\udc80" <= ch <= "\udcff" for ch in text)


def undecided(data: bytes) -> str:
    """`data` as text if it is UTF-8 (or ASCII), else as undecided text."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("ascii", errors="surrogateescape")


def bytes_of(text: str) -> bytes:
    """The bytes of undecided text."""
    return text.encode("utf-8", errors="surrogateescape")


def decided(text: str, encoding: str) -> str:
    """Undecided text by `encoding`; other text as it is."""
    return bytes_of(text).decode(encoding, errors="replace") if is_undecided(text) else text


def readable(text: str) -> str:
    """Undecided text by a guess of its own; other text as it is."""
    return decided(text, guess([bytes_of(text)])) if is_undecided(text) else text


def guess(texts: Iterable[bytes]) -> str:
    """The encoding that `texts`, which are not UTF-8, have in common: a key of `NAMES`.

    The more text, the surer: give it all that comes from one file, or one folder.
    """
    parts, size = [], 0
    for text in texts:
        for line in text.splitlines():
            if size < MAX_BYTES and not line.isascii():
                parts.append(line[:MAX_BYTES])
                size += len(line)
    return _guess(b"\n".join(parts))


def guesses(related: Sequence[Sequence[bytes]]) -> list[str]:
    """The encoding of each of several texts, such as the tags of the files of a folder.

    It is the one that all have in common, or a guess of its own for a text of which that one would make no words.
    """
    common = guess(line for text in related for line in text)
    return [common if _strangeness(b"\n".join(text), common) < _SUITS else guess(text) for text in related]


@lru_cache(maxsize=64)
def _guess(data: bytes) -> str:
    costs = {encoding: _strangeness(data, encoding) + _RANK_COST * rank for rank, encoding in enumerate(NAMES)}
    close = {encoding: cost for encoding, cost in costs.items() if cost <= min(costs.values()) + _CLOSE}
    confidence = _chardet(data)
    for encoding in close:
        small = data.decode(encoding, errors="replace").lower().encode(encoding, errors="replace")
        if small != data:  # chardet knows how often small letters are, not capitals
            confidence[encoding] = max(confidence.get(encoding, 0.0), _chardet(small).get(encoding, 0.0))
    if DEFAULT in close and not _ICELANDIC.intersection(data.decode(DEFAULT, errors="replace")):
        close[DEFAULT] -= _LATIN_BONUS
    best = max((confidence.get(encoding, 0.0) for encoding in close), default=0.0) or 1.0
    return min(close, key=lambda encoding: close[encoding] - _CHARDET_SHARE * confidence.get(encoding, 0.0) / best)


def _chardet(data: bytes) -> dict[str, float]:
    """Confidence of chardet in each encoding; none where it is not installed (the guest environment)."""
    try:
        import chardet
    except ImportError:
        return {}
    if not data:
        return {}
    found = chardet.detect_all(data, ignore_threshold=True, include_encodings=tuple(NAMES), compat_names=False)
    return {row["encoding"]: row["confidence"] for row in found if row["encoding"]}


def _strangeness(data: bytes, encoding: str) -> float:
    """From 0 (all words look like words) to 1.5: the mean over the words that are not ASCII; 2 without any."""
    text = data.decode(encoding, errors="replace")
    if encoding in _COMMON:  # ID3v1 cuts text off after 30 bytes, in the middle of a character
        text = text.replace("\ufffd\n", "\n").removesuffix("\ufffd")
    words: list[str] = [word for word in _BETWEEN_WORDS.split(text) if not word.isascii()]
    weights = [sum(ch > "\x7f" for ch in word) for word in words]
    if not words:
        return 2.0
    strange = [w * _strange(word, encoding) for word, w in zip(words, weights, strict=True)]
    return sum(strange) / sum(weights)


def _strange(word: str, encoding: str) -> float:
    if any(ch == "\ufffd" or unicodedata.category(ch) in ("Cc", "Cn", "Co") for ch in word):
        return 1.5
    letters = [ch for ch in word if ch.isalpha() or unicodedata.category(ch).startswith("M")]
    foreign = [ch for ch in letters if ch > "\x7f"]
    if encoding in _COMMON:
        wide = [ch for ch in word if ch > "\x7f" and ch not in _INSIDE]
        rare = sum(not _is_common(ch, encoding) for ch in wide)
        mixed = len({_script(ch) for ch in letters}) > 1
        return (rare / len(wide) if wide else 0.0) + 0.5 * mixed
    inside = word.strip(_SIGNS)
    if len({_script(ch) for ch in letters}) > 1 or set(inside) - set(foreign) - _INSIDE - _ASCII:
        return 1.0
    if any(a.islower() and b.isupper() for a, b in pairwise(word)):
        return 1.0
    latin = bool(letters) and _script(letters[0]) == "LATIN"
    return 1.0 if latin and len(letters) > 1 and len(foreign) > 2 * len(letters) / 3 else 0.0


def _is_common(ch: str, encoding: str) -> bool:
    try:
        code = ch.encode(encoding)
    except UnicodeEncodeError:  # it was one of two characters of one code
        return False
    kana_of_japan = encoding == "gb18030" and _script(ch) == "EAST ASIAN" and not ch >= "\u3400"
    return len(code) == 2 and not kana_of_japan and any(low <= code[0] <= high for low, high in _COMMON[encoding])


def _script(ch: str) -> str:
    first = unicodedata.name(ch, "?").split()[0]
    return "EAST ASIAN" if first in _EAST_ASIAN else first
