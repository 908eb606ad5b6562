"""The house: floors, no circles, and the nevers. Read from the imports and calls themselves, with `ast`."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]

FLOORS = [
    [
        "core",
        "core.errors",
        "core.files",
        "core.settings",
        "core.music",
        "core.recipes",
        "core.database",
        "core.names",
        "core.text_encoding",
        "core.page",
        "core.graphs",
    ],
    [
        "core.audio",
        "core.encoder",
        "core.jobs",
        "core.jobs.queue",
        "core.jobs.compute",
        "core.jobs.cluster",
        "core.jobs.context",
        "core.fetch",
        "core.fetch_file",
        "core.reach",
    ],
    ["core.library", "core.sources"],
    ["core.collecting", "core.learning", "core.inference"],
    ["core.quality", "core.keeping"],
    ["core.jobs.kinds", "core.jobs.worker", "core.doctor"],
    ["core.cli"],
    ["core.__main__", "app"],
    ["app.main", "app.frame", "pages"],
]
"""Low to high: a file belongs to the longest name here that begins its own."""

NETWORK = {
    "urllib",
    "requests",
    "http",
    "socket",
    "ssl",
    "ftplib",
    "smtplib",
    "httpx",
    "aiohttp",
    "urllib3",
    "yt_dlp",
    "spotipy",
}
ANSWERING = {f"core.learning.{room}" for room in ("model", "graph", "sharing", "metrics", "evaluation")}
HEAVY = (
    "torch",
    "torchaudio",
    "librosa",
    "numba",
    "scipy",
    "sklearn",
    "core.learning.export",
    "core.learning.networks",
)
REMEMBERING = {"app.state", "app.session", "app.answers"}
PICKLES = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
SQL_ROOMS = {"core.jobs.queue", "core.database"} | {
    f"core.library.{room}"
    for room in (
        "store",
        "removal",
        "runs",
        "edits",
        "genres",
        "catalogue",
        "playlists",
        "mapping",
        "collection",
        "candidates",
        "reviews",
        "label_reviews",
        "evaluations",
        "embeddings",
    )
}
SQL_WORDS = ("select", "insert", "update", "delete", "create", "drop", "alter", "pragma", "begin", "replace", "with")


@dataclass
class File:
    """One module: what it imports (dotted names), and every dotted name that it mentions."""

    name: str
    tree: ast.Module
    imports: set[str] = field(default_factory=set)
    mentions: set[str] = field(default_factory=set)

    @property
    def folder(self) -> str:
        return self.name.rpartition(".")[0]

    def uses(self, *packages: str) -> set[str]:
        """Imports of these packages, or of what is in them."""
        return {name for name in self.imports if any(name == p or name.startswith(f"{p}.") for p in packages)}


def read(root: Path) -> dict[str, File]:
    """All modules of `core`, `app` and `pages` below `root`, by name; a package goes by its own."""
    files = {}
    for path in sorted(path for top in ("core", "app", "pages") for path in (root / top).rglob("*.py")):
        name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        files[name] = File(name, ast.parse(path.read_text(encoding="utf-8")))
    for file in files.values():
        package = file.name if (root / Path(*file.name.split(".")) / "__init__.py").exists() else file.folder
        file.imports = {resolved for name in _imports(file.tree, package) if (resolved := _module(name, files))}
        file.mentions = {_dotted(node) for node in ast.walk(file.tree) if isinstance(node, ast.Attribute | ast.Name)}
    return files


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    """Dotted names imported anywhere in a module, also inside functions; relative ones made absolute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base += node.module.split(".") if node.module else []
            yield from (".".join([*base, alias.name]) for alias in node.names)


def _module(name: str, files: dict[str, File]) -> str:
    """Of ours, the module that `name` is in; of others, `name` itself."""
    if name.split(".", maxsplit=1)[0] not in ("core", "app", "pages"):
        return name
    while name and name not in files:
        name = name.rpartition(".")[0]
    return name


