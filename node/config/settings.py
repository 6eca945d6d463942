"""Settings: one TOML file, <home>/node.toml, and the environment, which goes before the file.

`mesh.listen` in the file is TRUC_MESH__LISTEN in the environment. Keys name their unit. Unknown keys are refused with the
nearest known one, and all mistakes are told at once. Secrets never stand here, only the paths of their files; that is why no
message repeats a value below `keys`. Only this file and config/listen.py know pydantic; what the node works by is a plain `Policy`.
"""

import dataclasses
import difflib
import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from node.config.example import EXAMPLE, WRONG
from node.config.listen import (
    HTTP_RISK,
    MESH_PORT,
    NETWORK_RISK,
    OFFICE_PORT,
    VXP_PORT,
    WATCH_PORT,
    Mesh,
    Office,
    Section,
    Vxp,
    Watch,
)
from node.errors import Broken, Rejected
from node.model.code import parse_code
from node.model.policy import DAY_MS, KIB, MIB, Policy
from node.model.reason import Reason

FILE_NAME = "node.toml"
ENV_PREFIX = "TRUC_"
"""Variables with `__` in their name are settings; TRUC_HOME, TRUC_SYSTEM and the like belong to the command line."""

_DEFAULT = Policy()
_MINUTES_MAX_MS = 60 * 60_000


def _unit_code(text: str) -> str:
    try:
        return parse_code(text).text
    except Rejected:
        raise ValueError('không phải mã định danh, ví dụ "H49.22.05" hoặc "000.05.22.H49"') from None


class DirectoryFeed(Section):
    """Where newer versions of the directory are looked for besides the peers, and how often."""

    folder: Path | None = None
    refresh_s: int = Field(default=300, ge=1, le=86_400)


class StoreSizes(Section):
    """Sizes up to which things lie in the store, named as in Policy."""

    inline_body_bytes_max: int = Field(default=_DEFAULT.inline_body_bytes_max, ge=0, le=64 * KIB)


class Limits(Section):
    """Sizes, named as in Policy."""

    packet_bytes_max: int = Field(default=_DEFAULT.packet_bytes_max, ge=64 * KIB, le=2048 * MIB)
    recipients_max: int = Field(default=_DEFAULT.recipients_max, ge=1, le=10_000)
    scrub_bytes_per_s: int = Field(default=_DEFAULT.scrub_bytes_per_s, ge=64 * KIB, le=1024 * MIB)
    admit_large_bytes_min: int = Field(default=_DEFAULT.admit_large_bytes_min, ge=0, le=1024 * 1024 * MIB)
    admit_all_bytes_min: int = Field(default=_DEFAULT.admit_all_bytes_min, ge=0, le=1024 * 1024 * MIB)
    admit_urgent_bytes_min: int = Field(default=_DEFAULT.admit_urgent_bytes_min, ge=0, le=1024 * 1024 * MIB)
    push_items_max: int = Field(default=_DEFAULT.push_items_max, ge=1, le=64)
    push_window: int = Field(default=_DEFAULT.push_window, ge=1, le=64)
    submit_group_max: int = Field(default=_DEFAULT.submit_group_max, ge=1, le=4_096)


class Times(Section):
    """Times in milliseconds, named as in Policy."""

    expire_after_ms: int = Field(default=_DEFAULT.expire_after_ms, ge=1_000, le=365 * DAY_MS)
    keep_body_after_ms: int = Field(default=_DEFAULT.keep_body_after_ms, ge=0, le=3_650 * DAY_MS)
    lease_ms: int = Field(default=_DEFAULT.lease_ms, ge=100, le=DAY_MS)
    back_off_first_ms: int = Field(default=_DEFAULT.back_off_first_ms, ge=10, le=_MINUTES_MAX_MS)
    back_off_max_ms: int = Field(default=_DEFAULT.back_off_max_ms, ge=10, le=_MINUTES_MAX_MS)
    relay_after_ms: int = Field(default=_DEFAULT.relay_after_ms, ge=0, le=DAY_MS)
    custody_retry_ms: int = Field(default=_DEFAULT.custody_retry_ms, ge=100, le=DAY_MS)
    item_retry_ms: int = Field(default=_DEFAULT.item_retry_ms, ge=100, le=DAY_MS)
    hello_every_ms: int = Field(default=_DEFAULT.hello_every_ms, ge=100, le=DAY_MS)
    scrub_every_ms: int = Field(default=_DEFAULT.scrub_every_ms, ge=60_000, le=3_650 * DAY_MS)
    sweep_every_ms: int = Field(default=_DEFAULT.sweep_every_ms, ge=100, le=DAY_MS)
    urgent_within_ms: int = Field(default=_DEFAULT.urgent_within_ms, ge=60_000, le=DAY_MS)
    wait_for_document_ms: int = Field(default=_DEFAULT.wait_for_document_ms, ge=100, le=365 * DAY_MS)


