"""Charts are pure: data in, a figure out whose numbers can be read."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from app import charts
from core.library.runs import Epoch
from core.library.summary import GenreCounts
from core.recipes import SpectrogramRecipe

GENRES = ("drone", "hiss", "hum")
CONFIG = Path(__file__).resolve().parents[2] / ".streamlit" / "config.toml"


def epoch(number: int, *, best: bool) -> Epoch:
    return Epoch(number, number * 10, 1.0, 0.9, 0.5, 0.6, [[1, 0], [0, 1]], 1e-3, 100.0, 5.0, 50.0, best)


def test_charts_and_theme_share_one_palette() -> None:
    assert tomllib.loads(CONFIG.read_text())["theme"]["chartCategoricalColors"] == list(charts.COLOURS)
    assert len(set(charts.COLOURS)) == len(charts.COLOURS)


def test_a_genre_keeps_its_colour_with_any_number_of_genres() -> None:
    many = [f"genre {number}" for number in range(40)]
    assert charts.genre_scale(many, {}).to_dict()["range"][:3] == charts.genre_scale(many[:3], {}).to_dict()["range"]


def test_bars_hold_the_spectrum() -> None:
    table = charts.genre_bars(np.array([0.2, 0.7, 0.1], np.float32), GENRES).to_dict()["datasets"]
    (rows,) = table.values()
    assert {row["genre"]: round(row["share"], 3) for row in rows} == {"drone": 0.2, "hiss": 0.7, "hum": 0.1}


def test_what_is_not_claimed_is_muted() -> None:
    spectrum = np.array([0.2, 0.7, 0.1], np.float32)
    loud, quiet = (
        charts.genre_bars(spectrum, GENRES, muted=muted).to_dict()["mark"]["opacity"] for muted in (False, True)
    )
    assert quiet < 0.5 < loud


def test_songs_are_compared_in_their_order_though_two_have_one_name() -> None:
    spectra = np.array([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]], np.float32)
    spec = charts.comparison(["a", "a"], spectra, GENRES).to_dict()
    (rows,) = spec["datasets"].values()
    assert spec["encoding"]["y"]["sort"] == ["1  a", "2  a"]
    assert [row["share"] for row in rows if row["song"] == "2  a"] == [0.0, 1.0, 0.0]


def test_a_picture_begins_with_its_lowest_band_and_is_not_too_wide() -> None:
    codes = np.zeros((5_000, 16), np.uint8)
    codes[:, 0] = 200
    drawn = charts.picture(codes)
    assert drawn.shape[0] == 16 and drawn.shape[1] <= charts.MAX_COLUMNS and drawn.shape[2] == 3
    assert drawn[0].mean() > drawn[1:].mean()


@pytest.mark.parametrize("n_frames", [1, 128, 1876, 30_000])
def test_a_spectrogram_is_one_picture_of_bounded_size(n_frames: int) -> None:
    recipe = SpectrogramRecipe()
    codes = np.random.default_rng(0).integers(0, 255, (n_frames, 128), np.uint8)
    figure = charts.spectrogram(codes, recipe, crops=[(0.0, 4.1)])
    assert figure.data[0].source.startswith("data:image/png")
    assert len(figure.to_json()) < 1_000_000
    assert figure.layout.xaxis.range == (0, pytest.approx(n_frames * recipe.frame_s))
    assert "1 kHz" in figure.layout.yaxis.ticktext
    assert len(figure.layout.shapes) == 1


def test_the_best_epoch_is_marked() -> None:
    spec = charts.loss_curves(
        [epoch(1, best=True), epoch(2, best=True), epoch(3, best=False)], total_epochs=9
    ).to_dict()
    rule = spec["layer"][1]
    (marked,) = spec["datasets"][rule["data"]["name"]]
    assert marked["epoch"] == 2
    assert spec["layer"][0]["encoding"]["x"]["scale"]["domain"] == [1, 9]


def test_words_on_charts_have_the_colour_of_the_text_and_none_is_left_out() -> None:
    config = charts.genre_bars(np.array([1.0], np.float32), ("a",)).to_dict()["config"]
    assert {config[part]["labelColor"] for part in ("axis", "legend", "header")} == {"currentColor"}
    names = charts.confusion([[3, 1], [0, 0]], ("a", "b")).to_dict()["layer"][0]["encoding"]["x"]["axis"]
    assert names["labelOverlap"] is False


def test_a_confusion_matrix_has_true_genres_as_rows() -> None:
    (rows,) = charts.confusion([[3, 1], [0, 0]], ("a", "b")).to_dict()["datasets"].values()
    assert {(row["true"], row["answer"]): row["songs"] for row in rows}[("a", "b")] == 1
    assert all(np.isfinite(row["share"]) for row in rows)  # a genre without songs too


def test_a_colour_that_was_given_is_used_and_others_keep_theirs() -> None:
    scale = charts.genre_scale(["a", "b", "c"], {"b": "#123456"}).to_dict()
    assert scale["range"] == [charts.COLOURS[0], "#123456", charts.COLOURS[2]]


def test_the_overlap_shows_each_pair_once() -> None:
    spec = charts.overlap([[5, 2, 0], [2, 4, 0], [0, 0, 1]], ["a", "b", "c"]).to_dict()
    (rows,) = spec["datasets"].values()
    assert rows == [{"one": "b", "other": "a", "songs": 2}]
    assert any(param["name"] == "cell" for param in spec["params"] + spec["layer"][0].get("params", []))


def test_lengths_are_counted_before_they_are_sent() -> None:
    (rows,) = charts.durations([180.0] * 5000 + [240.0] * 300).to_dict()["datasets"].values()
    assert len(rows) <= 30
    assert sum(row["songs"] for row in rows) == 5300
    assert len(next(iter(charts.durations([200.0]).to_dict()["datasets"].values()))) == 1


def test_balancing_shows_what_stays_and_what_goes() -> None:
    (rows,) = charts.before_and_after({"a": 10, "b": 3}, {"a": 4, "b": 3}).to_dict()["datasets"].values()
    assert {(row["genre"], row["which"]): row["songs"] for row in rows} == {
        ("a", "kept"): 4,
        ("a", "set aside"): 6,
        ("b", "kept"): 3,
        ("b", "set aside"): 0,
    }


def test_counts_per_genre_keep_their_order() -> None:
    counts = [GenreCounts("b", 9, 1, 4), GenreCounts("a", 2, 0, 2)]
    spec = charts.per_genre(counts, "artists", ["a", "b"]).to_dict()
    assert spec["encoding"]["y"]["sort"] == ["b", "a"]
    assert spec["encoding"]["x"]["field"] == "artists"
