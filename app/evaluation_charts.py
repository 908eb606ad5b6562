"""Charts of evaluations. Pure: data in, figure out."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from app.charts import COLOURS, NO_COLOURS, column_names, genre_scale
from core.music import FloatArray


def confusion(matrix: Sequence[Sequence[int]], genres: Sequence[str]) -> alt.LayerChart:
    """Songs by true genre (rows) and answer (columns), (n_genres, n_genres); a click selects a cell (parameter `cell`)."""
    table = pd.DataFrame(
        [
            {"genre": true, "answer": said, "songs": n, "share": n / max(sum(row), 1)}
            for true, row in zip(genres, matrix, strict=True)
            for said, n in zip(genres, row, strict=True)
        ]
    )
    base = alt.Chart(table).encode(
        x=alt.X("answer:N", sort=list(genres), title="answer", axis=column_names()),
        y=alt.Y("genre:N", sort=list(genres), title="true genre", axis=alt.Axis(labelLimit=140)),
    )
    picked = alt.selection_point(name="cell", fields=["genre", "answer"], on="click")
    cells = base.mark_rect(cursor="pointer").encode(
        color=alt.Color("share:Q", scale=alt.Scale(domain=[0, 1], range=["#EEF4F8", COLOURS[0]]), legend=None),
        stroke=alt.condition(picked, alt.value("#D55E00"), alt.value(None), empty=False),
        strokeWidth=alt.value(3),
        tooltip=["genre:N", "answer:N", "songs:Q", alt.Tooltip("share:Q", format=".0%", title="of the genre")],
    )  # no tooltip on the number, or it would take the clicks for itself
    text = base.mark_text(fontSize=13).encode(
        text="songs:Q", color=alt.condition("datum.share > 0.5", alt.value("white"), alt.value("#222"))
    )
    layers: alt.LayerChart = (cells.add_params(picked) + text).properties(height=alt.Step(40))
    return layers


def reliability(bins: Sequence[Mapping[str, Any]]) -> alt.LayerChart:
    """How sure it was against how often it was right; on the dashed line the two are the same."""
    share = alt.Scale(domain=[0, 1])
    table = pd.DataFrame([row for row in bins if row["songs"]], columns=["confidence", "accuracy", "songs"])
    dots = (
        alt.Chart(table)
        .mark_circle(color=COLOURS[0], opacity=0.9)
        .encode(
            x=alt.X("confidence:Q", scale=share, title="how sure it says it is", axis=alt.Axis(format="%")),
            y=alt.Y("accuracy:Q", scale=share, title="how often it is right", axis=alt.Axis(format="%")),
            size=alt.Size("songs:Q", legend=None, scale=alt.Scale(range=[30, 500])),
            tooltip=[
                alt.Tooltip("confidence:Q", format=".0%", title="said"),
                alt.Tooltip("accuracy:Q", format=".0%", title="right"),
                "songs:Q",
            ],
        )
    )
    line = (
        alt.Chart(pd.DataFrame({"confidence": [0, 1], "accuracy": [0, 1]}))
        .mark_line(strokeDash=[4, 4], color=COLOURS[7])
        .encode(x="confidence:Q", y="accuracy:Q")
    )
    layers: alt.LayerChart = (line + dots).properties(height=280)
    return layers


def answer_and_label(
    spectrum: FloatArray, truth: FloatArray, genres: Sequence[str], colours: Mapping[str, str] = NO_COLOURS
) -> alt.LayerChart:
    """A song's answer as bars, strongest first, and its label as a black tick on each, both (n_genres,)."""
    table = pd.DataFrame({"genre": genres, "share": spectrum.astype(float), "truth": truth.astype(float)})
    table["told"] = [f"{genre}  {share:.0%}" for genre, share in zip(genres, spectrum, strict=True)]
    base = alt.Chart(table).encode(
        y=alt.Y(
            "told:N",
            sort=list(table.sort_values("share", ascending=False)["told"]),
            title=None,
            axis=alt.Axis(labelFontSize=14, ticks=False, domain=False, labelLimit=200),
        ),
        tooltip=[
            "genre:N",
            alt.Tooltip("share:Q", format=".1%", title="answer"),
            alt.Tooltip("truth:Q", format=".0%", title="label"),
        ],
    )
    bars = base.mark_bar(cornerRadiusEnd=4).encode(
        x=alt.X("share:Q", title=None, axis=None, scale=alt.Scale(domain=[0, 1])),
        color=alt.Color("genre:N", scale=genre_scale(genres, colours), legend=None),
    )
    ticks = (
        base.transform_filter("datum.truth > 0").mark_tick(thickness=4, size=28, color=COLOURS[5]).encode(x="truth:Q")
    )
    layers: alt.LayerChart = (bars + ticks).properties(height=alt.Step(32))
    return layers
