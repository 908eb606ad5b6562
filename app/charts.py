"""Charts. Pure: data in, figure out. Altair for curves and bars, Plotly (loaded where one is drawn) for spectrogram images.

A genre has the same colour everywhere (`colours`); one that the library does not know, that of its place in the chart.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import numpy.typing as npt
import pandas as pd

from core.audio.spectrogram import mel_frequencies
from core.inference.why import Reasons
from core.music import CodeArray, FloatArray
from core.recipes import DB_FLOOR, DB_STEP, SpectrogramRecipe

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from core.library.runs import Epoch
    from core.library.summary import GenreCounts

COLOURS = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C7B00", "#7F7F7F",
    "#004B76", "#8F6300", "#00614A", "#8A4E70",
)  # fmt: skip
"""As in `.streamlit/config.toml`."""
NO_COLOURS: Mapping[str, str] = MappingProxyType({})
MUTED = 0.25
"""How opaque bars and curves are where no genre is claimed."""
MAX_COLUMNS = 1200
"""Columns of a spectrogram picture: more than a screen shows."""
HERTZ_TICKS = (125, 250, 500, 1000, 2000, 4000, 8000)


@alt.theme.register("genrescope", enable=True)
def _words() -> alt.theme.ThemeConfig:
    """Words on charts in the colour of the page's text: Streamlit's grey has 3.7 to 1 on white (WCAG 2 AA asks for 4.5)."""
    words: Any = {"labelColor": "currentColor", "titleColor": "currentColor"}
    return {"config": {"axis": words, "header": words, "legend": words}}


def palette(genres: Sequence[str], colours: Mapping[str, str]) -> list[str]:
    """The colour of every genre, in their order."""
    return [colours.get(genre, COLOURS[i % len(COLOURS)]) for i, genre in enumerate(genres)]


def genre_scale(genres: Sequence[str], colours: Mapping[str, str]) -> alt.Scale:
    """The colour of every genre, for a chart."""
    return alt.Scale(domain=list(genres), range=palette(genres, colours))


def column_names() -> alt.Axis:
    """Names above the columns of a matrix: upright, so that all of them are there, on a phone too."""
    return alt.Axis(orient="top", labelAngle=-90, labelOverlap=False, labelLimit=140)


def genre_bars(
    spectrum: FloatArray, genres: Sequence[str], colours: Mapping[str, str] = NO_COLOURS, *, muted: bool = False
) -> alt.Chart:
    """A genre spectrum, (n_genres,), as bars, strongest first, with percentages; `muted` where no genre is claimed."""
    table = pd.DataFrame({"genre": genres, "share": spectrum.astype(float)})
    table["label"] = [f"{genre}  {share:.0%}" for genre, share in zip(genres, spectrum, strict=True)]
    return (
        alt.Chart(table)
        .mark_bar(cornerRadiusEnd=4, opacity=MUTED if muted else 1)
        .encode(
            x=alt.X("share:Q", title=None, axis=None, scale=alt.Scale(domain=[0, 1])),
            y=alt.Y(
                "label:N",
                sort="-x",
                title=None,
                axis=alt.Axis(labelFontSize=15, ticks=False, domain=False, labelLimit=220),
            ),
            color=alt.Color("genre:N", scale=genre_scale(genres, colours), legend=None),
            tooltip=["genre:N", alt.Tooltip("share:Q", format=".1%")],
        )
        .properties(height=alt.Step(36))
    )


def comparison(
    names: Sequence[str], spectra: FloatArray, genres: Sequence[str], colours: Mapping[str, str] = NO_COLOURS
) -> alt.Chart:
    """Songs side by side: one bar each, of its `spectra` (n_songs, n_genres); two songs of one name are told apart."""
    places = [f"{place + 1}  {name}" for place, name in enumerate(names)]
    table = pd.DataFrame(
        {
            "song": np.repeat(places, len(genres)),
            "genre": np.tile(genres, len(names)),
            "share": spectra.ravel().astype(float),
        }
    )
    return (
        alt.Chart(table)
        .mark_bar()
        .encode(
            x=alt.X("share:Q", title=None, stack="normalize", axis=None),
            y=alt.Y("song:N", title=None, sort=places, axis=alt.Axis(ticks=False, domain=False, labelLimit=150)),
            color=alt.Color(
                "genre:N", scale=genre_scale(genres, colours), legend=alt.Legend(title=None, orient="top", columns=2)
            ),
            order=alt.Order("genre:N"),
            tooltip=["song:N", "genre:N", alt.Tooltip("share:Q", format=".0%")],
        )
        .properties(height=alt.Step(22))
    )


COURSE_COLUMNS = 120
"""Points of a course that is drawn small."""


def course(
    times: npt.NDArray[np.float64],
    shares: FloatArray,
    genres: Sequence[str],
    colours: Mapping[str, str] = NO_COLOURS,
    *,
    muted: bool = False,
) -> alt.Chart:
    """The genres of a song over its time, stacked to 1, small: `times` (n,) s in rising order, `shares` (n, n_genres)."""
    at = np.linspace(times[0], times[-1], min(COURSE_COLUMNS, len(times)))
    thinned = np.stack([np.interp(at, times, column) for column in shares.T], axis=1)
    table = pd.DataFrame(
        {
            "seconds": np.repeat(at.round(1), len(genres)),
            "genre": np.tile(genres, len(at)),
            "share": thinned.round(4).ravel().astype(float),
        }
    )
    return (
        alt.Chart(table)
        .mark_area(opacity=MUTED if muted else 1)
        .encode(
            x=alt.X("seconds:Q", title=None, axis=_clock_axis(), scale=alt.Scale(domain=[float(at[0]), float(at[-1])])),
            y=alt.Y("share:Q", title=None, stack="normalize", axis=None),
            color=alt.Color("genre:N", scale=genre_scale(genres, colours), legend=None),
            tooltip=["genre:N", alt.Tooltip("share:Q", format=".0%")],
        )
        .properties(height=90)
    )


def spectrogram(
    codes: CodeArray,
    recipe: SpectrogramRecipe,
    *,
    crops: Sequence[tuple[float, float]] = (),
    begin_s: float = 0.0,
    filters: FloatArray | None = None,
) -> "go.Figure":
    """A mel spectrogram with axes in seconds and Hz, sent as one picture; `crops` (start, end) in s are framed.

    `begin_s` is the second of the song that it begins at; `filters` as in `spectrogram.mel_frequencies`.
    """
    import plotly.express as px

    factor = _frames_a_column(codes)
    duration_s = codes.shape[0] * recipe.frame_s
    figure = px.imshow(picture(codes), origin="lower", aspect="auto", binary_string=True, binary_compression_level=4)
    figure.update_traces(x0=begin_s, dx=factor * recipe.frame_s, hovertemplate="%{x:.1f} s<extra></extra>")
    _hertz_axis(figure, recipe, filters)
    figure.update_xaxes(title="seconds", range=[begin_s, begin_s + duration_s], showgrid=False, zeroline=False)
    for start_s, end_s in crops:
        figure.add_vrect(x0=start_s, x1=end_s, fillcolor="rgba(255,255,255,0.10)", line={"color": "white", "width": 2})
    figure.update_layout(height=340, margin={"l": 0, "r": 0, "t": 8, "b": 0}, dragmode="zoom")
    return figure


def mean_course(course: FloatArray, recipe: SpectrogramRecipe, *, low: float, high: float) -> "go.Figure":
    """A mean spectrogram, (n_columns, n_mels) dB, over the course of a song in percent; `low` is dark, `high` bright, dB."""
    import plotly.express as px

    shades = np.clip((course.T - low) / max(high - low, 1) * 255, 0, 255).astype(np.uint8)
    figure = px.imshow(_coloured(shades), origin="lower", aspect="auto", binary_string=True, binary_compression_level=4)
    figure.update_traces(x0=0, dx=100 / len(course), hovertemplate="%{x:.0f} %<extra></extra>")
    _hertz_axis(figure, recipe, None, lowest=500)
    figure.update_xaxes(
        title="% of the song",
        range=[0, 100],
        tickvals=[0, 25, 50, 75, 100],
        fixedrange=True,
        showgrid=False,
        zeroline=False,
    )
    figure.update_layout(height=220, margin={"l": 0, "r": 0, "t": 8, "b": 0}, dragmode=False)
    return figure


def _hertz_axis(
    figure: "go.Figure", recipe: SpectrogramRecipe, filters: FloatArray | None, *, lowest: float = 0.0
) -> None:
    """Frequencies beside the bands of a picture, from `lowest` Hz on: further down they would lie on each other."""
    frequencies = mel_frequencies(recipe, filters=filters)
    ticks = [hertz for hertz in HERTZ_TICKS if max(frequencies[0], lowest) <= hertz <= recipe.sample_rate / 2]
    figure.update_yaxes(
        tickvals=[int(np.abs(frequencies - hertz).argmin()) for hertz in ticks],
        ticktext=[f"{hertz // 1000} kHz" if hertz >= 1000 else f"{hertz} Hz" for hertz in ticks],
        fixedrange=True,
        scaleanchor=False,
        showgrid=False,
        zeroline=False,
    )


def picture(codes: CodeArray) -> npt.NDArray[np.uint8]:
    """A mel spectrogram as a picture, (n_mels, at most MAX_COLUMNS, 3): lowest band first, of each column the mean."""
    factor = _frames_a_column(codes)
    columns = [codes[i : i + factor].mean(axis=0) for i in range(0, codes.shape[0], factor)]
    levels = np.stack(columns, axis=1)
    low, high = np.percentile(levels, [2, 99.8])
    shades = np.clip((levels - low) / max(high - low, 1) * 255, 0, 255).astype(np.uint8)
    return _coloured(shades)


def _frames_a_column(codes: CodeArray) -> int:
    return max(1, -(-codes.shape[0] // MAX_COLUMNS))


def influence(figure: "go.Figure", told: Reasons, n_mels: int) -> "go.Figure":
    """Lay what spoke for a genre over its spectrogram: patches that spoke for it stay bright, all else is veiled.

    `figure` as from `spectrogram`, of the stretch that `told` is about, with `n_mels` bands.
    """
    import plotly.express as px

    strength = np.clip(told.influence / max(float(told.influence.max()), 1e-9), 0, 1)
    veil = np.zeros((*strength.T.shape, 4), np.uint8)
    veil[..., 3] = np.round(195 * (1 - np.sqrt(strength.T))).astype(np.uint8)
    n_groups = veil.shape[0]
    bands = np.repeat(veil, np.diff(np.linspace(0, n_mels, n_groups + 1).round().astype(int)), axis=0)
    slot_s = float(told.edges_s[1] - told.edges_s[0])
    shown = px.imshow(bands, origin="lower", binary_string=True).data[0]
    shown.update(x0=float(told.edges_s[0]) + slot_s / 2, dx=slot_s, hoverinfo="skip", hovertemplate=None)
    figure.add_trace(shown)
    start_s, end_s, *_ = told.strongest
    group = int(np.unravel_index(int(told.influence.argmax()), told.influence.shape)[1])
    edges = np.linspace(0, n_mels, n_groups + 1).round() - 0.5
    figure.add_shape(
        type="rect", x0=start_s, x1=end_s, y0=edges[group], y1=edges[group + 1], line={"color": "white", "width": 2}
    )
    return figure


def song_map(
    places: FloatArray,
    genres: Sequence[str],
    names: Sequence[str],
    ids: Sequence[int],
    colours: Mapping[str, str] = NO_COLOURS,
    *,
    uploads: Sequence[tuple[str, float, float]] = (),
    drawing: bool = False,
) -> "go.Figure":
    """Songs as points, `places` (n, 2), coloured by genre; `ids` come back with what is selected. `uploads` are stars.

    The mouse draws around songs if it is `drawing`, else it moves the map. Drawn by the graphics card, so that 20,000 points move smoothly.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    known = list(dict.fromkeys(genres))
    named, ids_of = np.asarray(genres), np.asarray(ids)
    for number, genre in enumerate(known):
        colour = colours.get(genre, COLOURS[number % len(COLOURS)])
        rows = np.flatnonzero(named == genre)
        figure.add_scattergl(
            x=places[rows, 0],
            y=places[rows, 1],
            name=_literal(genre),
            mode="markers",
            marker={"color": colour, "size": 7 if len(genres) < 3000 else 4, "opacity": 0.8},
            customdata=ids_of[rows],
            text=np.array([_literal(names[int(row)]) for row in rows], object),  # an array is not looked through
            hovertemplate="%{text}<extra>%{fullData.name}</extra>",
        )
    if uploads:
        figure.add_scattergl(
            x=[x for _, x, _ in uploads],
            y=[y for _, _, y in uploads],
            name="your uploads",
            mode="markers",
            marker={"symbol": "star", "size": 18, "color": "#D50000", "line": {"width": 1.5, "color": "white"}},
            text=[_literal(name) for name, _, _ in uploads],
            hovertemplate="%{text}<extra>an upload</extra>",
        )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, scaleanchor="x")
    figure.update_layout(
        height=560,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
        dragmode="lasso" if drawing else "pan",
        hovermode="closest",
        uirevision="same",  # how far one has zoomed in stays as it is
    )
    return figure