def _dotted(node: ast.expr) -> str:
    """`st.session_state` as such; what is called or indexed before the dots is left out."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([*([node.id] if isinstance(node, ast.Name) else [""]), *reversed(parts)])


# -- the rules ---------------------------------------------------------------------------------------------------------


def floor(name: str) -> int:
    found = [
        (len(room), level) for level, rooms in enumerate(FLOORS) for room in rooms if f"{name}.".startswith(f"{room}.")
    ]
    return max(found)[1]


def without_a_floor(files: dict[str, File]) -> set[str]:
    """Modules right under `core` or `core.jobs` must be placed by name; all else goes by its folder."""
    placed = {room for rooms in FLOORS for room in rooms}
    return {
        name
        for name, file in files.items()
        if name not in placed
        and (file.folder in ("core", "core.jobs") or name.split(".")[0] not in ("core", "app", "pages"))
    }


def wrong_floors(files: dict[str, File]) -> set[tuple[str, str]]:
    """Imports that do not lead down, or to a file of the same folder on the same floor."""
    return {
        (file.name, name)
        for file in files.values()
        for name in file.imports & set(files)
        if name != file.name
        and not floor(name) < floor(file.name)
        and not (floor(name) == floor(file.name) and _room(name, files) == _room(file.name, files))
    }


def _room(name: str, files: dict[str, File]) -> str:
    """The folder that a module lies in; a package lies in itself."""
    is_package = any(other.startswith(f"{name}.") for other in files)
    return name if is_package else name.rpartition(".")[0]


def circles(files: dict[str, File]) -> set[str]:
    """Modules that import themselves by way of others."""
    reach = {name: file.imports & set(files) - {name} for name, file in files.items()}
    for _ in files:
        reach = {name: near.union(*(reach[other] for other in near)) for name, near in reach.items()}
    return {name for name, reached in reach.items() if name in reached}


def nevers(files: dict[str, File]) -> set[tuple[str, str]]:
    """(module, what it must not do)."""
    found = set()
    for name, file in files.items():
        found |= {(name, what) for what in _nevers(file)}
    return found


def _nevers(file: File) -> Iterator[str]:
    name, top = file.name, file.name.split(".")[0]
    room = ".".join(name.split(".")[:2])
    if top == "core" and file.uses("streamlit", "app", "pages"):
        yield "core knows the screen"
    if top == "pages" and file.uses("pages") - {name}:
        yield "a page knows a page"
    if (room == "core.sources" and file.uses("core.learning")) or (
        room == "core.learning" and file.uses("core.sources")
    ):
        yield "sources and learning know each other"
    if room == "core.audio" and file.uses("torch", "torchaudio", "core.library"):
        yield "audio knows torch or the library"
    if room == "core.encoder" and file.uses(*(() if name == "core.encoder.build" else HEAVY)):
        yield "the encoder imports what is not in a guest's environment"
    if room == "core.inference" and file.uses("torch", "torchaudio", "core.learning"):
        yield "inference knows torch"
    if name in ANSWERING and file.uses(*HEAVY):
        yield "who asks a model imports what trains it"
    if name == "app.charts" and file.uses("streamlit", "app.state", "app.ui"):
        yield "charts know streamlit"
    if top in ("app", "pages") and _decodes(file):
        yield "a decoder in the app's own process"
    if file.uses("torchaudio") and name != "core.learning.augment":
        yield "torchaudio outside augment"
    if file.uses("mutagen") and name != "core.audio.tags":
        yield "mutagen outside audio/tags"
    if top in ("app", "pages") and file.uses("core.audio.tags"):
        yield "tags read in the app's own process"
    if file.uses("distributed", "dask") and name != "core.jobs.cluster":
        yield "Dask outside jobs/cluster"
    if file.uses(*NETWORK) and not _may_use_the_network(file, room):
        yield "network"
    allowed = name in SQL_ROOMS or _only_names_of_errors(file)
    if not allowed and (file.uses("sqlite3") or any(_sql(file.tree))):
        yield "SQL"
    if name not in REMEMBERING and (_streamlit_memory(file)):
        yield "session state or caches outside their rooms"
    if name != "core.settings" and _environment(file):
        yield "reads the environment"
    if file.uses(*PICKLES) or _unpickles(file):
        yield "pickles"


def _may_use_the_network(file: File, room: str) -> bool:
    if room in ("core.sources", "core.collecting", "core.fetch", "core.fetch_file", "core.reach"):
        return True
    if file.name == "core.jobs.worker":
        only_the_name = {name for name in file.mentions if name.startswith("socket.")} == {"socket.gethostname"}
        return file.uses(*NETWORK) == {"socket"} and only_the_name
    return False


def _only_names_of_errors(file: File) -> bool:
    """Whether a file knows SQLite's errors, and nothing else of it."""
    known = {name for name in file.mentions if name.startswith("sqlite3.")}
    named = all(name == "sqlite3.OperationalError" or name.startswith("sqlite3.SQLITE_") for name in known)
    return file.name == "core.errors" and named and not any(_sql(file.tree))


