"""Models: a folder published whole; what is damaged or foreign is refused with the reason, and never unpickled."""

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file, save_file

from core.audio.spectrogram import mel_filters
from core.encoder.encoder import SHIPPED
from core.errors import ModelError
from core.files import sha256_of
from core.learning import model
from core.learning.model import CARD, FILTERS, GRAPH, MAX_BYTES, WEIGHTS
from core.learning.networks import as_logits
from core.settings import Settings
from tests.models import GENRES, RECIPE, change_card, make_old, network, publish, put


def put_weights(folder: Path, data: bytes) -> None:
    put(folder, WEIGHTS, data)


def put_tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / "other")
    put_weights(folder, (folder / "other").read_bytes())


def put_graph(folder: Path, change: Callable[[onnx.ModelProto], Any]) -> None:
    graph = onnx.load(folder / GRAPH)
    change(graph)
    put(folder, GRAPH, graph.SerializeToString())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return publish(tmp_path / "models" / "mine")


# -- publishing and loading --------------------------------------------------------------------------------------------


def test_a_model_answers_as_the_network_it_was_published_from(folder: Path) -> None:
    loaded = model.load(folder)
    codes = np.random.default_rng(0).integers(0, 256, (5, 32, 16), np.uint8)
    assert np.allclose(loaded.logits(codes), as_logits(network())(codes), atol=1e-4)
    logits, features = loaded.answer(codes)
    assert np.array_equal(logits, loaded.logits(codes)) and len(features) == 5
    assert (loaded.name, loaded.genres, loaded.recipe, loaded.crop_frames) == ("mine", GENRES, RECIPE, 32)
    assert np.array_equal(loaded.filters, mel_filters(RECIPE))


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


@pytest.mark.parametrize("name", ["encoder-msd-musicnn", "Encoder-MSD-MusiCNN"])
def test_no_model_has_the_name_of_the_encoder(settings: Settings, name: str) -> None:
    publish(settings.models / "mine")
    with pytest.raises(ModelError, match="folder of the pretrained encoder"):
        model.check_name(name)
    with pytest.raises(ModelError, match="folder of the pretrained encoder"):
        model.rename(settings, "mine", name)
    for refused in (model.find, model.delete):
        with pytest.raises(ModelError, match="There is no model named"):
            refused(settings, name)
    for near in ("encoder", "encoder-msd-musicnn-2", "my encoder-msd-musicnn"):
        assert model.check_name(near) == near


def test_the_encoder_is_not_listed_beside_the_models(settings: Settings) -> None:
    """Neither the shipped one nor a copy in the workspace, which a workspace in the project's own folder has."""
    shutil.copytree(SHIPPED, settings.models / SHIPPED.name)
    assert not [entry.name for entry in model.list_models(settings) if "encoder" in entry.name]


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


def cut(folder: Path, name: str) -> None:
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: len(data) // 2])


def flip_a_bit(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[-1000] ^= 1
    (folder / name).write_bytes(data)


def external(graph: onnx.ModelProto, tensor: onnx.TensorProto) -> None:
    """Say of a tensor that its numbers lie in another file."""
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../etc/passwd")


def external_in_a_node(graph: onnx.ModelProto) -> None:
    """The same, hidden in an attribute of a node."""
    attribute = graph.graph.node.add(op_type="Constant", output=["hidden"]).attribute.add(
        name="value", type=onnx.AttributeProto.TENSOR
    )
    attribute.t.CopyFrom(onnx.numpy_helper.from_array(np.ones(3, np.float32)))
    external(graph, attribute.t)


def a_branch(graph: onnx.ModelProto) -> None:
    node = graph.graph.node.add(op_type="If", input=["logits"], output=["x"])
    node.attribute.add(name="then_branch", type=onnx.AttributeProto.GRAPH).g.name = "then"


def of_another_domain(graph: onnx.ModelProto) -> None:
    graph.opset_import.add(domain="com.microsoft", version=1)
    graph.graph.node[0].domain = "com.microsoft"


def rename(graph: onnx.ModelProto, old: str, new: str) -> None:
    for node in graph.graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                names[place] = new if name == old else name
    for value in (*graph.graph.input, *graph.graph.output):
        value.name = new if value.name == old else value.name


def fixed_batch(graph: onnx.ModelProto) -> None:
    graph.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1


def answer_with(logits: Callable[[str], list[onnx.NodeProto]]) -> bytes:
    """A graph of the right interface whose logits come of `logits(name of the codes as float32)`."""
    helper, kinds = onnx.helper, onnx.TensorProto
    nodes = [
        helper.make_node("Cast", ["codes"], ["x"], to=kinds.FLOAT),
        helper.make_node("ReduceMean", ["x"], ["features"], axes=[1], keepdims=0),
        *logits("features"),
    ]
    graph = helper.make_graph(
        nodes,
        "other",
        [helper.make_tensor_value_info("codes", kinds.UINT8, ["batch", 32, 16])],
        [helper.make_tensor_value_info(name, kinds.FLOAT, ["batch", None]) for name in ("logits", "features")],
    )
    return bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    )


