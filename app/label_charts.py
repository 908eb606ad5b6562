"""Charts of labels. Pure: data in, figure out."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from app.charts import COLOURS
from core.music import FloatArray

YOURS, MACHINE = "your label", "the machine"
LEAST = 0.01
"""Shares below are not drawn, unless the label has the genre."""


def label_and_answer(label: Mapping[str, float], spectrum: FloatArray, genres: Sequence[str]) -> alt.LayerChart:
    """A song's label beside what a machine answered, `spectrum` (n_genres,) over `genres`: two bars a genre.

    Genres of the label that the machine was not asked about have a bar of its own all the same.
    """
    answer = dict(zip(genres, spectrum.astype(float), strict=True))
    shown = [genre for genre in {**answer, **label} if label.get(genre) or answer.get(genre, 0.0) >= LEAST]
    shown.sort(key=lambda genre: (-max(label.get(genre, 0.0), answer.get(genre, 0.0)), genre.casefold()))
    table = pd.DataFrame(
        [
            {"genre": genre, "says": who, "share": shares.get(genre, 0.0)}
            for genre in shown
            for who, shares in ((YOURS, label), (MACHINE, answer))
        ],
        columns=["genre", "says", "share"],
    )
    base = alt.Chart(table).encode(
        x=alt.X("share:Q", title=None, axis=None, scale=alt.Scale(domain=[0, 1.2])),
        y=alt.Y(
            "genre:N",
            sort=shown,
            title=None,
            axis=alt.Axis(labelFontSize=14, ticks=False, domain=False, labelLimit=150),
        ),
        yOffset=alt.YOffset("says:N", sort=[YOURS, MACHINE]),
        tooltip=["genre:N", "says:N", alt.Tooltip("share:Q", format=".0%")],
    )
    bars = base.mark_bar(cornerRadiusEnd=3).encode(
        color=alt.Color(
            "says:N",
            scale=alt.Scale(domain=[YOURS, MACHINE], range=[COLOURS[1], COLOURS[0]]),
            legend=alt.Legend(title=None, orient="top"),
        )
    )
    percent = (
        base.transform_filter("datum.share >= 0.005")
        .mark_text(align="left", dx=4, fontSize=12, color="#7F7F7F")
        .encode(text=alt.Text("share:Q", format=".0%"))
    )
    layers: alt.LayerChart = (bars + percent).properties(height=alt.Step(18))
    return layers