def _sql(tree: ast.Module) -> Iterator[str]:
    """Statements given to `execute` and its like, and every text that begins as a statement does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.startswith("execute"):
            if node.args and (text := _text(node.args[0])) and text.lower().startswith(SQL_WORDS):
                yield text
        elif isinstance(node, ast.Constant | ast.JoinedStr) and (text := _text(node)):
            words = text.split()
            if len(words) > 2 and words[0] in ("SELECT", "INSERT", "UPDATE", "DELETE"):
                yield text


def _text(node: ast.expr) -> str:
    """The beginning of a text, also of an f-string."""
    if isinstance(node, ast.JoinedStr) and node.values:
        node = node.values[0]
    return node.value.lstrip() if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _streamlit_memory(file: File) -> bool:
    kept = {"session_state", "cache_data", "cache_resource", "experimental_memo", "experimental_singleton"}
    mentioned = {part for name in file.mentions for part in name.split(".")[1:]}
    imported = {name.rpartition(".")[2] for name in file.uses("streamlit")}
    return bool(kept & (mentioned | imported))


def _decodes(file: File) -> bool:
    named = {name for name in _imports(file.tree, file.folder) if name.startswith("core.audio.waveform.")}
    mentioned = {name for name in file.mentions if "waveform." in name}
    read = {name.rpartition(".")[2] for name in named | mentioned} & {"probe", "blocks", "load", "excerpt"}
    return bool(read or file.uses("core.audio.codes", "av", "librosa"))


def _environment(file: File) -> bool:
    ways = ("environ", "environb", "getenv", "getenvb")
    return bool(file.mentions & {f"os.{way}" for way in ways} or file.imports & {f"os.{way}" for way in ways}) or any(
        name.startswith(("os.environ.", "os.environb.")) for name in file.mentions
    )


def _unpickles(file: File) -> bool:
    if {"torch.load", "torch.save"} & (file.mentions | file.imports):
        return True
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                allowed = keyword.arg == "allow_pickle" and getattr(keyword.value, "value", True)
                trusted = keyword.arg == "weights_only" and not getattr(keyword.value, "value", False)
                if allowed or trusted:
                    return True
    return False


# -- this house --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def house() -> dict[str, File]:
    return read(PROJECT)


def test_the_house_was_read(house: dict[str, File]) -> None:
    assert {"core.cli", "core.library.store", "core.jobs.worker", "core.learning.augment"} <= set(house)
    assert "core.learning.training" in house["core.jobs.kinds"].imports, "imports inside functions count"
    assert "sqlite3" in house["core.database"].imports and "socket.gethostname" in house["core.jobs.worker"].mentions


def test_every_file_has_a_floor(house: dict[str, File]) -> None:
    assert without_a_floor(house) == set()


def test_files_import_only_from_floors_below_or_their_own_room(house: dict[str, File]) -> None:
    assert wrong_floors(house) == set()


def test_there_are_no_circles(house: dict[str, File]) -> None:
    assert circles(house) == set()


def test_the_nevers(house: dict[str, File]) -> None:
    assert nevers(house) == set()


# -- the checker can fail ----------------------------------------------------------------------------------------------


def build(root: Path, **modules: str) -> dict[str, File]:
    """A small house: `core__audio__store="import torch"` is `core/audio/store.py`."""
    for name, source in modules.items():
        path = root.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(source)
    return read(root)


SOUND = {
    "core__errors": "",
    "core__audio__store": "from core.errors import X\nimport numpy",
    "core__audio__crops": "from core.audio.store import Y\nfrom . import store",
    "core__library__store": "import sqlite3\ndef f(db): db.execute('SELECT 1 FROM a WHERE b')",
    "core__jobs__queue": "from core import errors",
    "core__jobs__worker": "import socket\nfrom core.jobs.queue import Q\nsocket.gethostname()",
    "core__learning__augment": "import torchaudio",
    "core__settings": "import os\nos.environ['A']",
    "core__cli": "def f():\n    from core.library.store import S",
    "app__state": "import streamlit as st\nst.session_state['a']\n@st.cache_data\ndef f(): ...",
    "app__charts": "import altair",
    "pages__home": "import streamlit as st\nfrom app import state\n'Select the songs you want'",
}


def test_a_sound_house_has_no_faults(tmp_path: Path) -> None:
    files = build(tmp_path, **SOUND)
    assert len(files) > len(SOUND)
    assert (without_a_floor(files), wrong_floors(files), circles(files), nevers(files)) == (set(), set(), set(), set())


@pytest.mark.parametrize(
    ("name", "source", "leads_to"),
    [
        ("core__errors", "import core.audio.store", "core.audio.store"),
        ("core__audio__store", "def f():\n    from core.jobs import queue", "core.jobs.queue"),
        ("core__audio__store", "from ..library import store", "core.library.store"),
        ("core__jobs__queue", "if False:\n    import core.jobs.worker", "core.jobs.worker"),
        ("core__library__store", "from core.cli import f", "core.cli"),
        ("app__charts", "from pages.home import f", "pages.home"),
        ("core__settings", "from core import cli", "core.cli"),
    ],
)
def test_an_import_up_or_across_is_found(tmp_path: Path, name: str, source: str, leads_to: str) -> None:
    files = build(tmp_path, **SOUND | {name: source})
    assert (name.replace("__", "."), leads_to) in wrong_floors(files)


def test_a_circle_is_found(tmp_path: Path) -> None:
    files = build(
        tmp_path,
        core__audio__a="from core.audio.b import x",
        core__audio__b="def f():\n    from core.audio import c",
        core__audio__c="from .a import y",
        core__audio__d="from core.audio import a",
    )
    assert circles(files) == {"core.audio.a", "core.audio.b", "core.audio.c"}


def test_a_file_without_a_floor_is_found(tmp_path: Path) -> None:
    assert without_a_floor(build(tmp_path, **SOUND, core__misc="", core__jobs__extra="")) == {
        "core.misc",
        "core.jobs.extra",
    }


@pytest.mark.parametrize(
    ("name", "source", "fault"),
    [
        ("core__audio__x", "import streamlit", "core knows the screen"),
        ("core__cli", "def f():\n    from app import charts", "core knows the screen"),
        ("pages__other", "from pages import home", "a page knows a page"),
        ("core__sources__x", "from core.learning import augment", "sources and learning know each other"),
        ("core__learning__x", "import core.sources.x", "sources and learning know each other"),
        ("core__audio__x", "from torch import nn", "audio knows torch or the library"),
        ("core__audio__x", "from core.library.store import S", "audio knows torch or the library"),
        ("core__encoder__x", "import librosa", "the encoder imports what is not in a guest's environment"),
        ("core__encoder__x", "def f():\n    from torch import nn", "the encoder imports what is not in a guest's environment"),
        ("core__inference__x", "def f():\n    import torch.nn", "inference knows torch"),
        ("core__learning__model", "def f():\n    import torch", "who asks a model imports what trains it"),
        ("core__learning__graph", "from scipy.stats import norm", "who asks a model imports what trains it"),
        ("app__charts", "from streamlit import write", "charts know streamlit"),
        ("core__doctor", "import torchaudio", "torchaudio outside augment"),
        ("core__jobs__compute", "from distributed import Client", "Dask outside jobs/cluster"),
        ("core__library__importing", "def f():\n    from mutagen.id3 import ID3", "mutagen outside audio/tags"),
        ("core__audio__waveform", "import mutagen", "mutagen outside audio/tags"),
        ("app__ui", "from core.audio import tags", "tags read in the app's own process"),
        ("core__library__x", "import urllib.request", "network"),
        ("core__cli", "def f():\n    from requests import get", "network"),
        ("core__jobs__worker", "import socket\nsocket.gethostname()\nsocket.create_connection(('a', 1))", "network"),
        ("core__jobs__worker", "import socket, http.client\nsocket.gethostname()", "network"),
        ("pages__other", "import yt_dlp", "network"),
        ("core__library__names", "from sqlite3 import connect", "SQL"),
        ("core__errors", "import sqlite3\ndef f(): sqlite3.connect('x')", "SQL"),
        ("core__doctor", "import sqlite3\ndef f(db): db.execute('SELECT count(*) FROM tracks')", "SQL"),
        ("core__library__names", "def f(db): db.executescript('CREATE TABLE a (b)')", "SQL"),
        ("app__ui", "def f(db): db.execute('select 1')", "SQL"),
        ("pages__other", "q = 'DELETE FROM tracks WHERE 1'", "SQL"),
        ("pages__other", "q = f'SELECT * FROM {x} WHERE 1'", "SQL"),
        ("pages__other", "import streamlit as st\nst.session_state.a = 1", "session state or caches outside their rooms"),
        ("app__ui", "from streamlit import cache_data", "session state or caches outside their rooms"),
        ("app__ui", "import streamlit\n@streamlit.cache_resource(ttl=1)\ndef f(): ...", "session state or caches outside their rooms"),
        ("core__files", "import os\nx = os.environ.get('HOME')", "reads the environment"),
        ("core__files", "import os\nx = os.getenv('HOME')", "reads the environment"),
        ("core__files", "from os import environ", "reads the environment"),
        ("app__ui", "from core.audio.waveform import as_wav, load", "a decoder in the app's own process"),
        ("pages__other", "from core.audio import waveform\nwaveform.probe(1)", "a decoder in the app's own process"),
        ("pages__other", "from core.audio.codes import codes_of", "a decoder in the app's own process"),
        ("core__files", "import pickle", "pickles"),
        ("core__learning__x", "import torch\nx = torch.load('a')", "pickles"),
        ("core__learning__x", "from torch import load", "pickles"),
        ("core__audio__x", "import numpy as np\nnp.load('a', allow_pickle=True)", "pickles"),
        ("core__audio__x", "import numpy as np\nnp.load('a', allow_pickle=flag)", "pickles"),
    ],
)  # fmt: skip
def test_each_never_is_found(tmp_path: Path, name: str, source: str, fault: str) -> None:
    house = {
        "core__sources__x": "",
        "core__audio__codes": "",
        "core__audio__tags": "import mutagen",
        **SOUND,
        name: source,
    }
    assert (name.replace("__", "."), fault) in nevers(build(tmp_path, **house))


def test_refusing_pickles_is_no_fault(tmp_path: Path) -> None:
    source = "import numpy as np\nnp.load('a', allow_pickle=False)\nnp.save('a', 1, allow_pickle=False)"
    assert nevers(build(tmp_path, core__audio__x=source)) == set()