class Keep(Section):
    """Days for which is kept what the node knows of packets; the time of bodies is `times.keep_body_after_ms`."""

    records_days: int = Field(default=_DEFAULT.keep_records_ms // DAY_MS, ge=30, le=36_600)


class Statuses(Section):
    """01 (đã đến) is reported by the node, but for the units whose own software does."""

    arrival: bool = _DEFAULT.arrival
    arrival_by_software: tuple[Annotated[str, AfterValidator(_unit_code)], ...] = ()


class Relay(Section):
    """This node takes custody of packets between other nodes (the directory must name it a relay, too)."""

    carry_for_others: bool = False


class KeyFiles(Section):
    """Paths of secrets; never the secrets themselves."""

    passphrase_file: Path | None = None


class CalendarFile(Section):
    """The operator's own table of holidays; without one the program's holds (node/config/calendar.py reads both)."""

    file: Path | None = None


class Log(Section):
    """How much is logged, and how it looks; `auto` is JSON off a terminal and coloured on one."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class Settings(BaseSettings):
    """All settings of one node, checked. Relative paths have been taken from the node's home."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    node_id: str = Field(pattern=r"^[a-z0-9-]{1,64}$")
    name: str = Field(min_length=1, max_length=200)
    mesh: Mesh = Mesh()
    office: Office = Office()
    vxp: Vxp = Vxp()
    watch: Watch = Watch()
    directory: DirectoryFeed = DirectoryFeed()
    store: StoreSizes = StoreSizes()
    limits: Limits = Limits()
    times: Times = Times()
    keep: Keep = Keep()
    statuses: Statuses = Statuses()
    relay: Relay = Relay()
    keys: KeyFiles = KeyFiles()
    calendar: CalendarFile = CalendarFile()
    log: Log = Log()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment go before the file, whose content comes as arguments; there are no other sources."""
        return env_settings, init_settings

    def policy(self) -> Policy:
        """Return the limits and times that the node works by; what cannot be set has its default."""
        chosen = {**self.limits.model_dump(), **self.times.model_dump(), **self.store.model_dump()}
        return dataclasses.replace(
            _DEFAULT,
            **chosen,
            keep_records_ms=self.keep.records_days * DAY_MS,
            relay_for_others=self.relay.carry_for_others,
            arrival=self.statuses.arrival,
            arrival_by_software=frozenset(self.statuses.arrival_by_software),
        )


def load_settings(home: Path) -> Settings:
    """Read and check the settings of the node that lives in `home`.

    Raises Broken(HOME_MISSING) without a node.toml, Broken(SETTINGS_INVALID) with one line for each mistake, and
    Broken(KEY_FILE_MISSING) if the settings name a passphrase file that is not there.
    """
    data = _read_toml(home / FILE_NAME)
    mistakes = [
        f"{key}: {_unknown(key, list(Settings.model_fields))}" for key in data if key not in Settings.model_fields
    ]
    mistakes += _unknown_variables(os.environ)
    try:
        settings = Settings(**{key: value for key, value in data.items() if key in Settings.model_fields})
    except ValidationError as error:
        raise _invalid(home, mistakes + [_sentence(detail) for detail in error.errors()]) from None
    except SettingsError as error:
        raise _invalid(home, [*mistakes, f"biến môi trường: {error}"]) from None
    if mistakes:
        raise _invalid(home, mistakes)
    return _at_home(settings, home)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise Broken(Reason.HOME_MISSING, f"no {path}") from None
    except OSError as error:
        raise Broken(Reason.SETTINGS_INVALID, f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Broken(Reason.SETTINGS_INVALID, f"{path}: không phải văn bản UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise Broken(Reason.SETTINGS_INVALID, f"{path}: không đúng cú pháp TOML: {error}") from None


def _invalid(home: Path, mistakes: list[str]) -> Broken:
    return Broken(Reason.SETTINGS_INVALID, "\n".join([f"{home / FILE_NAME}, {len(mistakes)} lỗi:", *mistakes]))


def _at_home(settings: Settings, home: Path) -> Settings:
    folder, passphrase_file = settings.directory.folder, settings.keys.passphrase_file
    if passphrase_file is not None and not (home / passphrase_file).is_file():
        raise Broken(Reason.KEY_FILE_MISSING, f"keys.passphrase_file: {home / passphrase_file}")
    directory = settings.directory.model_copy(update={"folder": home / folder if folder else None})
    keys = settings.keys.model_copy(update={"passphrase_file": home / passphrase_file if passphrase_file else None})
    table = settings.calendar.file
    calendar = settings.calendar.model_copy(update={"file": home / table if table else None})
    files = {"certificate": settings.vxp.certificate, "key": settings.vxp.key}
    vxp = settings.vxp.model_copy(update={name: home / path if path else None for name, path in files.items()})
    return settings.model_copy(update={"directory": directory, "keys": keys, "calendar": calendar, "vxp": vxp})


def _unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Sections that do not exist; pydantic passes over those, and sees to unknown keys within sections itself."""
    names = sorted(name for name in environment if name.startswith(ENV_PREFIX) and "__" in name)
    sections = {name: name.removeprefix(ENV_PREFIX).split("__")[0].lower() for name in names}
    known = list(Settings.model_fields)
    return [f"{name}: {_unknown(section, known)}" for name, section in sections.items() if section not in known]


def _unknown(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"không có mục này; có phải {near[0]}?" if near else f"không có mục này; các mục có: {', '.join(known)}"


def _sentence(error: ErrorDetails) -> str:
    """One line in Vietnamese about one of pydantic's findings: key (variable), what is wrong, what is allowed."""
    path = [str(part) for part in error["loc"]]
    key, variable = ".".join(path), ENV_PREFIX + "__".join(path).upper()
    where = f"{key} ({variable})" if variable in os.environ else key
    if error["type"] == "extra_forbidden":
        section = type(Settings.model_fields[path[0]].default)
        return f"{where}: {_unknown(path[-1], list(section.model_fields))}"
    sentence = WRONG.get(error["type"])
    wrong = sentence.format(**error.get("ctx", {})).replace("' or '", "', '") if sentence else error["msg"]
    told = error["type"] in ("missing", "model_type") or path[0] == "keys"
    return f"{where}: {wrong}" if told else f"{where}: {wrong} (đang là {str(error['input'])[:80]!r})"


def example_toml(
    node_id: str,
    name: str,
    *,
    mesh_listen: str = f"127.0.0.1:{MESH_PORT}",
    mesh_advertise: str = "",
    office_listen: str = f"127.0.0.1:{OFFICE_PORT}",
    carry_for_others: bool = False,
) -> str:
    """Return the commented settings file of a new node. A line that is commented out shows the default."""
    return EXAMPLE.format(
        node_id=_quoted(node_id),
        name=_quoted(name),
        mesh_listen=_quoted(mesh_listen),
        mesh_advertise=_quoted(mesh_advertise),
        office_listen=_quoted(office_listen),
        carry_for_others=str(carry_for_others).lower(),
        vxp_port=VXP_PORT,
        http_risk=_quoted(HTTP_RISK),
        watch_port=WATCH_PORT,
        network_risk=_quoted(NETWORK_RISK),
        policy=_DEFAULT,
        keep_records_days=_DEFAULT.keep_records_ms // DAY_MS,
    )


def _quoted(text: str) -> str:
    """Return a TOML basic string: that is JSON's, but for one octet."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