SIXTEEN_GENRES = answer_with(lambda features: [onnx.helper.make_node("Identity", [features], ["logits"])])
NO_NUMBERS = answer_with(lambda features: [onnx.helper.make_node("Log", [features], ["logits"])])


DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "weights cut short": (lambda f: cut(f, WEIGHTS), "is damaged: its weights.safetensors"),
    "a bit of the weights flipped": (lambda f: flip_a_bit(f, WEIGHTS), "is damaged: its weights.safetensors"),
    "weights emptied": (lambda folder: (folder / WEIGHTS).write_bytes(b""), "is damaged: its weights.safetensors"),
    "weights gone": (lambda folder: (folder / WEIGHTS).unlink(), "is not whole in .* it has no weights.safetensors"),
    "weights a folder": (lambda f: ((f / WEIGHTS).unlink(), (f / WEIGHTS).mkdir()), "cannot be read: Is a directory"),
    "noise for weights": (lambda folder: put_weights(folder, os.urandom(2000)), "cannot be read"),
    "a header of 2 ** 63 bytes": (lambda f: put_weights(f, b"\xff" * 7 + b"\x7f" + b"{}"), "cannot be read"),
    "foreign tensors": (lambda f: put_tensors(f, lambda t: (t.clear(), t.update(other=torch.ones(3)))), "cannot be read"),
    "no mel filters": (lambda folder: put_tensors(folder, lambda t: t.pop(FILTERS)), "cannot be read: 'mel_filters'"),
    "filters of another shape": (
        lambda f: put_tensors(f, lambda t: t.update({FILTERS: torch.ones(16, 64)})),
        r"mel filters of \(16, 64\)",
    ),
    "filters of another type": (
        lambda f: put_tensors(f, lambda t: t.update({FILTERS: t[FILTERS].to(torch.float64)})),
        "float64; its card wants",
    ),
    "filters of a type numpy lacks": (
        lambda f: put_tensors(f, lambda t: t.update({FILTERS: t[FILTERS].to(torch.bfloat16)})),
        "cannot be read|its card wants",
    ),
    "graph cut short": (lambda f: cut(f, GRAPH), "is damaged: its model.onnx"),
    "a bit of the graph flipped": (lambda f: flip_a_bit(f, GRAPH), "is damaged: its model.onnx"),
    "graph gone": (lambda folder: (folder / GRAPH).unlink(), "is not whole in .* it has no model.onnx"),
    "noise for a graph": (lambda folder: put(folder, GRAPH, b"\xff" * 2000), "It is no ONNX file"),
    "no graph at all": (lambda folder: put(folder, GRAPH, b""), "cannot be run|Its input"),
    "a graph that is cut short on purpose": (
        lambda f: put(f, GRAPH, (f / GRAPH).read_bytes()[:100_000]),
        "It is no ONNX file",
    ),
    "numbers in another file": (lambda f: put_graph(f, lambda g: external(g, g.graph.initializer[0])), "in another file"),
    "numbers of a node in another file": (lambda f: put_graph(f, external_in_a_node), "in another file"),
    "a branch": (lambda f: put_graph(f, a_branch), "It holds a program"),
    "a function": (lambda f: put_graph(f, lambda g: g.functions.add(name="f")), "It holds a program"),
    "operators of another domain": (lambda f: put_graph(f, of_another_domain), "operators of 'com.microsoft'"),
    "operators nobody knows": (
        lambda f: put_graph(f, lambda g: setattr(g.graph.node[-1], "op_type", "Frobnicate")),
        "cannot be run",
    ),
    "an input of another name": (lambda f: put_graph(f, lambda g: rename(g, "codes", "x")), "Its input is"),
    "an output of another name": (lambda f: put_graph(f, lambda g: rename(g, "logits", "x")), "Its outputs are"),
    "an output too few": (lambda f: put_graph(f, lambda g: g.graph.output.pop()), "Its outputs are"),
    "an input too many": (
        lambda f: put_graph(f, lambda g: g.graph.input.add().CopyFrom(
            onnx.helper.make_tensor_value_info("more", onnx.TensorProto.FLOAT, [1])
        )),
        "Its input is",
    ),
    "one crop at a time": (lambda f: put_graph(f, fixed_batch), "Its input is"),
    "crops of another length": (lambda f: change_card(f, lambda c: c.update(crop_frames=48)), "Its input is"),
    "a graph of other genres": (lambda f: put(f, GRAPH, SIXTEEN_GENRES), "tells 16 genres apart, its card 3"),
    "answers that are no numbers": (lambda f: put(f, GRAPH, NO_NUMBERS), "Its logits for 2 crops are no 2 rows of numbers"),
    "card gone": (lambda folder: (folder / CARD).unlink(), "There is no model in .*: it has no card.json"),
    "card empty": (lambda folder: (folder / CARD).write_bytes(b""), "is not a Genrescope model card"),
    "card cut short": (lambda f: (f / CARD).write_bytes((f / CARD).read_bytes()[:200]), "is not a Genrescope model card"),
    "card not text": (lambda folder: (folder / CARD).write_bytes(b"\xff\xfe\x00{"), "is not a Genrescope model card"),
    "card a list": (lambda folder: (folder / CARD).write_text("[]"), "is not a Genrescope model card"),
    "card nested deep": (lambda f: (f / CARD).write_text("[" * 100_000), "is not a Genrescope model card"),
    "card a folder": (lambda f: ((f / CARD).unlink(), (f / CARD).mkdir()), "cannot be read: Is a directory"),
    "card of another kind": (lambda f: change_card(f, lambda c: c.update(format=3)), "format: "),
    "something unknown on the card": (lambda f: change_card(f, lambda c: c.update(surprise=1)), "surprise: "),
    "spectrograms of another fingerprint": (
        lambda f: change_card(f, lambda c: c.update(spectrogram_fingerprint="0" * 16)),
        f"has the fingerprint {RECIPE.fingerprint}, but the card says {'0' * 16}",
    ),
    "a spectrogram recipe that was changed": (
        lambda f: change_card(f, lambda c: c["spectrogram"].update(hop_length=32)),
        f"has the fingerprint .* but the card says {RECIPE.fingerprint}",
    ),
    "a genre too many": (lambda f: change_card(f, lambda c: c["genres"].append("polka")), "tells 3 genres apart, its card 4"),
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


