"""Models: a folder published whole; what is damaged or foreign is refused with the reason, and never unpickled."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from core.errors import ModelError
from core.files import sha256_of
from core.learning import model
from core.learning.model import CARD, FILTERS, MAX_CARD_BYTES, WEIGHTS
from core.learning.networks import GenreNetwork, as_logits
from core.recipes import SpectrogramRecipe, TrainingRecipe
from core.settings import Settings

RECIPE = SpectrogramRecipe(n_fft=128, hop_length=64, n_mels=16)
TRAINING = TrainingRecipe(steps=3, crop_frames=32)
GENRES = ("drone", "hiss", "jazz")


def network(seed: int = 0) -> GenreNetwork:
    torch.manual_seed(seed)
    return GenreNetwork("small_resnet", len(GENRES), np.full(16, -30, np.float32), np.full(16, 9, np.float32))


def publish(folder: Path, seed: int = 0, **changes: Any) -> Path:
    given: dict[str, Any] = {
        "genres": GENRES,
        "spectrogram": RECIPE,
        "training": TRAINING,
        "steps": 3,
        "split": {"train": [], "validation": [], "test": []},
        "data_fingerprint": "d" * 16,
        "metrics": {"accuracy": 0.5},
        "run": "1",
    }
    filters = np.random.default_rng(seed).random((16, 65), np.float32)
    model.publish(folder, network(seed), filters, **(given | changes))
    return folder


def change_card(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    card = json.loads((folder / CARD).read_text())
    change(card)
    (folder / CARD).write_text(json.dumps(card))


def put_weights(folder: Path, data: bytes) -> None:
    """Replace the weights, and make the card agree: a forgery, not an accident."""
    (folder / WEIGHTS).write_bytes(data)
    change_card(folder, lambda card: card.update(weights_sha256=sha256_of(folder / WEIGHTS)))


def put_tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / "other")
    put_weights(folder, (folder / "other").read_bytes())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return publish(tmp_path / "models" / "mine")


# -- publishing and loading --------------------------------------------------------------------------------------------


def test_a_model_answers_as_the_network_it_was_published_from(folder: Path) -> None:
    loaded = model.load(folder)
    codes = np.random.default_rng(0).integers(0, 256, (5, 32, 16), np.uint8)
    published = network().to(
        memory_format=torch.channels_last
    )  # as it is loaded: another layout may sum in another order
    assert np.array_equal(loaded.logits(codes), as_logits(published)(codes))
    assert (loaded.name, loaded.genres, loaded.recipe, loaded.crop_frames) == ("mine", GENRES, RECIPE, 32)
    assert np.array_equal(loaded.filters, np.random.default_rng(0).random((16, 65), np.float32))


def test_a_model_is_two_files_and_nothing_is_left_beside_it(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [CARD, WEIGHTS]
    assert [path.name for path in folder.parent.iterdir()] == ["mine"]


def test_a_card_says_what_it_is_made_of(folder: Path) -> None:
    card = json.loads((folder / CARD).read_text())
    assert card["genres"] == list(GENRES)
    assert card["spectrogram_fingerprint"] == RECIPE.fingerprint
    assert card["training"] == TRAINING.model_dump(mode="json")
    assert card["training_fingerprint"] == TRAINING.fingerprint
    assert (card["network"], card["crop_frames"]) == ("small_resnet", 32)
    assert card["weights_sha256"] == sha256_of(folder / WEIGHTS)
    assert {"python", "torch", "numpy", "genrescope"} <= set(card["versions"])


def test_an_existing_name_is_refused_and_the_model_stays(folder: Path) -> None:
    before = sha256_of(folder / WEIGHTS)
    with pytest.raises(ModelError, match=r"already\. Choose another name"):
        publish(folder, seed=1)
    assert sha256_of(folder / WEIGHTS) == before
    assert [path.name for path in folder.parent.iterdir()] == ["mine"]


@pytest.mark.parametrize("where", ["save_file", "write_json"])
def test_a_publication_that_is_interrupted_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    whole = getattr(model, where)

    def fail_after(*arguments: Any) -> None:
        whole(*arguments)
        raise OSError("No space left on device")

    monkeypatch.setattr(model, where, fail_after)
    with pytest.raises(OSError, match="No space left"):
        publish(tmp_path / "models" / "mine")
    assert list((tmp_path / "models").iterdir()) == []


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a", "My model 2", "v1.0_final-really", "7", "x" * 60, "console", "commune"])
def test_good_names(name: str) -> None:
    assert model.check_name(name) == name


BAD_NAMES = [
    "", ".", "..", "../up", "a/b", "a\\b", "/etc", "a:b", ".hidden", "-rf", " a", "a ", "a.", "a\n", "a\0b", "é", "x" * 61,
    "CON", "con", "nul.txt", "COM1", "lpt9.model",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(ModelError, match=r"cannot be a model's name\. Use up to 60 letters"):
        model.check_name(name)


def test_a_bad_name_is_published_renamed_and_found_nowhere(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be a model's name"):
        publish(settings.models / "CON")
    publish(settings.models / "mine")
    for bad in ("../mine", "..", "a/b", ""):
        with pytest.raises(ModelError):
            model.rename(settings, "mine", bad)
        with pytest.raises(ModelError):
            model.delete(settings, bad)
        with pytest.raises(ModelError):
            model.find(settings, bad)
    assert (settings.models / "mine").is_dir()


def test_a_model_trained_with_settings_of_another_version_still_loads(folder: Path) -> None:
    change_card(folder, lambda card: card["training"].update(a_setting_of_next_year=1))
    assert model.load(folder).crop_frames == 32


# -- what is refused ---------------------------------------------------------------------------------------------------


def cut_weights(folder: Path) -> None:
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[: len(data) // 2])


def flip_a_bit(folder: Path) -> None:
    data = bytearray((folder / WEIGHTS).read_bytes())
    data[-1000] ^= 1
    (folder / WEIGHTS).write_bytes(data)


DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "weights cut short": (cut_weights, "are damaged"),
    "a bit flipped": (flip_a_bit, "are damaged"),
    "weights emptied": (lambda folder: (folder / WEIGHTS).write_bytes(b""), "are damaged"),
    "weights gone": (lambda folder: (folder / WEIGHTS).unlink(), "cannot be read: No such file"),
    "weights a folder": (lambda f: ((f / WEIGHTS).unlink(), (f / WEIGHTS).mkdir()), "cannot be read|are damaged"),
    "noise for weights": (lambda folder: put_weights(folder, os.urandom(2000)), "do not fit its card"),
    "a header of 2 ** 63 bytes": (lambda f: put_weights(f, b"\xff" * 7 + b"\x7f" + b"{}"), "do not fit its card"),
    "foreign tensors": (
        lambda f: put_tensors(f, lambda t: (t.clear(), t.update(other=torch.ones(3)))),
        "do not fit its card",
    ),
    "no mel filters": (lambda folder: put_tensors(folder, lambda t: t.pop(FILTERS)), "do not fit its card"),
    "a tensor missing": (lambda f: put_tensors(f, lambda t: t.pop("body.head.bias")), "do not fit its card"),
    "a tensor too many": (lambda f: put_tensors(f, lambda t: t.update(x=torch.ones(1))), "do not fit its card"),
    "a tensor of another shape": (
        lambda f: put_tensors(f, lambda t: t.update({"body.head.bias": torch.ones(7)})),
        "do not fit its card",
    ),
    "filters of another shape": (
        lambda f: put_tensors(f, lambda t: t.update({FILTERS: torch.ones(16, 64)})),
        r"mel filters of \(16, 64\)",
    ),
    "filters of a type numpy lacks": (
        lambda f: put_tensors(f, lambda t: t.update({FILTERS: t[FILTERS].to(torch.bfloat16)})),
        "do not fit its card",
    ),
    "card gone": (lambda folder: (folder / CARD).unlink(), "There is no model in .*: it has no card.json"),
    "card empty": (lambda folder: (folder / CARD).write_bytes(b""), "is not a Genrescope model card"),
    "card cut short": (lambda f: (f / CARD).write_bytes((f / CARD).read_bytes()[:200]), "is not a Genrescope model card"),
    "card not text": (lambda folder: (folder / CARD).write_bytes(b"\xff\xfe\x00{"), "is not a Genrescope model card"),
    "card a list": (lambda folder: (folder / CARD).write_text("[]"), "is not a Genrescope model card"),
    "card nested deep": (lambda f: (f / CARD).write_text("[" * 100_000), "is not a Genrescope model card"),
    "card a folder": (lambda f: ((f / CARD).unlink(), (f / CARD).mkdir()), "cannot be read: Is a directory"),
    "card of another kind": (lambda f: change_card(f, lambda c: c.update(format=2)), "format: "),
    "something unknown on the card": (lambda f: change_card(f, lambda c: c.update(surprise=1)), "surprise: "),
    "spectrograms of another fingerprint": (
        lambda f: change_card(f, lambda c: c.update(spectrogram_fingerprint="0" * 16)),
        f"has the fingerprint {RECIPE.fingerprint}, but the card says {'0' * 16}",
    ),
    "a spectrogram recipe that was changed": (
        lambda f: change_card(f, lambda c: c["spectrogram"].update(hop_length=32)),
        f"has the fingerprint .* but the card says {RECIPE.fingerprint}",
    ),
    "a network nobody knows": (lambda f: change_card(f, lambda c: c.update(network="x")), "network 'x' is not known"),
    "a genre too many": (lambda f: change_card(f, lambda c: c["genres"].append("polka")), "do not fit its card"),
    "one genre": (lambda f: change_card(f, lambda c: c.update(genres=["drone"])), "genres: "),
    "a genre twice": (lambda f: change_card(f, lambda c: c.update(genres=["a", "b", "a"])), "named twice"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_or_foreign_folder_is_refused_with_the_reason(folder: Path, damage: str) -> None:
    model.load(folder)  # it was good
    do, reason = DAMAGES[damage]
    do(folder)
    with pytest.raises(ModelError, match=reason):
        model.load(folder)


def test_a_huge_card_is_refused_unread(folder: Path) -> None:
    with (folder / CARD).open("r+b") as card:
        card.truncate(MAX_CARD_BYTES + 1)
    with pytest.raises(ModelError, match="is too large for a model card"):
        model.load(folder)


def test_huge_weights_are_refused_unread(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "MAX_WEIGHTS_BYTES", 1000)
    monkeypatch.setattr(
        Path, "read_bytes", lambda path: (folder / CARD).open("rb").read() if path.name == CARD else 1 // 0
    )
    with pytest.raises(ModelError, match="weights of the model 'mine'"):
        model.load(folder)


class Bomb:
    """Unpickled, it makes a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.file),)


