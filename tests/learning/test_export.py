"""Publishing: a folder that is whole, whose ONNX graph answers as the network does; older folders brought up to date."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file

from core.errors import ModelError
from core.files import sha256_of
from core.learning import export, model, texture
from core.learning.graph import open_graph
from core.learning.model import CARD, GRAPH, WEIGHTS
from core.learning.networks import NETWORKS, GenreNetwork, as_logits, decibels
from tests.models import GENRES, RECIPE, TRAINING, change_card, make_old, network, publish, put

N_MELS = 32


@pytest.fixture(autouse=True)
def _taught_in_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """How well the layers of texture are taught changes nothing of how they are exported."""
    monkeypatch.setattr(texture, "TEACHING_STEPS", 20)
    monkeypatch.setattr(texture, "LESSONS", 500)


def trained(name: str, crop_frames: int) -> GenreNetwork:
    """A network as a training leaves it: statistics of its own, batch norms that have seen crops, a temperature."""
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    mean, std = rng.uniform(-60, 0, N_MELS).astype(np.float32), rng.uniform(5, 15, N_MELS).astype(np.float32)
    made = GenreNetwork(name, 3, mean, std, crop_frames=crop_frames)
    made.temperature.fill_(1.7)
    made.train()
    with torch.no_grad():
        for _ in range(3):
            made(torch.from_numpy(rng.integers(0, 256, (8, crop_frames, N_MELS), np.uint8)))
    if made.texture is not None:
        crops = torch.from_numpy(rng.integers(0, 256, (60, crop_frames, N_MELS), np.uint8))
        with torch.no_grad():
            statistics = made.texture.statistics(decibels(crops)).numpy()
        made.texture.fit(statistics, np.eye(3, dtype=np.float32)[np.arange(60) % 3], seed=0)
        assert made.texture.is_fitted
    return made


@pytest.mark.parametrize(
    "crop_frames", [128, pytest.param(64, marks=pytest.mark.slow), pytest.param(251, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_graph_answers_as_the_network(name: str, crop_frames: int) -> None:
    published = trained(name, crop_frames)
    data = export.as_onnx(published, crop_frames=crop_frames)
    answer = open_graph(data, crop_frames=crop_frames, n_mels=N_MELS, n_genres=3)
    rng = np.random.default_rng(0)
    published.eval()
    for batch in (1, 64):
        codes = rng.integers(0, 256, (batch, crop_frames, N_MELS), np.uint8)
        with torch.inference_mode():
            expected = published.answer(torch.from_numpy(codes))
        for ours, theirs in zip(answer(codes), expected, strict=True):
            assert ours.dtype == np.float32 and ours.shape == tuple(theirs.shape)
            np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-4)
        assert np.abs(answer(codes)[0]).max() > 1e-3, "and it answers something"


@pytest.mark.parametrize("name", NETWORKS)
def test_the_temperature_is_in_the_graph(name: str) -> None:
    hot, codes = trained(name, 64), np.random.default_rng(0).integers(0, 256, (2, 64, N_MELS), np.uint8)
    cold = trained(name, 64)
    cold.temperature.fill_(1.0)
    shape = {"crop_frames": 64, "n_mels": N_MELS, "n_genres": 3}
    (hot_logits, hot_features), (cold_logits, cold_features) = (
        open_graph(export.as_onnx(one, crop_frames=64), **shape)(codes) for one in (hot, cold)
    )
    np.testing.assert_allclose(hot_logits * 1.7, cold_logits, atol=1e-4)
    np.testing.assert_allclose(hot_features, cold_features, atol=1e-5)


def test_the_graph_is_the_same_bytes_again_and_tells_nothing_of_this_machine() -> None:
    one, two = (export.as_onnx(network(), crop_frames=32) for _ in range(2))
    assert one == two
    assert os.fsencode(Path(__file__).resolve().parents[2]) not in one and b"forward" not in one
    graph = onnx.ModelProto.FromString(one)
    assert {entry.domain for entry in graph.opset_import} == {""}
    onnx.checker.check_model(graph, full_check=True)


def test_exporting_is_quiet_and_leaves_deterministic_settings_alone(capfd: pytest.CaptureFixture[str]) -> None:
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        export.as_onnx(network(), crop_frames=32)
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(before)
    assert capfd.readouterr() == ("", "")


# -- publishing --------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return publish(tmp_path / "models" / "mine")


def test_a_model_is_three_files_and_nothing_is_left_beside_it(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [CARD, GRAPH, WEIGHTS]
    assert [path.name for path in folder.parent.iterdir()] == ["mine"]


def test_a_graph_is_made_where_none_is_given(tmp_path: Path, folder: Path) -> None:
    other = publish(tmp_path / "models" / "other", graph=None)
    assert (other / GRAPH).read_bytes() == (folder / GRAPH).read_bytes()


def test_a_card_says_what_it_is_made_of(folder: Path) -> None:
    card = json.loads((folder / CARD).read_text())
    assert (card["format"], card["genres"]) == (2, list(GENRES))
    assert card["spectrogram_fingerprint"] == RECIPE.fingerprint
    assert card["training"] == TRAINING.model_dump(mode="json")
    assert card["training_fingerprint"] == TRAINING.fingerprint
    assert (card["network"], card["crop_frames"]) == ("small_resnet", 32)
    assert card["weights_sha256"] == sha256_of(folder / WEIGHTS)
    assert card["onnx_sha256"] == sha256_of(folder / GRAPH)
    assert {"python", "torch", "onnx", "numpy", "genrescope"} <= set(card["versions"])
    assert card["title"] == card["licence"] == ""


def test_a_card_can_say_more_to_people(tmp_path: Path) -> None:
    told = {
        name: f"about {name}" for name in ("title", "description", "data_origin", "intended_use", "limits", "licence")
    }
    card = model.load(publish(tmp_path / "told", told=told)).card
    assert {name: getattr(card, name) for name in told} == told


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
    whole = getattr(export, where)

    def fail_after(*arguments: Any) -> None:
        whole(*arguments)
        raise OSError("No space left on device")

    monkeypatch.setattr(export, where, fail_after)
    with pytest.raises(OSError, match="No space left"):
        publish(tmp_path / "models" / "mine")
    assert list((tmp_path / "models").iterdir()) == []


# -- older folders -----------------------------------------------------------------------------------------------------


def test_a_folder_of_the_older_format_is_brought_up_to_date_from_its_weights(folder: Path) -> None:
    make_old(folder)
    assert export.upgrade(folder) is True
    loaded = model.load(folder)
    codes = np.random.default_rng(0).integers(0, 256, (3, 32, 16), np.uint8)
    np.testing.assert_allclose(loaded.logits(codes), as_logits(network())(codes), atol=1e-4)
    assert "temperature" not in load_file(folder / WEIGHTS), "its weights stay as they are"
    assert sorted(path.name for path in folder.iterdir()) == [CARD, GRAPH, WEIGHTS]
    assert export.upgrade(folder) is False, "it is up to date"


def test_an_upgrade_that_is_interrupted_leaves_the_older_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (make_old(folder) / CARD).read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(export, "write_json", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            export.upgrade(folder)
    assert (folder / CARD).read_bytes() == before
    assert export.upgrade(folder) and model.load(folder).genres == GENRES


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda f: (f / WEIGHTS).write_bytes(b"x"), "is damaged"),
        (lambda f: put(f, WEIGHTS, b"x" * 100), "do not fit its card"),
        (lambda f: change_card(f, lambda c: c["genres"].append("polka")), "do not fit its card"),
        (lambda f: change_card(f, lambda c: c.update(network="huge")), "network 'huge' .* is not known"),
        (lambda f: change_card(f, lambda c: c.update(surprise=1)), "is not a Genrescope model card: surprise"),
        (lambda f: change_card(f, lambda c: c.update(format=9)), "is not a Genrescope model card: format"),
        (lambda f: (f / CARD).unlink(), "There is no model in"),
    ],
    ids=["damaged weights", "no weights", "genres", "network", "card", "format", "no card"],
)
def test_what_cannot_be_brought_up_to_date_is_told(folder: Path, damage: Any, reason: str) -> None:
    damage(make_old(folder))
    with pytest.raises(ModelError, match=reason):
        export.upgrade(folder)
    assert not (folder / GRAPH).exists()