def _literal(text: str) -> str:
    """`text` as it is, where Plotly would read HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def decibel_range(codes: CodeArray) -> tuple[float, float]:
    """The levels that the darkest and the brightest colour of `spectrogram` stand for, dB."""
    low, high = np.percentile(codes, [2, 99.8])
    return DB_FLOOR + DB_STEP * float(low), DB_FLOOR + DB_STEP * float(high)


def genre_balance(counts: Mapping[str, Mapping[str, int]]) -> alt.Chart:
    """Songs per genre, split by whether their spectrogram is ready: {genre: {state: n}}."""
    rows = [
        {"genre": genre, "state": state, "songs": n} for genre, states in counts.items() for state, n in states.items()
    ]
    return (
        alt.Chart(pd.DataFrame(rows))
        .mark_bar()
        .encode(
            x=alt.X("songs:Q", title="songs", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("genre:N", title=None, sort="-x", axis=alt.Axis(labelLimit=160)),
            color=alt.Color(
                "state:N",
                scale=alt.Scale(
                    domain=["ready", "waiting", "failed", "no sound"],
                    range=[COLOURS[2], COLOURS[4], COLOURS[5], COLOURS[7]],
                ),
                legend=alt.Legend(title="spectrogram", orient="top", columns=2),
            ),
            tooltip=["genre:N", "state:N", "songs:Q"],
        )
        .properties(height=alt.Step(28))
    )


def collecting(counts: Mapping[str, Mapping[str, int]]) -> alt.Chart:
    """Tracks per genre, split by how far they are: {genre: {`sound`, `doubtful`, `failed` or `waiting`: n}}."""
    states = {"sound": "with sound", "doubtful": "for your ear", "failed": "failed", "waiting": "waiting"}
    table = pd.DataFrame(
        [
            {"genre": genre, "state": told, "tracks": by_state.get(state, 0), "order": order}
            for genre, by_state in counts.items()
            for order, (state, told) in enumerate(states.items())
        ]
    )
    return (
        alt.Chart(table)
        .mark_bar()
        .encode(
            x=alt.X("tracks:Q", title="tracks", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("genre:N", title=None, sort=list(counts), axis=alt.Axis(labelLimit=160)),
            color=alt.Color(
                "state:N",
                scale=alt.Scale(domain=list(states.values()), range=[COLOURS[2], COLOURS[1], COLOURS[5], COLOURS[7]]),
                legend=alt.Legend(title=None, orient="top", columns=2),
            ),
            order=alt.Order("order:Q"),
            tooltip=["genre:N", "state:N", "tracks:Q"],
        )
        .properties(height=alt.Step(28))
    )


def per_genre(
    counts: "Sequence[GenreCounts]", field: str, genres: Sequence[str], colours: Mapping[str, str] = NO_COLOURS
) -> alt.Chart:
    """`songs` (by their strongest genre) or `artists` of every genre, in the order of `counts`."""
    table = pd.DataFrame([vars(count) for count in counts])
    return (
        alt.Chart(table)
        .mark_bar()
        .encode(
            x=alt.X(f"{field}:Q", title=field, axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("genre:N", sort=list(table["genre"]), title=None, axis=alt.Axis(labelLimit=140)),
            color=alt.Color("genre:N", scale=genre_scale(genres, colours), legend=None),
            tooltip=["genre:N", "songs:Q", alt.Tooltip("shared:Q", title="with other genres too"), "artists:Q"],
        )
        .properties(height=alt.Step(22))
    )


def overlap(matrix: Sequence[Sequence[int]], genres: Sequence[str]) -> alt.LayerChart:
    """Songs with votes for both genres, (n_genres, n_genres); a click selects a cell (parameter `cell`)."""
    table = pd.DataFrame(
        [
            {"one": genres[i], "other": genres[j], "songs": matrix[i][j]}
            for i in range(len(genres))
            for j in range(i)
            if matrix[i][j]
        ],
        columns=["one", "other", "songs"],
    )
    base = alt.Chart(table).encode(
        x=alt.X("other:N", sort=list(genres), title=None, axis=column_names()),
        y=alt.Y("one:N", sort=list(genres), title=None),
        tooltip=["one:N", "other:N", "songs:Q"],
    )
    picked = alt.selection_point(name="cell", fields=["one", "other"], on="click")
    cells = base.mark_rect(cursor="pointer").encode(
        color=alt.Color("songs:Q", scale=alt.Scale(type="sqrt", range=["#DCE9F2", COLOURS[0]]), legend=None),
        stroke=alt.condition(picked, alt.value("#D55E00"), alt.value(None), empty=False),
        strokeWidth=alt.value(3),
    )
    text = base.mark_text().encode(
        text="songs:Q",
        color=alt.condition(
            f"datum.songs > {table['songs'].max() / 3 if len(table) else 0}", alt.value("white"), alt.value("#222")
        ),
    )
    return (cells.add_params(picked) + text).properties(height=alt.Step(30))


def before_and_after(before: Mapping[str, int], after: Mapping[str, int]) -> alt.Chart:
    """Songs per genre before and after balancing."""
    rows = [{"genre": genre, "songs": after.get(genre, 0), "which": "kept"} for genre in before] + [
        {"genre": genre, "songs": n - after.get(genre, 0), "which": "set aside"} for genre, n in before.items()
    ]
    return (
        alt.Chart(pd.DataFrame(rows))
        .mark_bar()
        .encode(
            x=alt.X("songs:Q", title="songs", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("genre:N", title=None, sort=list(before), axis=alt.Axis(labelLimit=160)),
            color=alt.Color(
                "which:N",
                scale=alt.Scale(domain=["kept", "set aside"], range=[COLOURS[2], "#BBBBBB"]),
                legend=alt.Legend(title=None, orient="top"),
            ),
            order=alt.Order("which:N"),
            tooltip=["genre:N", "which:N", "songs:Q"],
        )
        .properties(height=alt.Step(22))
    )


def durations(duration_s: Sequence[float]) -> alt.Chart:
    """How long the songs are, in up to 30 bins: counted here, so that a large library sends no more than a small one."""
    counts, edges = np.histogram(duration_s, bins=min(30, max(1, len(duration_s))))
    table = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "songs": counts})
    return (
        alt.Chart(table)
        .mark_bar(color=COLOURS[0])
        .encode(
            x=alt.X("from:Q", bin="binned", title="length", axis=_clock_axis()),
            x2="to:Q",
            y=alt.Y("songs:Q", title="songs", axis=alt.Axis(tickMinStep=1)),
            tooltip=["songs:Q"],
        )
        .properties(height=240)
    )


def mean_spectra(
    spectra: Mapping[str, FloatArray],
    genres: Sequence[str],
    recipe: SpectrogramRecipe,
    colours: Mapping[str, str] = NO_COLOURS,
) -> alt.Chart:
    """What a genre sounds like on average: level per frequency, {genre: (n_mels,) dB}."""
    frequencies = np.maximum(mel_frequencies(recipe), 20.0)
    table = pd.concat(
        pd.DataFrame({"hertz": frequencies, "level": spectrum.astype(float), "genre": genre})
        for genre, spectrum in spectra.items()
    )
    return (
        alt.Chart(table)
        .mark_line()
        .encode(
            x=alt.X(
                "hertz:Q",
                title="frequency (Hz)",
                scale=alt.Scale(type="log", domain=[40, recipe.sample_rate / 2], clamp=True),
                axis=alt.Axis(values=[50, 100, 200, 500, 1000, 2000, 5000]),
            ),
            y=alt.Y("level:Q", title="mean level (dB)", scale=alt.Scale(zero=False)),
            color=alt.Color(
                "genre:N", scale=genre_scale(genres, colours), legend=alt.Legend(title=None, orient="top", columns=2)
            ),
            tooltip=["genre:N", alt.Tooltip("hertz:Q", format=".0f"), alt.Tooltip("level:Q", format=".1f")],
        )
        .properties(height=280)
    )


def loss_curves(epochs: "Sequence[Epoch]", *, total_epochs: int) -> alt.LayerChart:
    """Training and validation loss by epoch; a dashed rule marks the epoch whose weights are kept."""
    return _curves(epochs, total_epochs, {"train_loss": "training", "validation_loss": "validation"}, "loss", ".3f")


def accuracy_curves(epochs: "Sequence[Epoch]", *, total_epochs: int) -> alt.LayerChart:
    """Validation accuracy by epoch, on whole songs and on single crops; the rule as in `loss_curves`."""
    return _curves(epochs, total_epochs, {"song_accuracy": "songs", "crop_accuracy": "crops"}, "accuracy", "%")


RUN_FIGURES = {"validation_loss": ("validation loss", ".3f"), "song_accuracy": ("validation songs right", "%")}


def run_curves(runs: "Mapping[str, Sequence[Epoch]]", figure: str) -> alt.Chart:
    """One of `RUN_FIGURES` by epoch, a curve for each run."""
    title, form = RUN_FIGURES[figure]
    table = pd.DataFrame(
        [
            {"run": name, "epoch": epoch.epoch, "value": getattr(epoch, figure)}
            for name, epochs in runs.items()
            for epoch in epochs
        ]
    )
    scale = alt.Scale(domain=[0, 1]) if form == "%" else alt.Scale(zero=False)
    return (
        alt.Chart(table)
        .mark_line(point=True)
        .encode(
            x=alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1, format="d"), scale=alt.Scale(nice=False)),
            y=alt.Y("value:Q", title=title, scale=scale, axis=alt.Axis(format=form)),
            color=alt.Color(
                "run:N",
                scale=alt.Scale(domain=list(runs), range=palette(list(runs), NO_COLOURS)),
                legend=alt.Legend(title=None, orient="top", columns=2, labelLimit=160),
            ),
            tooltip=["run:N", "epoch:Q", alt.Tooltip("value:Q", title=title, format=form)],
        )
        .properties(height=290)
    )


def _curves(
    epochs: "Sequence[Epoch]", total_epochs: int, names: dict[str, str], title: str, form: str
) -> alt.LayerChart:
    table = pd.DataFrame([vars(epoch) for epoch in epochs])
    long = table.rename(columns=names).melt("epoch", list(names.values()), "curve", "value")
    last = max(total_epochs, len(table), 2)
    x = alt.X(
        "epoch:Q",
        title="epoch",
        scale=alt.Scale(domain=[1, last], nice=False),
        axis=alt.Axis(tickMinStep=1, format="d"),
    )
    scale = alt.Scale(domain=[0, 1]) if form == "%" else alt.Scale(zero=False)
    lines = (
        alt.Chart(long)
        .mark_line(point=True)
        .encode(
            x=x,
            y=alt.Y("value:Q", title=title, scale=scale, axis=alt.Axis(format=form)),
            color=alt.Color(
                "curve:N",
                scale=alt.Scale(domain=list(names.values()), range=list(COLOURS[:2])),
                legend=alt.Legend(title=None, orient="top"),
            ),
            tooltip=["epoch:Q", "curve:N", alt.Tooltip("value:Q", format=form)],
        )
    )
    rule = (
        alt.Chart(table[table["best"]].tail(1))
        .mark_rule(strokeDash=[4, 4], color="#7F7F7F", strokeWidth=2)
        .encode(x=x, tooltip=[alt.Tooltip("epoch:Q", title="best epoch")])
    )
    return (lines + rule).properties(height=240)


def confusion(matrix: Sequence[Sequence[int]], genres: Sequence[str]) -> alt.LayerChart:
    """Songs by true genre (rows) and answer (columns); a row's shares give the shade."""
    counts = np.array(matrix)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    table = pd.DataFrame(
        {
            "true": np.repeat(genres, len(genres)),
            "answer": np.tile(genres, len(genres)),
            "songs": counts.ravel(),
            "share": shares.ravel(),
        }
    )
    base = alt.Chart(table).encode(
        x=alt.X("answer:N", sort=list(genres), title="the network says", axis=column_names()),
        y=alt.Y("true:N", sort=list(genres), title="it is"),
        tooltip=["true:N", "answer:N", "songs:Q", alt.Tooltip("share:Q", format=".0%")],
    )
    cells = base.mark_rect().encode(
        color=alt.Color("share:Q", scale=alt.Scale(domain=[0, 1], range=["#F3F7FA", COLOURS[0]]), legend=None)
    )
    text = base.mark_text(fontSize=14).encode(
        text="songs:Q", color=alt.condition("datum.share > 0.5", alt.value("white"), alt.value("#222"))
    )
    return (cells + text).properties(height=alt.Step(44))


def _clock_axis() -> alt.Axis:
    """Seconds as m:ss."""
    clock = "floor(datum.value / 60) + ':' + (datum.value % 60 < 10 ? '0' : '') + floor(datum.value % 60)"
    return alt.Axis(labelExpr=clock, tickMinStep=1, grid=False)


def _coloured(shades: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(h, w) -> (h, w, 3) in a perceptually even, colour-blind safe scale (Plotly's Inferno)."""
    import plotly.express as px

    anchors = np.array([px.colors.hex_to_rgb(colour) for colour in px.colors.sequential.Inferno], np.float64)
    places = np.linspace(0, 255, len(anchors))
    table = np.stack([np.interp(np.arange(256), places, anchors[:, channel]) for channel in range(3)], axis=1)
    return np.asarray(table.astype(np.uint8)[shades], np.uint8)
