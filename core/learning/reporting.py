"""Reports: the figures of an evaluation in plain words, as one HTML file that needs nothing else, and as CSV. Pure.

Names come from files and from strangers: none can be a formula in a table.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from core.files import csv_text
from core.learning import metrics
from core.learning.comparison import answer, label
from core.library.evaluations import EvaluatedSong, Evaluation
from core.page import page, paragraph, table

KINDS = {"test": "Test songs of a model", "folder": "A labelled folder", "crossvalidation": "Cross-validation"}
PROTOCOLS = {
    "artist-folds": "no artist and no recording in training and test",
    "random": "songs dealt without regard to artists: it flatters on purpose",
    "given": "divided as a list says",
}


def figures(evaluation: Evaluation, songs: Sequence[EvaluatedSong]) -> dict[str, Any]:
    """All figures of an evaluation, counted anew from its songs; what only its own report knows (folds) is kept."""
    truth, spectra = np.stack([song.truth for song in songs]), np.stack([song.spectrum for song in songs])
    return {**(evaluation.report or {}), **metrics.report(truth, spectra, evaluation.genres)}


def sentences(told: Mapping[str, Any]) -> list[str]:
    """What the figures say, for someone who knows nothing of machine learning."""
    low, high = told["interval_95"]
    off = told["ece"]
    return [
        f"{round(told['accuracy'] * told['songs'])} of {_songs(told['songs'])} were answered right: {told['accuracy']:.0%}. "
        f"With other songs of this kind it would probably be between {low:.0%} and {high:.0%}.",
        f"In {told['top_2_accuracy']:.0%} of the songs the right genre is the first or the second answer; guessing among "
        f"{len(told['genres'])} genres would be right {1 / len(told['genres']):.0%} of the time.",
        f"Its percentages are off by {off:.0%} on average: "
        + ("they can be taken at their word." if off <= 0.05 else "they are to be taken with a grain of salt."),
    ]


def as_html(evaluation: Evaluation, songs: Sequence[EvaluatedSong]) -> str:
    """The report as one HTML file (`core.page`)."""
    told = figures(evaluation, songs)
    title = f"{evaluation.name}: {told['accuracy']:.0%} of {_songs(told['songs'])} right"
    protocol = str(told.get("protocol", ""))
    about = [KINDS[evaluation.kind], *([PROTOCOLS[protocol]] if protocol in PROTOCOLS else [])]
    about.append((evaluation.finished_at or evaluation.created_at)[:10])
    parts = [
        paragraph(" · ".join(about)),
        *(paragraph(str(warning), note=True) for warning in told.get("warnings", ())),
        *(paragraph(sentence) for sentence in sentences(told)),
        "<h2>Figures</h2>",
        table(
            ("figure", "value"), [(name, value) for name, value in figure_rows(told) if not name.startswith("genre ")]
        ),
        "<h2>Genres</h2><p>Precision: how many of the songs given this genre have it. "
        "Recall: how many of its songs were given it.</p>",
        table(("genre", "songs", "precision", "recall", "F1"), genre_rows(told)),
        "<h2>What is taken for what</h2><p>Rows are the true genres, columns the answers.</p>",
        _confusion(told),
        "<h2>Can its percentages be believed?</h2><p>Each dot is the songs that were answered with about the same "
        "certainty; on the line, it is right as often as it says.</p>",
        reliability_svg(told["reliability"]),
    ]
    if told.get("folds"):
        rows = [(f["fold"] + 1, f["songs"], _share(f["accuracy"]), _share(f["ece"]), f["steps"]) for f in told["folds"]]
        parts += ["<h2>Folds</h2>", table(("fold", "songs", "right", "off by", "steps"), rows)]
    wrong = [song for song in songs if label(song, evaluation) != answer(song, evaluation)]
    rows = [
        (song.artist, song.title, label(song, evaluation), answer(song, evaluation), _share(float(song.spectrum.max())))
        for song in sorted(wrong, key=lambda song: -float(song.spectrum.max()))
    ]
    parts += [
        "<h2>Songs answered wrong, the surest first</h2>",
        table(("artist", "title", "label", "answer", "sure"), rows),
    ]
    return page(title, parts)


def figure_rows(told: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """(name, value) of every figure; those of genres begin with `genre `."""
    rows: list[tuple[str, Any]] = [
        ("songs", told["songs"]),
        ("accuracy", told["accuracy"]),
        ("accuracy, 95 % from", told["interval_95"][0]),
        ("accuracy, 95 % to", told["interval_95"][1]),
        ("macro F1", told["macro_f1"]),
        ("top-2 accuracy", told["top_2_accuracy"]),
        ("expected calibration error", told["ece"]),
        ("cross-entropy, nats", told["nll"]),
        ("Brier score", told["brier"]),
    ]
    for genre, of in told["per_genre"].items():
        rows += [(f"genre {genre}, {name}", of[name]) for name in ("songs", "precision", "recall", "f1")]
    return rows


def genre_rows(told: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """(genre, songs, precision, recall, F1) of every genre."""
    return [
        (genre, of["songs"], _share(of["precision"]), _share(of["recall"]), round(of["f1"], 3))
        for genre, of in told["per_genre"].items()
    ]


def figures_csv(evaluation: Evaluation, songs: Sequence[EvaluatedSong]) -> str:
    """The figures as a table of name and value."""
    return csv_text([("figure", "value"), *figure_rows(figures(evaluation, songs))])


def songs_csv(evaluation: Evaluation, songs: Sequence[EvaluatedSong]) -> str:
    """A row a song: what it is, its label, the answer, and the probability of each genre."""
    head = ("artist", "title", "path", "sha256", "fold", "label", "answer", "right", *evaluation.genres)
    rows = [
        (
            *(
                song.artist,
                song.title,
                song.path,
                song.sha256,
                song.fold,
                label(song, evaluation),
                answer(song, evaluation),
            ),
            *(int(label(song, evaluation) == answer(song, evaluation)), *(round(float(p), 6) for p in song.spectrum)),
        )
        for song in songs
    ]
    return csv_text([head, *rows])


def reliability_svg(bins: Sequence[Mapping[str, Any]]) -> str:
    """A reliability diagram: said against right, a dot a bin, its area by its songs."""
    most = max((row["songs"] for row in bins), default=1) or 1
    dots, words = [], []
    for row in bins:
        if row["songs"]:
            x, y = 40 + 300 * row["confidence"], 320 - 300 * row["accuracy"]
            told = f"said {row['confidence']:.0%}, right {row['accuracy']:.0%}, {_songs(row['songs'])}"
            words.append(told)
            radius = 3 + 9 * (row["songs"] / most) ** 0.5
            dots.append(
                f"<circle cx='{x:.1f}' cy='{y:.1f}' r='{radius:.1f}' fill='#0072B2'><title>{told}</title></circle>"
            )
    ticks = "".join(
        f"<text x='{40 + 300 * t:.0f}' y='338' text-anchor='middle'>{t:.0%}</text>"
        f"<text x='34' y='{324 - 300 * t:.0f}' text-anchor='end'>{t:.0%}</text>"
        for t in (0.0, 0.5, 1.0)
    )
    return (
        f"<svg viewBox='0 0 360 360' width='360' height='360' role='img' aria-label='{escape('; '.join(words))}' "
        "font-size='11' fill='currentColor' stroke='none'>"
        "<path d='M40 20V320H340' fill='none' stroke='currentColor'/>"
        "<path d='M40 320L340 20' fill='none' stroke='currentColor' stroke-dasharray='4'/>"
        f"{ticks}{''.join(dots)}<text x='190' y='356' text-anchor='middle'>how sure it says it is</text>"
        "<text x='12' y='170' text-anchor='middle' transform='rotate(-90 12 170)'>how often it is right</text></svg>"
    )


def _confusion(told: Mapping[str, Any]) -> str:
    cells = []
    for genre, row in zip(told["genres"], told["confusion"], strict=True):
        total = max(sum(row), 1)
        shaded = "".join(
            f"<td class='n' style='background:rgba(0,114,178,{0.75 * count / total:.2f})'>{count}</td>" for count in row
        )
        cells.append(f"<tr><th scope='row'>{escape(genre)}</th>{shaded}</tr>")
    head = "".join(f"<th scope='col'>{escape(genre)}</th>" for genre in told["genres"])
    return f"<div class='wide'><table><tr><td></td>{head}</tr>{''.join(cells)}</table></div>"


def _share(value: float) -> str:
    return f"{value:.0%}"


def _songs(n: int) -> str:
    return f"{n:,} song{'s' * (n != 1)}"
