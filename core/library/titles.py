"""Reading titles as services write them: what the title proper is, which version is meant, and who is credited. Pure.

All comparing is done on lower-case ASCII transliterations, so that `Кино` and `Kino` agree. Noise in a title, such as
"2011 Remaster", is dropped; a bracket that no rule knows stays part of the title, and all words of a version are kept,
so that nothing is made one which was written apart.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from core.library.names import FEATURING, artists, plain_line, symbols, word_line
from core.names import clean

# -- titles ------------------------------------------------------------------------------------------------------------


class Title(NamedTuple):
    """A title, read: base and version as words, and the comparable names of those it credits."""

    base: str
    version: str
    featured: frozenset[str]


class _Read(NamedTuple):
    """What a piece of a title turned out to be: versions and featured people, and the words that stay in the base."""

    stays: str = ""
    versions: frozenset[str] = frozenset()
    featured: str = ""


_DASH = re.compile(r"(?:^|\s)-+(?:\s|$)")
_ANY_PART = re.compile(r"\s*[;/|,()\[\]{}]\s*|\s-+\s")
_BRACKET = re.compile(r"([(\[{)\]}])")
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_BARE_CREDIT = re.compile(rf"(?<=\S)\s{FEATURING}(?=\S)")
_CREDIT = re.compile(
    # "(with You)" is a part of the title; "(with Strings)" is an arrangement
    rf"^(?:{FEATURING}|w/\s*|(?:duet )?with (?!(?:or|you|your|u|me|my|a|an|no|it|its|this|that|all|us|him|her|them|out|"
    r"love|strings|orchestra|piano|vocals?|lyrics|subtitles|intro|outro)\b)|prod(?:uced|\.)? (?:by )?)(?=\S)"
)
_QUOTED_FILM = re.compile(r'(?:(?<=[(\[{])|(?<=- ))(?:music )?from (?:the [^"]{0,40})?"[^"]*"')  # may hold brackets
_PRODUCER = re.compile(r"^prod")


@lru_cache(maxsize=65_536)
def read_title(title: str) -> Title:
    """Base, version and credits in `title`. Never fails; the base is '' only if nothing in the title is visible."""
    plain = plain_line(title)
    kept: list[str] = []
    versions: set[str] = set()
    credit: list[str] = []
    for text, is_head in _pieces(_QUOTED_FILM.sub("", plain)):
        piece = _read_head(text) if is_head else _read_piece(text)
        kept.append(piece.stays)
        versions |= piece.versions
        credit.append(piece.featured)
    rest = clean(" ".join(kept))
    if not rest or not (versions or word_line(rest)):  # nothing but brackets or symbols: they are the title
        rest, versions = plain, set()
    base = _without_credit(word_line(rest)) or symbols(rest, title)
    featured = frozenset(artist.key for text in credit for artist in artists(text))
    return Title(base, ", ".join(sorted(versions)), featured)


def _pieces(plain: str) -> Iterator[tuple[str, bool]]:
    """The title cut at brackets and at dashes between spaces; True for pieces of the head, before the first dash."""
    is_head = True
    for text, in_brackets in _bracketed(plain):
        if in_brackets:
            yield text, False
            continue
        for number, part in enumerate(_DASH.split(text)):
            is_head = is_head and number == 0
            yield part.strip(), is_head


def _bracketed(plain: str) -> Iterator[tuple[str, bool]]:
    """Runs of text in order, True for those in brackets of any kind; a bracket never closed goes to the end."""
    depth, run = 0, ""
    for part in _BRACKET.split(plain):
        closes = part in _CLOSING
        if (part in _OPENING and depth == 0) or (closes and depth == 1):
            yield run, depth > 0
            run = ""
        else:
            run += part if depth else part.strip(")]}")
        depth = depth + 1 if part in _OPENING else max(0, depth - 1) if closes else depth
    yield run, depth > 0


def _read_head(text: str) -> _Read:
    """The title proper: only credits without brackets are taken off it."""
    for match in _BARE_CREDIT.finditer(text):
        if _is_credit(word_line(text[: match.start()]), match.group(), word_line(text[match.end() :])):
            return _Read(text[: match.start()], featured=text[match.end() :])
    return _Read(text)


def _is_credit(before: str, word: str, after: str) -> bool:
    """Whether "ft" and "feat" credit somebody: not in `Six Ft. Under`, nor in `A Feat of Strength`."""
    if not before or not after:
        return False
    if word.strip().startswith("ft"):
        return not re.search(r"(?:\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twenty|hundred))$", before)
    return not re.match(r"(?:of|in|for)\b", after)


def _without_credit(base: str) -> str:
    """`base` cut where a credit begins that brackets had hidden; so reading a base again changes nothing."""
    for match in re.finditer(r"\b(?:feat|ft|featuring)\b", base):
        before, after = base[: match.start()].rstrip(), base[match.end() :].lstrip()
        if _is_credit(before, match.group(), after):
            return before
    return base


def _read_piece(text: str) -> _Read:
    """A bracket or what follows a dash: noise, a credit, a version, several of these, or words of the title."""
    parts = [_read_part(part) for part in _ANY_PART.split(text) if part.strip()]
    if any(part.stays for part in parts):
        return _read_part(text)
    versions = frozenset[str]().union(*(part.versions for part in parts))
    return _Read("", versions, " & ".join(part.featured for part in parts if part.featured))


def _read_part(text: str) -> _Read:
    if credit := _CREDIT.match(text):
        return _Read("", featured="" if _PRODUCER.match(text) else text[credit.end() :])
    text, featured = _cut_credit(text)
    words, is_noise = _without_noise(text)
    versions = _versions(words)
    if versions is None and not is_noise:
        return _Read(text, featured=featured)
    return _Read("", versions or frozenset(), featured)


def _cut_credit(text: str) -> tuple[str, str]:
    """A piece and who is featured in it: "x remix", "y" of "x remix feat. y"."""
    if match := _BARE_CREDIT.search(text):
        return text[: match.start()], text[match.end() :]
    return text, ""


# -- noise and versions ------------------------------------------------------------------------------------------------

_FROM_FILM = re.compile(
    r"^(?:(?:music |song |theme |title track )?from (?:the .{0,40})?(?:\"|'(?=\w[^']*'))|as heard in \").*"
    r"|^(?:music |song )?from the .*\b(?:motion picture|film|movie|musical|soundtrack|series|video game|album)\b.*"
    r"|(?:\boriginal )?\b(?:motion picture |movie |film |game |television |tv |series |musical )*(?:soundtrack|ost)\b"
)
_REMASTER = re.compile(
    r"(?:\b(?:19|20)\d\d )?(?:\b(?:new|newly|digital|digitally|hd|4k|24 bit) )?\bremaster(?:ed|ing|izado|ise|isee)?"
    r"(?:(?:19|20)\d\d)?\b(?: (?:version|edition|edit|mix|album version)\b)?(?: (?:in )?(?:19|20)\d\d\b)?"
)
_NOISE_WORDS = (
    r"official|video|videoclip|clip|audio|visuali[sz]er|lyrics?|hd|hq|uhd|4k|1080p|720p|explicit|mono|stereo|mv"
)
_NOISE = re.compile(
    rf"(?:(?:full|music|song|with|high|quality) )*(?:{_NOISE_WORDS})(?: (?:{_NOISE_WORDS}|music|song|version|mix|content))*"
    r"|original(?: mix| version)?|(?:original )?(?:album|lp)(?: mix| version| edit)?"
    r"|(?:\w+ ){0,2}bonus(?: track)?(?: version)?|free download|out now|premiere|high quality|single"
    r"|(?:\w+ )?(?:deluxe|special|expanded|anniversary|collectors|limited) edition|deluxe(?: version)?"
    r"|(?:ncs|monstercat)(?: official)? release|m v|video oficial|clip officiel|letra"
)
_INCHES = re.compile(r'\b(7|12) ?"')
_VER = re.compile(r"(?<=\w )ver$")
_EDGE_NOISE = re.compile(rf"^(?:(?:{_NOISE_WORDS}|original) )+|(?: (?:{_NOISE_WORDS}))+$")


def _without_noise(plain: str) -> tuple[str, bool]:
    """Words of a piece without noise; True if what is left is only worth keeping where it names a version."""
    plain = _INCHES.sub(r"\1 inch ", plain)
    rest = _FROM_FILM.sub(" ", plain)
    words = word_line(rest)
    shorter = _REMASTER.sub(" ", words)
    is_noise = rest != plain or shorter != words  # words beside these say who did it, or in which film
    words = " ".join(_VER.sub("version", shorter).split())
    if not words or _NOISE.fullmatch(words):
        return "", is_noise or bool(words)
    return _EDGE_NOISE.sub("", words), is_noise


_FORMS = {
    "12 inch": r"(?:12|twelve) ?(?:inch|in)(?: (?:version|mix|single))?|12 (?:version|mix)|maxi(?: single)?(?: version)?",
    "7 inch": r"(?:7|seven) ?(?:inch|in)(?: (?:version|mix|edit|single))?|7 (?:version|mix)",
    "8d": r"8d(?: audio| version)?",
    "a cappella": r"a ?cc?app?ell?a(?: version)?",
    "acoustic": r"acoustic(?: version| mix)?|acustic[oa]|version acustica|version acoustique|acustica version",
    "clean": r"clean(?: version| edit)?",
    "cover": r"cover(?: version)?",
    "demo": r"demo(?: version| recording)?",
    "dub mix": r"dub(?: mix| version)?",
    "edit": r"edit|edited(?: version)?",
    "extended mix": r"extended(?: mix| version| edit| cut)?",
    "instrumental": r"instrumentals?(?: version| mix)?",
    "karaoke": r"karaoke(?: version)?",
    "live": r"(?:recorded )?live(?: version| recording| performance)?|en vivo|en directo|ao vivo|dal vivo|in concert",
    "nightcore": r"nightcore(?: version| mix)?",
    "radio edit": r"radio(?: edit| mix| version| cut)|edit radio",
    "remix": r"remix(?: version)?|rmx|remixed(?: version)?|version remix",
    "reimagined": r"re ?imagined(?: version)?",
    "rerecorded": r"re ?recorded(?: version)?|re ?recording",
    "single version": r"single(?: version| edit| mix)",
    "slowed": r"(?:super )?slowed(?: down)?(?: (?:and )?reverb(?:ed)?)?(?: version)?",
    "sped up": r"sp(?:ed|eed|eeded) up(?: version)?",
    "unplugged": r"(?:mtv )?unplugged(?: version)?",
    "vip": r"vip(?: mix| remix| edit)?",
    "vocal mix": r"vocal(?: mix| version)?",
}
"""How versions are written, by the name under which they are compared. Years and people beside them are kept."""
_FORM = re.compile("|".join(f"(?P<f{number}>{form})" for number, form in enumerate(_FORMS.values())))
_ENDS_IN_FORM = re.compile(rf"(?P<who>.+?) (?:{_FORM.pattern})")
_LABELS = tuple(_FORMS)
_BY = re.compile(r"(?:(?:re)?mix(?:ed)? by|cover by|covered by|edit by|re ?imagined by) .+")
_LIVE_AT = re.compile(r"(?:recorded )?live (?:acoustic )?(?:at|from|in|on|for|with|session|sessions|\d{4})\b.*")
_KINDS = re.compile(
    # a last word of a version ("piano version"), a year aside, or a word anywhere that no title has in brackets
    r".*\b(?:version|mix|edit|cut|rework|bootleg|flip|refix|remake|rendition|session|sessions|take|medley|mashup|mash up"
    r"|reprise|mixed|edition|stripped|rmx|dub|memo|anthem mix|version \w+)(?: (?:19|20)\d\d)?"
    r"|.*\b(?:remix|karaoke|nightcore|bootleg|spotify singles)\b.*|arr(?:anged)? .+|432 ?hz|as made famous by .+"
    r"|in the style of .+"
)


def _versions(words: str) -> frozenset[str] | None:
    """Names of the versions in a piece: {"radio edit", "remix axel e"} of "axel e remix radio edit"; None if it is none.

    All words are kept in the names, so that nothing is made one which was written apart.
    """
    if form := _FORM.fullmatch(words):
        return frozenset({_label(form)})
    if _LIVE_AT.fullmatch(words):
        return frozenset({words.removeprefix("recorded ")})
    if _BY.fullmatch(words):
        kind, _, who = words.partition(" by ")
        return frozenset({f"{_BY_LABELS.get(kind, kind)} {who}"})
    if form := _ENDS_IN_FORM.fullmatch(words):
        who = form["who"]
        others = _versions(who)
        return others | {_label(form)} if others else frozenset({f"{_label(form)} {who}"})
    return frozenset({words}) if _KINDS.fullmatch(words) else None


_BY_LABELS = {"mixed": "mix", "remixed": "remix", "covered": "cover", "re imagined": "reimagined"}


def _label(form: re.Match[str]) -> str:
    return _LABELS[int((form.lastgroup or "f0")[1:])]
