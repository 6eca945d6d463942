"""Settings of the doors: where a node listens, and what an operator must write down to open one wider than is safe.

Nothing listens beyond this machine without TLS unless the operator has copied the sentence that names the risk.
"""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

MESH_PORT, OFFICE_PORT, VXP_PORT, WATCH_PORT = 7401, 7402, 7403, 7404
HTTP_RISK = "ai trên đường truyền cũng đọc và sửa được văn bản"
"""Words that an operator must write down to let the bridge speak without TLS beyond this machine."""
NETWORK_RISK = "ai trong mạng cũng xem được số liệu của nút"
"""Words that an operator must write down to let the figures be read from beyond this machine."""

_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[0-9A-Za-z._-]+):([0-9]{1,5})")


def _address(text: str) -> str:
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found[2]) > 65_535:
        raise ValueError('phải có dạng "máy:cổng", ví dụ "0.0.0.0:7401" hoặc "[::1]:7401", không có "https://"')
    return text


def is_loopback(address: str) -> bool:
    """Tell whether "host:port" is reached from this machine only."""
    return is_loopback_host(address.rpartition(":")[0].strip("[]"))


def is_loopback_host(host: str) -> bool:
    """Tell whether a host (a name or an address, without brackets and port) is this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _dialled_address(text: str) -> str:
    if text and _address(text).endswith(":0"):
        raise ValueError("cổng 0 không gọi tới được; hãy ghi cổng thật, hoặc để trống nếu không ai gọi tới được nút")
    return text


def _address_or_off(text: str) -> str:
    return _address(text) if text else text


Listen = Annotated[str, AfterValidator(_address)]
"""Where to listen, "host:port"; port 0 lets the system choose."""


class Section(BaseModel):
    """A group of settings: unknown keys are refused, and nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False)


class Mesh(Section):
    """Where other nodes reach this one; `advertise` is what the directory tells them, empty: nobody can dial it."""

    listen: Listen = f"127.0.0.1:{MESH_PORT}"
    advertise: Annotated[str, AfterValidator(_dialled_address)] = ""


class Office(Section):
    """Where the units' software and the truc command reach this node; always with TLS and credentials."""

    listen: Listen = f"127.0.0.1:{OFFICE_PORT}"


class Vxp(Section):
    """The bridge for software that speaks to the national axis: https with the given certificate, or http on this machine."""

    listen: Annotated[str, AfterValidator(_address_or_off)] = ""
    certificate: Path | None = None
    key: Path | None = None
    http_risk: Literal["", "ai trên đường truyền cũng đọc và sửa được văn bản"] = ""

    @model_validator(mode="after")
    def _check_tls(self) -> "Vxp":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate và key phải đi cùng nhau")
        if self.listen and self.certificate is None and not is_loopback(self.listen) and not self.http_risk:
            raise ValueError(
                f"{self.listen} nghe ngoài máy này mà không có TLS; hãy ghi certificate và key, hoặc nghe ở 127.0.0.1, "
                f'hoặc nhận rủi ro bằng cách ghi http_risk = "{HTTP_RISK}"'
            )
        return self


class Watch(Section):
    """Where figures (Prometheus) and health are read over HTTP, on this machine; off when empty."""

    listen: Annotated[str, AfterValidator(_address_or_off)] = ""
    network_risk: Literal["", "ai trong mạng cũng xem được số liệu của nút"] = ""

    @model_validator(mode="after")
    def _check_reach(self) -> "Watch":
        if self.listen and not is_loopback(self.listen) and not self.network_risk:
            raise ValueError(
                f"{self.listen} nghe ngoài máy này, mà ở đây không hỏi ai là ai và không có TLS; hãy nghe ở 127.0.0.1, "
                f'hoặc nhận rủi ro bằng cách ghi network_risk = "{NETWORK_RISK}"'
            )
        return self
