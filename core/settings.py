"""What the surroundings say: read once, passed down. No other module reads the environment.

Sources, strongest first: arguments, environment `GENRESCOPE_*`, `.env`, `.streamlit/secrets.toml`.
"""

import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from core.errors import GenrescopeError

PROJECT = Path(__file__).resolve().parent.parent
"""Root of the project: its default workspace, and where shipped models lie."""


class Settings(BaseSettings):
    """The workspace and its limits.

    The workspace (`home`) is a folder that holds `data/` and `models/`.
    """

    model_config = SettingsConfigDict(
        env_prefix="GENRESCOPE_",
        env_ignore_empty=True,
        env_file=PROJECT / ".env",
        toml_file=PROJECT / ".streamlit" / "secrets.toml",
        extra="ignore",
        frozen=True,
    )

    mode: Literal["app", "demo"] = Field("app", description="demo: only Predict, for guests, and nothing is kept")
    allow_outside: bool = Field(False, description="the whole app may be reached from other machines, by anybody there")
    guest_model: str = Field("", description="the model that answers guests; the newest, if empty")
    guest_upload_bytes: int = Field(30_000_000, gt=0, description="largest file a guest may drop, bytes")
    guest_sound_s: float = Field(1200.0, gt=0, description="longest song of a guest that is listened to, seconds")
    guest_uploads: int = Field(20, ge=1, description="songs a guest may ask about in one session")
    guest_keep_bytes: int = Field(
        40_000_000,
        ge=0,
        description="sound that a guest may give at once, and that is kept for the player; older is let go, bytes",
    )
    guest_pending_bytes: int = Field(
        200_000_000, gt=0, description="uploads of all guests that no page has taken over yet, bytes"
    )
    guest_at_once: int = Field(2, ge=1, description="songs of guests that are listened to at the same time")
    guest_waiting: int = Field(
        20, ge=1, description="guests that may wait for their turn; others are asked to come back"
    )
    guest_patience_s: float = Field(90.0, gt=0, description="a guest waits this long for a turn, seconds")
    guest_decode_time_limit_s: float = Field(
        60.0, gt=0, description="a guest's file that takes longer to read is given up, seconds"
    )
    guest_decode_memory_bytes: int = Field(
        250_000_000, ge=200_000_000, description="a guest's file that takes more memory to read is given up, bytes"
    )
    home: Path = Field(PROJECT, description="the workspace: a folder that holds data/ and models/")
    pending_bytes: int = Field(
        2_000_000_000, gt=0, description="uploads that no page has taken over yet, without guests, bytes"
    )
    max_audio_s: float = Field(4 * 3600, gt=0, description="longest sound that is decoded, seconds")
    max_audio_bytes: int = Field(2_000_000_000, gt=0, description="largest audio file that is opened, bytes")
    decode_time_limit_s: float = Field(300.0, gt=0, description="a file that takes longer to read is given up, seconds")
    decode_memory_bytes: int = Field(
        2_000_000_000, ge=200_000_000, description="a file that takes more memory to read is given up, bytes"
    )
    processes: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, description="for spectrograms")
    dask_scheduler: str = Field(
        "", description="a Dask scheduler, tcp://host:8786: its workers make spectrograms, train folds and fetch songs"
    )
    lease_s: float = Field(10.0, gt=0, description="a job whose worker is silent this long is taken over")
    force_stop_s: float = Field(10.0, gt=0, description="a job that ignores a stop this long is ended by force")
    worker_idle_s: float = Field(300.0, gt=0, description="a worker without work ends itself after this long")
    song_time_limit_s: float = Field(600.0, gt=0, description="a song that takes longer to fetch is given up, seconds")
    fetch_pause_s: float = Field(12.0, ge=0, description="between two songs fetched from one site, seconds")
    keep_free_bytes: int = Field(2_000_000_000, ge=0, description="collecting stops when less disk is free")
    max_collected_bytes: int | None = Field(None, ge=0, description="collecting stops when its songs take more")
    allowed_hosts: str = Field(
        "", description="hosts, or host:port, that songs may be fetched from besides the known sites; commas between"
    )
    contact: str = Field("", description="an address or page by which MusicBrainz may reach you")
    spotify_client_id: SecretStr | None = Field(None, description="of your Spotify app: to read your own playlists")
    spotify_client_secret: SecretStr | None = Field(None, description="of the same app")
    spotify_api_url: str = "https://api.spotify.com/v1"
    spotify_accounts_url: str = "https://accounts.spotify.com"
    deezer_api_url: str = "https://api.deezer.com"
    musicbrainz_url: str = "https://musicbrainz.org/ws/2"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The order of sources named in the head of this module."""
        return init_settings, env_settings, dotenv_settings, TomlConfigSettingsSource(settings_cls)

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        """The workspace's absolute path. `ValueError` with a sentence where no folder can be."""
        try:
            whole = home.expanduser().resolve()
            there = next(path for path in (whole, *whole.parents) if os.path.lexists(path))
            if there.is_dir():
                os.lstat(whole)
        except FileNotFoundError:
            return whole  # it is made when something is written
        except (OSError, RuntimeError) as error:  # RuntimeError: a link to itself, or no such user's home
            raise ValueError(
                f"{home} cannot be a workspace: {getattr(error, 'strerror', None) or str(error).rstrip('.')}. Choose a folder with --home."
            ) from None
        if not there.is_dir():
            raise ValueError(f"{there} is not a folder, so no workspace can be in it. Choose a folder with --home.")
        return whole

    @classmethod
    def read(cls, **given: Any) -> "Settings":
        """`Settings(...)`; a value that cannot be used is a `GenrescopeError`, which names it."""
        try:
            return cls(**given)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            name = str(first["loc"][0]) if first["loc"] else ""
            if isinstance(cause := first.get("ctx", {}).get("error"), ValueError):
                raise GenrescopeError(str(cause)) from None
            shown = "" if "SecretStr" in str(cls.model_fields[name].annotation) else f" {str(first['input'])[:100]!r}"
            raise GenrescopeError(f"The setting GENRESCOPE_{name.upper()} cannot be{shown}: {first['msg']}.") from None
        except (OSError, ValueError) as error:  # a damaged .env or secrets.toml
            raise GenrescopeError(
                f"The settings in .env or .streamlit/secrets.toml cannot be read: {error}."
            ) from error

    def refusal_to_listen(self, address: str | None) -> str:
        """Why the whole app must not listen at `address` (None: at all of this machine); '' if it may."""
        if self.mode == "demo" or self.allow_outside or _is_loopback(address):
            return ""
        return (
            f"This app was told to listen at {address or 'every address of this machine'}, where others can reach it. Whoever "
            "reaches it can read and delete everything in this workspace, so it does not open. For guests, there is "
            "`make demo`. For this machine alone, start it with `--server.address=127.0.0.1`. If others may really use it "
            "(behind a sign-in of your own), say so once more, GENRESCOPE_ALLOW_OUTSIDE=yes, and name what they call this "
            "machine: `--server.allowedHosts=music.example.org`."
        )

    @property
    def data(self) -> Path:
        """Everything the workspace collects."""
        return self.home / "data"

    @property
    def database(self) -> Path:
        """The library: one SQLite file."""
        return self.data / "library.db"

    @property
    def restoring(self) -> Path:
        """What a restore that has begun to change the workspace still has to put in place; gone when it is complete."""
        return self.data / ".restoring"

    @property
    def spotify_token(self) -> Path:
        """The token of who is signed in to Spotify: readable by this user only, and in no backup."""
        return self.data / "secrets" / "spotify.json"

    @property
    def answers(self) -> Path:
        """Answers of web services, kept for a while so as not to ask twice; may be deleted."""
        return self.data / "answers"

    @property
    def audio(self) -> Path:
        """Copies of imported songs, named by their SHA-256."""
        return self.data / "audio"

    @property
    def samples(self) -> Path:
        """The songs of the sample library; made up, and removed with it."""
        return self.data / "samples"

    @property
    def spectrograms(self) -> Path:
        """Spectrogram files, under the fingerprint of their recipe."""
        return self.data / "spectrograms"

    @property
    def runs(self) -> Path:
        """Checkpoints of trainings, a folder a run."""
        return self.data / "runs"

    @property
    def logs(self) -> Path:
        """What the worker wrote."""
        return self.data / "logs"

    @property
    def models(self) -> Path:
        """Published models of this workspace."""
        return self.home / "models"

    @property
    def model_folders(self) -> tuple[Path, ...]:
        """Where models are looked for: the workspace, then those that ship with the project."""
        shipped = PROJECT / "models"
        return (self.models,) if self.models == shipped else (self.models, shipped)


