"""Words that need a picture where they first appear: what each means, in a drawing and a sentence or two.

The drawings are SVG in grey and blue that both themes bear; they hold no text, so a caption says what they show.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import streamlit as st

GREY, BLUE, ORANGE = "#808080", "#3d8fc9", "#d98200"
WIDTH, HEIGHT = 280, 110


@dataclass(frozen=True)
class Term:
    """A word with its picture, what the picture shows, and what the word means."""

    picture: Callable[[], str]
    shows: str
    means: str


def term(name: str) -> None:
    """A small button that explains a word: one of `TERMS`."""
    told = TERMS[name]
    with st.popover(f"What is {_with_article(name)}?", icon=":material/help:", type="tertiary"):
        st.image(told.picture(), caption=told.shows, width=WIDTH)
        st.markdown(told.means)


def terms(*names: str) -> None:
    """Several in one row."""
    with st.container(horizontal=True):
        for name in names:
            term(name)


def _with_article(name: str) -> str:
    return name if name == "validation" else f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _svg(*shapes: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f"{''.join(shapes)}</svg>"
    )


def _box(x: float, y: float, width: float, height: float, colour: str, *, opacity: float = 1.0, line: str = "") -> str:
    stroke = f' stroke="{line}" stroke-width="3"' if line else ""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}" '
        f'fill-opacity="{opacity:.2f}"{stroke}/>'
    )


def _line(points: Sequence[tuple[float, float]], colour: str) -> str:
    told = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{told}" fill="none" stroke="{colour}" stroke-width="2.5"/>'


def _cells(left: int, top: int, columns: int, rows: int) -> list[str]:
    """A spectrogram drawn: drums below at every fourth column, a tune that wanders above."""
    drawn = []
    for column in range(columns):
        tune = rows * (0.45 + 0.25 * math.sin(column / 3))
        for row in range(rows):
            loud = 0.9 if row < 2 and column % 4 == 0 else max(0.0, 0.85 - abs(row - tune) / 2.2)
            drawn.append(
                _box(left + 7 * column, top + 7 * (rows - 1 - row), 6.4, 6.4, BLUE, opacity=0.12 + 0.88 * loud)
            )
    return drawn


@lru_cache
def _spectrogram() -> str:
    wave = [(4 + x, 20 + 14 * math.sin(x / 2.1) * math.exp(-(x % 28) / 16)) for x in range(0, 270)]
    return _svg(_line(wave, GREY), *_cells(4, 46, 38, 9))


@lru_cache
def _crop() -> str:
    frames = (_box(4 + 7 * column - 1, 20, 7 * 10, 7 * 10 + 1, "none", line=ORANGE) for column in (3, 15, 27))
    return _svg(*_cells(4, 21, 38, 10), *frames)


@lru_cache
def _epoch() -> str:
    rounds = []
    for turn in range(3):
        x = 8 + 94 * turn
        rounds += [
            _box(x + 15 * (song % 5), 12 + 15 * (song // 5), 12, 12, BLUE, opacity=0.25 + 0.3 * turn)
            for song in range(15)
        ]
        right = 0.35 + 0.28 * turn
        rounds += [_box(x, 78, 72, 12, GREY, opacity=0.25), _box(x, 78, 72 * right, 12, ORANGE)]
    return _svg(*rounds)


@lru_cache
def _validation() -> str:
    songs = []
    for song in range(48):
        colour, gap = (BLUE, 0) if song % 16 < 10 else (ORANGE, 14) if song % 16 < 13 else (GREY, 28)
        songs.append(_box(6 + 15 * (song % 16) + gap, 28 + 18 * (song // 16), 12, 14, colour))
    return _svg(*songs)


@lru_cache
def _confusion() -> str:
    shares = ((0.9, 0.05, 0.05), (0.1, 0.6, 0.3), (0.0, 0.25, 0.75))
    cells = [
        _box(96 + 32 * column, 6 + 32 * row, 30, 30, BLUE if row == column else ORANGE, opacity=0.08 + 0.92 * share)
        for row, shares_of in enumerate(shares)
        for column, share in enumerate(shares_of)
    ]
    return _svg(*cells)


TERMS = {
    "mel spectrogram": Term(
        _spectrogram,
        "Above, a sound as it swings; below, the same sound as a mel spectrogram.",
        "A picture of sound: time runs from left to right, low notes are at the bottom, high ones at the top, and bright "
        "is loud. *Mel* is a scale on which equal steps sound equally far apart.",
    ),
    "crop": Term(
        _crop,
        "Three crops of one song.",
        "A piece of a song, a few seconds long. A network hears songs crop by crop; what it says of a song is the mean over "
        "all its crops.",
    ),
    "epoch": Term(
        _epoch,
        "Three epochs: every song comes up in each, and more answers are right each time.",
        "One round of learning, in which every training song comes up once. A training has several.",
    ),
    "validation": Term(
        _validation,
        "Blue: songs to learn from. Orange: validation songs. Grey: test songs.",
        "Songs that are not learned from, but asked about after every epoch, to see whether what was learned holds for songs "
        "that are new. Test songs are asked about once, at the very end. No artist is in two of the three.",
    ),
    "confusion matrix": Term(
        _confusion,
        "Three genres. Blue is right, orange is wrong; the fuller, the more songs.",
        "A row for each true genre, a column for each answer. What lies on the diagonal is right; off it you see which genre "
        "is taken for which.",
    ),
}  # fmt: skip
"""All words that are explained."""
