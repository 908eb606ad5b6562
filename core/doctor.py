"""What is there and what is missing on this machine, each with its remedy."""

import importlib
import importlib.util
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from core.audio.waveform import CONTAINERS
from core.database import SQLITE_VERSION, Database, damage
from core.errors import GenrescopeError, LibraryDamaged
from core.files import size_in_words
from core.settings import Settings

DECODERS = {
    "mp3": "mp3", "aac": "m4a/AAC", "opus": "webm/Opus", "vorbis": "ogg", "flac": "flac", "pcm_s16le": "wav",
    "pcm_s16be": "aiff",
}  # fmt: skip
OLD_YT_DLP_DAYS = 60
"""Video sites change; a yt-dlp older than about this often stops working."""
LOW_DISK_BYTES = 5_000_000_000


@dataclass(frozen=True)
class Finding:
    """One check: whether it is well, whether the app needs it, what was found, and what to do ('' if nothing)."""

    name: str
    ok: bool
    needed: bool
    found: str
    remedy: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Look at everything; never raises."""
    checks: list[Callable[[Settings], Finding]] = [
        _python, _torch, _torchaudio, _decoders, _yt_dlp, _javascript, _spotify, _database, _disk,
    ]  # fmt: skip
    return [_finding(check, settings) for check in checks]


def _finding(check: Callable[[Settings], Finding], settings: Settings) -> Finding:
    """A check's finding; one that fails itself is a finding too, and hides no other."""
    try:
        return check(settings)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with this machine must be reported
        name = check.__name__.strip("_").replace("_", " ")
        return Finding(
            name, False, True, f"could not be checked: {type(error).__name__}: {error}", "Please report this."
        )


def repair_torchaudio() -> bool:
    """Make torchaudio usable beside a torch without CUDA; True if something was changed.

    Its Linux wheel holds extensions linked against CUDA, which it loads if they are there, and does without if not:
    all its transforms are plain torch.
    """
    import torch

    found = importlib.util.find_spec("torchaudio")
    if torch.version.cuda is not None or not (found and found.origin):
        return False
    extensions = list(Path(found.origin).parent.joinpath("lib").glob("*.so"))
    for extension in extensions:
        extension.unlink()
    return bool(extensions)


def _python(settings: Settings) -> Finding:
    ok = sys.version_info >= (3, 11)
    return Finding("Python", ok, True, platform.python_version(), "" if ok else "Install Python 3.11 or newer.")


def _torch(settings: Settings) -> Finding:
    try:
        import torch
    except (ImportError, OSError) as error:
        return Finding("torch", False, True, str(error), "Run `make install` (or `pip install -r requirements.txt`).")
    device = f"GPU: {torch.cuda.get_device_name()}" if torch.cuda.is_available() else "CPU (enough; no GPU is needed)"
    return Finding("torch", True, True, f"{torch.__version__}, {device}, {torch.get_num_threads()} threads")


def _torchaudio(settings: Settings) -> Finding:
    try:
        found = importlib.import_module("torchaudio")
    except (ImportError, OSError) as error:
        reason = str(error).splitlines()[0]
        return Finding("torchaudio", False, True, reason, "Run `python -m core doctor --repair`.")
    return Finding("torchaudio", True, True, str(found.__version__))


def _decoders(settings: Settings) -> Finding:
    import av
    from av.codec import codecs_available

    absent = [formats for codec, formats in DECODERS.items() if codec not in codecs_available]
    absent += [name for name in CONTAINERS if name not in av.formats_available]
    found = f"PyAV {av.__version__}: {', '.join(formats for formats in DECODERS.values() if formats not in absent)}"
    return Finding("decoder", not absent, True, found, f"Reinstall av: it lacks {', '.join(absent)}." if absent else "")


def _yt_dlp(settings: Settings) -> Finding:
    remedy = "Run `pip install --upgrade yt-dlp`. Needed only for collecting songs from the web."
    try:
        found = version("yt-dlp")
    except PackageNotFoundError:
        return Finding("yt-dlp", False, False, "not installed", remedy)
    try:
        year, month, day = (int(part) for part in found.split(".")[:3])
        age = (date.today() - date(year, month, day)).days
    except ValueError:
        return Finding("yt-dlp", False, False, f"{found}, of unknown age", remedy)
    fresh = age <= OLD_YT_DLP_DAYS
    return Finding("yt-dlp", fresh, False, f"{found}, {age} days old", "" if fresh else remedy)


def _javascript(settings: Settings) -> Finding:
    remedy = "Run `pip install deno`. Needed only for collecting songs from YouTube."
    beside = Path(sys.executable).parent
    deno = shutil.which("deno", path=str(beside)) or shutil.which("deno")
    if deno:
        return Finding("JavaScript runtime", True, False, f"deno ({_first_line(deno, '--version')})")
    node = shutil.which("node")
    told = _first_line(node, "--version") if node else ""
    if told.startswith("v") and told[1:].split(".")[0].isdigit() and int(told[1:].split(".")[0]) >= 22:
        return Finding("JavaScript runtime", True, False, f"node {told}")
    return Finding("JavaScript runtime", False, False, f"node {told}, older than 22" if told else "none", remedy)


def _first_line(*command: str) -> str:
    try:
        out = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    return out.splitlines()[0].strip() if out.strip() else ""


def _spotify(settings: Settings) -> Finding:
    ok = settings.spotify_client_id is not None
    remedy = (
        ""
        if ok
        else "Set GENRESCOPE_SPOTIFY_CLIENT_ID (and _SECRET) to read your own Spotify playlists. All else works."
    )
    return Finding("Spotify credentials", ok, False, "given" if ok else "none", remedy)


def _database(settings: Settings) -> Finding:
    try:
        if fault := damage(settings.database, thorough=True):
            raise LibraryDamaged(fault)
        with Database(settings.database).write():
            pass
    except LibraryDamaged as error:
        return Finding("database", False, True, f"{settings.database} is damaged", str(error))
    except (OSError, GenrescopeError) as error:
        remedy = "Make the folder writable, choose another with --home, or put back a file from data/backups."
        return Finding("database", False, True, f"{settings.database}: {error}", remedy)
    return Finding("database", True, True, f"{settings.database} (SQLite {SQLITE_VERSION})")


def _disk(settings: Settings) -> Finding:
    folder = next(folder for folder in (settings.data, *settings.data.parents) if folder.exists())
    free = shutil.disk_usage(folder).free
    ok = free >= LOW_DISK_BYTES
    remedy = "" if ok else "Free some space, or choose another workspace with --home: 1,000 songs want about 5 GB."
    return Finding("free disk", ok, False, size_in_words(free), remedy)
