"""The settings of a workspace: `leadline.toml`, overridden by `LEADLINE_<SECTION>__<KEY>`.

Unknown keys are errors, so that a slip of the pen never switches something off in silence.
"""

from __future__ import annotations

import os
import tomllib
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from caselog.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

ENV_PREFIX = "LEADLINE_"
Country = Annotated[str, StringConstraints(pattern=r"^([A-Z]{2})?$", to_upper=True)]
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_SPAN = rf"{_TIME}-{_TIME}"
Spans = Annotated[str, StringConstraints(pattern=rf"^({_SPAN}(, ?{_SPAN})*)?$")]
"""Times of day: ``HH:MM-HH:MM``, several separated by commas."""
Days = Annotated[int, Field(ge=0)]


class Section(BaseModel):
    """One table of the settings file; a key that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Authority(Section):
    """Who acts, under which law; all but the profile are required before the first live request."""

    organisation: str = ""
    country: Country = ""
    contact: str = ""
    legal_basis: str = ""
    profile: Literal["eu-dsa", "uk", "us", "generic"] = "eu-dsa"

    def missing(self) -> tuple[str, ...]:
        """Return the names of the required settings that are still empty."""
        return tuple(
            k for k in ("organisation", "country", "contact", "legal_basis") if not getattr(self, k).strip()
        )


class Database(Section):
    """Where the case log lies; a relative SQLite path is below the workspace."""

    url: str = "sqlite:///casebook.db"


class Tor(Section):
    """The way to onion services."""

    socks: str = "127.0.0.1:9050"
    control: str = "127.0.0.1:9051"
    enabled: bool = False


class Network(Section):
    """Names, the User-Agent, and the second view that checks may take."""

    resolver: tuple[str, ...] = ()
    user_agent: str = "Mozilla/5.0 (compatible)"
    second_vantage: str = ""
    tor: Tor = Tor()


class Crawl(Section):
    """How politely, how wide and how deep the crawl goes."""

    delay_seconds: float = Field(1.0, gt=0)
    per_host: int = Field(1, ge=1, le=64)
    hosts_at_once: int = Field(16, ge=1, le=256)
    pages_per_lead: int = Field(500, ge=1)
    revisit_days: Days = 7
    depth: int = Field(6, ge=0)
    hops: Literal[0, 1] = 0
    priors: bool = True
    page_bytes: int = Field(2_097_152, ge=1024, le=33_554_432)
    robots: Literal["observe", "obey"] = "observe"
    quiet_hours: Spans = ""


class Matching(Section):
    """When a document is evidence: the weights of its distinct matching terms reach the threshold."""

    threshold: float = Field(1.0, gt=0)


class Enrich(Section):
    """Where facts about hosts may come from."""

    mode: Literal["offline", "registries", "all"] = "offline"
    country: tuple[str, ...] = ()
    asn: str = ""
    rdap_bootstrap: str = ""
    whois: dict[str, str] = {}
    providers: str = ""
    national: str = ""


class Notices(Section):
    """What a notice says, and what holds it back."""

    language: str = "en"
    police_clearance: bool = False
    preservation: Literal["ask", "require", "off"] = "ask"
    abroad: Literal["refer", "notify", "both"] = "refer"
    hold_unknown: bool = True
    window_minutes: int = Field(60, ge=0)


class Mail(Section):
    """The desk's own mailboxes; user and password come from the environment only."""

    smtp: str = ""
    starttls: bool = True
    sender: str = ""
    imap: str = ""
    imap_user: str = ""
    imap_password: str = Field("", repr=False)
    inbox: str = "INBOX"
    archive: str = ""


class Checks(Section):
    """How often pages under notice are looked at again."""

    ladder_hours: tuple[float, float, float] = (6, 12, 24)


class Desk(Section):
    """What the desk may do beyond the usual."""

    look: bool = False


class Retention(Section):
    """Days after which records are purged; 0 keeps them."""

    rejected_days: Days = 90
    proposed_days: Days = 180
    closed_days: Days = 730


class Serve(Section):
    """Where the console listens."""

    host: str = "127.0.0.1"
    port: int = Field(8600, ge=0, le=65535)


class Config(BaseSettings):
    """Every setting of a workspace, checked and frozen."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="ignore", frozen=True, validate_default=True
    )

    authority: Authority = Authority()
    database: Database = Database()
    network: Network = Network()
    crawl: Crawl = Crawl()
    matching: Matching = Matching()
    enrich: Enrich = Enrich()
    notices: Notices = Notices()
    mail: Mail = Mail()
    checks: Checks = Checks()
    desk: Desk = Desk()
    retention: Retention = Retention()
    serve: Serve = Serve()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment stand over the file; there is no other source."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings


def load_config(folder: Path, environment: Mapping[str, str] | None = None) -> Config:
    """Return the settings of the workspace in `folder`.

    Args:
        folder: The workspace; a missing `leadline.toml` stands for the defaults.
        environment: Only for the check of unknown names; the values are read from `os.environ`.

    Raises:
        ConfigError: The file cannot be read, or a key or value is wrong; names the setting.
    """
    _refuse_unknown_variables(os.environ if environment is None else environment)
    try:
        return Config(**_read_file(folder / "leadline.toml"))
    except ValidationError as error:
        raise ConfigError(_first_fault(error), "Mend it in leadline.toml or in the environment.") from None
    except SettingsError as error:
        raise ConfigError(
            f"A setting in the environment cannot be read: {error}.", "Lists are JSON."
        ) from None


def _read_file(path: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"leadline.toml cannot be read: {error}.", "Mend the file.") from error
    unknown = sorted(set(found) - set(Config.model_fields))
    if unknown:
        raise ConfigError(f"leadline.toml has an unknown section [{unknown[0]}].", _sections())
    return found


def _refuse_unknown_variables(names: Iterable[str]) -> None:
    for name in names:
        head, separator, _ = name.removeprefix(ENV_PREFIX).partition("__")
        if name.startswith(ENV_PREFIX) and separator and head.lower() not in Config.model_fields:
            raise ConfigError(f"The variable {name} names an unknown section.", _sections())


def _sections() -> str:
    return "Sections are: " + ", ".join(sorted(Config.model_fields)) + "."


def _first_fault(error: ValidationError) -> str:
    fault = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"The setting {where} is unknown."
    return f"The setting {where} is wrong: {fault['msg'].lower()}."