@pytest.mark.parametrize("kind", ["pickle", "torch"])
def test_a_pickle_in_place_of_weights_is_refused_and_never_unpickled(folder: Path, tmp_path: Path, kind: str) -> None:
    proof = tmp_path / "proof"
    data = pickle.dumps(Bomb(proof))
    pickle.loads(data)  # noqa: S301 - the bomb works
    proof.rmdir()
    if kind == "torch":
        torch.save({"weights": Bomb(proof)}, tmp_path / "saved")
        data = (tmp_path / "saved").read_bytes()
    put_weights(folder, data)
    with pytest.raises(ModelError, match="do not fit its card"):
        model.load(folder)
    assert not proof.exists()


# -- the models of a workspace -----------------------------------------------------------------------------------------


def own(settings: Settings) -> list[str]:
    return [entry.name for entry in model.list_models(settings) if entry.own]


def test_models_are_listed_newest_first_and_broken_ones_last_with_the_reason(settings: Settings) -> None:
    for number, name in enumerate(["old", "new"]):
        publish(settings.models / name, seed=number)
    change_card(settings.models / "old", lambda card: card.update(created_at="2020-01-01T00:00:00+00:00"))
    (settings.models / "broken").mkdir()
    (settings.models / "a file").touch()
    (settings.models / ".partial-x").mkdir()
    entries = {entry.name: entry for entry in model.list_models(settings) if entry.own}
    assert list(entries) == ["new", "old", "broken"]
    assert entries["broken"].card is None and "it has no card.json" in entries["broken"].problem
    assert entries["old"].card and entries["old"].card.genres == GENRES and entries["old"].problem == ""


