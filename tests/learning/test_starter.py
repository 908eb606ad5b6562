"""The model that comes with the project: small, told of honestly, and right about what it should know."""

from pathlib import Path

import pytest

from core.inference.prediction import predict
from core.learning import model
from core.settings import PROJECT, Settings

FOLDER = PROJECT / "models" / "genrescope-starter"
MAX_BYTES = 8_000_000


def test_it_is_found_from_any_workspace_and_is_nobodys_to_delete(settings: Settings) -> None:
    entry = next(entry for entry in model.list_models(settings) if entry.name == FOLDER.name)
    assert (entry.problem, entry.own) == ("", False)
    assert model.find(settings) == FOLDER, "with nothing else there, it is the one that answers"


def test_it_is_small_enough_to_come_with_every_copy() -> None:
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) <= MAX_BYTES


def test_its_card_tells_data_figures_limits_and_licence_and_names_no_song() -> None:
    card = model.read_card(FOLDER)
    assert card.tested and card.tested.low < card.tested.accuracy < card.tested.high
    assert card.metrics and card.metrics["ece"] < 0.1 and "artist" in card.metrics["protocol"]
    assert card.data_origin and card.intended_use and card.limits
    assert "non-commercial" in card.licence.casefold()
    assert card.split == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("song", "genre"),
    [
        ("music/Hungarian_Dance_number_5_-_Allegro_in_F_sharp_minor_(string_orchestra).ogg", "classical"),
        ("music/Karissa_Hobbs_-_Lets_Go_Fishin.ogg", "pop"),
    ],
)
def test_it_knows_songs_of_neither_collection(shared_data: Path, song: str, genre: str) -> None:
    answer = predict(shared_data / "uploads" / song, model.load(FOLDER))
    assert answer.top == genre and answer.spectrum.max() > 0.5


def test_it_refuses_most_of_what_is_no_music(shared_data: Path) -> None:
    starter = model.load(FOLDER)
    told = [predict(file, starter).verdict for file in sorted((shared_data / "uploads" / "not_music").glob("*.ogg"))]
    assert sum(verdict.refused for verdict in told) >= 5, [verdict.kind for verdict in told]
    assert not predict(
        shared_data / "uploads" / "music" / "Karissa_Hobbs_-_Lets_Go_Fishin.ogg", starter
    ).verdict.refused