@pytest.mark.parametrize("name", [CARD, WEIGHTS, GRAPH])
def test_a_huge_file_is_refused_unread(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with (folder / name).open("r+b") as file:
        file.truncate(MAX_BYTES[name] + 1)
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) if path.name != name else 1 // 0)
    with pytest.raises(ModelError, match=rf"{name} is too large"):
        model.load(folder)


def test_a_network_of_another_version_answers(folder: Path) -> None:
    change_card(folder, lambda card: card.update(network="a_network_of_next_year"))
    assert model.load(folder).card.network == "a_network_of_next_year"


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
    with pytest.raises(ModelError, match="weights of the model 'mine' cannot be read"):
        model.load(folder)
    assert not proof.exists()


def test_a_model_of_the_older_format_is_listed_with_what_to_do(settings: Settings) -> None:
    make_old(publish(settings.models / "an old one"))
    [entry] = [entry for entry in model.list_models(settings) if entry.own]
    assert entry.card is None
    assert entry.problem.endswith('Bring it up to date: `python -m core models upgrade "an old one"`.')
    with pytest.raises(ModelError, match="made by an older Genrescope"):
        model.load(entry.folder)


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


# -- texts of a card ---------------------------------------------------------------------------------------------------

LONG = "x" * 10_001
TOO_LONG: dict[str, Any] = {
    "title": {"title": "t" * 301},
    "description": {"description": LONG},
    "licence": {"licence": LONG},
    "a genre": {"genres": ["a", "g" * 301]},
    "an empty genre": {"genres": ["a", ""]},
    "network": {"network": "n" * 301},
    "run": {"run": "r" * 301},
    "created_at": {"created_at": "2" * 301},
    "a hash": {"weights_sha256": "0" * 301},
    "a version": {"versions": {"torch": "1" * 301}},
    "the name of a version": {"versions": {"v" * 301: "1"}},
    "many versions": {"versions": {str(number): "1" for number in range(101)}},
    "in the training": {"training": {"notes": LONG}},
    "deep in the split": {"split": {"test": [{"title": LONG}]}},
    "a key of the metrics": {"metrics": {LONG: 1}},
    "an unknown key": {LONG: 1},
    "nested too deep": {"metrics": {"a": json.loads("[" * 30 + "]" * 30)}},
}


@pytest.mark.parametrize("what", TOO_LONG)
def test_texts_of_a_card_have_limits(folder: Path, what: str) -> None:
    change_card(folder, lambda card: card.update(TOO_LONG[what]))
    with pytest.raises(ModelError, match="is not a Genrescope model card") as told:
        model.load(folder)
    assert len(str(told.value)) < 1000