def test_a_model_is_found_by_name_by_path_or_as_the_newest(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="There is no model named 'mine'"):
        model.find(settings, "mine")
    publish(settings.models / "mine")
    elsewhere = publish(tmp_path / "elsewhere")
    assert model.find(settings, "mine") == settings.models / "mine"
    assert model.find(settings, str(elsewhere)) == elsewhere
    assert model.find(settings) == settings.models / "mine"
    with pytest.raises(ModelError, match=r"no model named 'other'\. There are: .*mine"):
        model.find(settings, "other")


def test_renaming(settings: Settings) -> None:
    publish(settings.models / "mine")
    publish(settings.models / "taken", seed=1)
    model.rename(settings, "mine", "better name")
    assert sorted(own(settings)) == ["better name", "taken"]
    assert model.load(model.find(settings, "better name")).name == "better name"
    with pytest.raises(ModelError, match="'taken' already"):
        model.rename(settings, "better name", "taken")
    with pytest.raises(ModelError, match="no model named 'mine'"):
        model.rename(settings, "mine", "again")


def test_deleting_and_its_undo(settings: Settings) -> None:
    publish(settings.models / "mine")
    before = sha256_of(settings.models / "mine" / WEIGHTS)
    binned = model.delete(settings, "mine")
    assert own(settings) == [] and binned.is_dir()
    with pytest.raises(ModelError):
        model.delete(settings, "mine")
    model.restore(settings, binned)
    assert own(settings) == ["mine"] and not binned.exists()
    assert sha256_of(settings.models / "mine" / WEIGHTS) == before


def test_undo_does_not_overwrite_a_model_made_since(settings: Settings) -> None:
    publish(settings.models / "mine")
    binned = model.delete(settings, "mine")
    publish(settings.models / "mine", seed=1)
    newer = sha256_of(settings.models / "mine" / WEIGHTS)
    with pytest.raises(ModelError, match="another model named 'mine' by now"):
        model.restore(settings, binned)
    assert sha256_of(settings.models / "mine" / WEIGHTS) == newer and binned.is_dir()
