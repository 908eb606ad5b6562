"""A prediction handed on: as a document for scripts, and as one HTML file for people. Pure."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from core.files import csv_text
from core.inference.neighbours import Similar
from core.inference.prediction import Prediction
from core.inference.why import Reasons
from core.inference.words import in_words
from core.page import page, paragraph, table

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C7B00", "#7F7F7F")
"""Of genres that were given none."""
LARGEST_SOUND = 30_000_000
"""Bytes; a page with more is slow to open and to send."""
PLAYHEAD = """
const audio = document.querySelector('audio'), course = document.querySelector('#course'), head = document.querySelector('#head');
const seconds = () => Number.isFinite(audio.duration) ? audio.duration : Number(course.dataset.seconds);
function move() {
  head.setAttribute('transform', `translate(${620 * Math.min(1, audio.currentTime / seconds())} 0)`);
  if (!audio.paused) requestAnimationFrame(move);
}
for (const kind of ['play', 'seeked', 'timeupdate']) audio.addEventListener(kind, move);
course.addEventListener('click', event => {
  const {left, width} = course.getBoundingClientRect();
  audio.currentTime = (event.clientX - left) / width * seconds();
});
"""
"""The line moves where it plays; a click on the course goes there."""


def verdict_document(answer: Prediction) -> dict[str, Any]:
    """`verdict` of the song and of its `stretches`, for JSON."""
    return {
        "kind": answer.verdict.kind,
        "genres": list(answer.verdict.genres),
        "sentence": answer.verdict.sentence,
        "stretches": [
            {
                "start_s": round(one.start_s, 3),
                "end_s": round(one.end_s, 3),
                "kind": one.verdict.kind,
                "genres": list(one.verdict.genres),
            }
            for one in answer.stretches
        ],
    }


def reasons_document(told: Reasons) -> dict[str, Any]:
    """What spoke for a genre, for JSON: nats of log-odds, seconds and hertz."""
    start_s, end_s, low_hz, high_hz = told.strongest
    return {
        "genre": told.genre,
        "share": round(told.share, 6),
        "strongest": {"start_s": start_s, "end_s": end_s, "low_hz": low_hz, "high_hz": high_hz},
        "edges_s": told.edges_s.tolist(),
        "edges_hz": told.edges_hz.tolist(),
        "by_time": told.by_time.tolist(),
        "by_band": told.by_band.tolist(),
        "influence": told.influence.tolist(),
    }


@dataclass(frozen=True)
class Sound:
    """The song itself, for its page: its bytes, and their media type."""

    data: bytes
    kind: str


def as_html(
    name: str,
    answer: Prediction,
    similar: Sequence[Similar] = (),
    told: Reasons | None = None,
    *,
    sound: Sound | None = None,
    colours: Sequence[str] = COLOURS,
) -> str:
    """The result as one HTML file: the verdict, the genres, their course, what spoke for one, and what sounds alike.

    With `sound` (of LARGEST_SOUND at most) it can be heard there, a line moving over the course. `colours` are the genres'.
    """
    order = np.argsort(-answer.spectrum)
    colours = [colours[i % len(colours)] for i in range(len(answer.genres))]
    heard = sound is not None and len(sound.data) <= LARGEST_SOUND
    parts = [
        paragraph(f"{in_words(answer)}."),
        paragraph(answer.verdict.sentence),
        *(paragraph(doubt, note=True) for doubt in answer.doubts),
        "<h2>Genres</h2>",
        _bars([(answer.genres[i], float(answer.spectrum[i]), colours[i]) for i in order]),
        "<h2>Which part is what</h2>",
        *([_audio(sound)] if heard and sound else []),
        _course_svg(answer, colours),
        table(
            ("from", "to", "what"),
            [(clock(one.start_s), clock(one.end_s), one.verdict.sentence) for one in answer.stretches],
        ),
    ]
    if told is not None:
        parts += [
            f"<h2>What spoke for {escape(told.genre)}</h2>",
            paragraph(reasons_in_words(told)),
            paragraph("Time from left to right, frequency from bottom to top. Blue spoke for it, orange against it."),
            _influence_svg(told),
        ]
    if similar:
        rows = [(one.artist, one.title, one.label, f"{one.likeness:.0%}") for one in similar]
        parts += ["<h2>Sounds like</h2>", table(("artist", "title", "label", "alike"), rows)]
    return page(name, parts, script=PLAYHEAD if heard else "")


def as_csv(answers: Sequence[tuple[str, Prediction]]) -> str:
    """Songs side by side, (name, answer) each, by the same model: length, verdict, and the share of each genre."""
    genres = answers[0][1].genres
    rows = [
        (name, round(told.duration_s, 1), told.verdict.sentence, *(round(float(share), 4) for share in told.spectrum))
        for name, told in answers
    ]
    return csv_text([("song", "length_s", "verdict", *genres), *rows])


def reasons_in_words(told: Reasons) -> str:
    """Where the strongest reason is, and how much it weighs."""
    start_s, end_s, low_hz, high_hz = told.strongest
    if told.influence.max() <= 0:
        return f"Nothing here speaks for {told.genre}."
    return (
        f"From {clock(start_s)} to {clock(end_s)}, between {hertz(low_hz)} and {hertz(high_hz)}, the sound speaks most for "
        f"{told.genre}."
    )


def clock(seconds: float) -> str:
    """A moment of a song: `1:05`, or `1:05.5` where it is not a whole second."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    return f"{minutes}:{rest // 10:02d}" + (f".{rest % 10}" if rest % 10 else "")


def hertz(frequency: float) -> str:
    """A frequency: `440 Hz`, `2.1 kHz`."""
    return f"{frequency:.0f} Hz" if frequency < 1000 else f"{frequency / 1000:.1f} kHz"


def _audio(sound: Sound) -> str:
    encoded = base64.b64encode(sound.data).decode()
    return f"<audio controls src='data:{escape(sound.kind, quote=True)};base64,{encoded}'></audio>"


def _course_svg(answer: Prediction, colours: Sequence[str]) -> str:
    """Shares of the genres over time, stacked to 1, and a line for where it plays."""
    times, shares = answer.course
    x = 620 * times / times[-1]
    edges = np.concatenate([np.zeros((len(times), 1)), np.cumsum(shares, axis=1)], axis=1).clip(0, 1)
    areas = []
    for i, (genre, colour) in enumerate(zip(answer.genres, colours, strict=True)):
        above = [f"{at:.1f} {120 * (1 - y):.1f}" for at, y in zip(x, edges[:, i + 1], strict=True)]
        below = [f"{at:.1f} {120 * (1 - y):.1f}" for at, y in zip(x[::-1], edges[::-1, i], strict=True)]
        areas.append(
            f"<path d='M{' L'.join(above + below)}Z' fill='{escape(colour, quote=True)}'><title>{escape(genre)}</title></path>"
        )
    return (
        f"<svg id='course' viewBox='0 0 620 140' width='620' height='140' role='img' font-size='11' fill='currentColor' "
        f"aria-label='The genres over time' data-seconds='{times[-1]:.2f}'>{''.join(areas)}"
        "<line id='head' x1='0' x2='0' y1='0' y2='120' stroke='currentColor' stroke-width='2'/>"
        f"<text x='0' y='136'>{clock(0)}</text><text x='620' y='136' text-anchor='end'>{clock(times[-1])}</text></svg>"
    )


def _bars(shares: Sequence[tuple[str, float, str]]) -> str:
    rows = [
        f"<text x='0' y='{24 * i + 17}'>{escape(genre)}</text>"
        f"<rect x='180' y='{24 * i + 4}' width='{380 * share:.1f}' height='16' fill='{escape(colour, quote=True)}'/>"
        f"<text x='{186 + 380 * share:.0f}' y='{24 * i + 17}'>{share:.0%}</text>"
        for i, (genre, share, colour) in enumerate(shares)
    ]
    words = escape(", ".join(f"{genre} {share:.0%}" for genre, share, _ in shares))
    height = 24 * len(shares) + 4
    return (
        f"<svg viewBox='0 0 620 {height}' width='620' height='{height}' role='img' aria-label='{words}' font-size='14' "
        f"fill='currentColor'>{''.join(rows)}</svg>"
    )


def _influence_svg(told: Reasons) -> str:
    most = max(float(np.abs(told.influence).max()), 1e-9)
    span = told.edges_s[-1] - told.edges_s[0]
    x = 60 + 560 * (told.edges_s - told.edges_s[0]) / span
    n_groups = told.influence.shape[1]
    cells = [
        f"<rect x='{x[slot]:.1f}' y='{20 * (n_groups - 1 - group)}' width='{x[slot + 1] - x[slot]:.1f}' height='20' "
        f"fill='{'#0072B2' if value > 0 else '#D55E00'}' fill-opacity='{abs(value) / most:.2f}'/>"
        for slot, row in enumerate(told.influence)
        for group, value in enumerate(row.tolist())
        if abs(value) / most >= 0.02
    ]
    heights = [
        f"<text x='54' y='{20 * (n_groups - i) + 4}' text-anchor='end'>{hertz(told.edges_hz[i])}</text>"
        for i in (0, 2, 4, 6)
    ]
    ends = (
        f"<text x='60' y='{20 * n_groups + 18}'>{clock(told.edges_s[0])}</text>"
        f"<text x='620' y='{20 * n_groups + 18}' text-anchor='end'>{clock(told.edges_s[-1])}</text>"
    )
    height = 20 * n_groups + 24
    return (
        f"<svg viewBox='0 0 640 {height}' width='640' height='{height}' role='img' font-size='11' fill='currentColor' "
        f"aria-label='{escape(reasons_in_words(told))}'><path d='M60 0V{20 * n_groups}H620' fill='none' "
        f"stroke='currentColor'/>{''.join(cells)}{''.join(heights)}{ends}</svg>"
    )