def _is_loopback(address: str | None) -> bool:
    try:
        return address == "localhost" or ipaddress.ip_address((address or "").strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class InForce:
    """A setting as it is: the `name` to set it by, what it is (a secret is not shown), and where that comes from."""

    name: str
    value: str
    source: str
    explained: str


def in_force(settings: Settings) -> list[InForce]:
    """Every setting, and where it comes from."""
    kind = type(settings)
    sources: list[tuple[str, PydanticBaseSettingsSource]] = [
        ("environment", EnvSettingsSource(kind)),
        (".env", DotEnvSettingsSource(kind)),
        ("secrets.toml", TomlConfigSettingsSource(kind)),
    ]
    said = {where: set(source()) for where, source in sources}
    told = []
    for name, field in kind.model_fields.items():
        value = getattr(settings, name)
        where = next((where for where, names in said.items() if name in names), "")
        if not where:
            where = "default" if value == field.get_default(call_default_factory=True) else "command line"
        told.append(InForce(f"GENRESCOPE_{name.upper()}", _shown(value), where, field.description or ""))
    return told


def _shown(value: object) -> str:
    """A setting as text, without its secrets."""
    if isinstance(value, SecretStr):
        return "•••• (given, not shown)"
    if value is None or value == "":
        return "not set"
    return re.sub(r"//[^/@\s]*@", "//••••@", str(value))
