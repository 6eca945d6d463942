"""Check-up of the doors for software: the certificate of the VXP bridge, and the addresses at which systems are told of events."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from node.errors import ADVICE, Fault
from node.model.reason import Reason
from node.model.thresholds import CERTIFICATE_WARNING_MS, WEBHOOK_FAILING_AFTER_MS
from node.model.webhook import HookView
from node.ops.doctor.check import Check, fine, from_fault, warning, wrong
from node.ops.home import Home, keys_of, passphrase_of
from node.wording import vietnamese

if TYPE_CHECKING:
    from node.config.settings import Settings

WILDCARD_HOSTS = ("0.0.0.0", "[::]", "")  # noqa: S104  names for it, nothing listens here


def check_doors(place: Home, settings: "Settings", now_ms: int) -> Iterator[Check]:
    """Look at what lies in the folder for them."""
    if settings.vxp.listen:
        yield from _bridge(settings, now_ms)
    yield from _hook_files(place)


def _bridge(settings: "Settings", now_ms: int) -> Iterator[Check]:
    from node.config.listen import is_loopback

    vxp = settings.vxp
    if vxp.certificate is not None and vxp.key is not None:
        yield from _bridge_certificate(settings, now_ms)
    elif is_loopback(vxp.listen):
        yield fine("vxp", f"http://{vxp.listen}/vxp, chỉ trong máy này")
    else:
        said = f"http://{vxp.listen}/vxp nghe ngoài máy này mà không có TLS: {vxp.http_risk}"
        yield warning("vxp", said, "Hãy ghi certificate và key trong mục [vxp] của node.toml.")


def _bridge_certificate(settings: "Settings", now_ms: int) -> Iterator[Check]:
    from node.access.tls_files import TlsFiles
    from node.seal.files import read_public
    from node.seal.tls import certificate_der, host_names_of, not_after_ms

    vxp = settings.vxp
    assert vxp.certificate is not None
    assert vxp.key is not None
    try:
        TlsFiles(vxp.certificate, vxp.key, passphrase_of(settings)).context()
        der = certificate_der(read_public(vxp.certificate))
        names, until_ms = host_names_of(der), not_after_ms(der)
    except Fault as fault:
        yield wrong("vxp", fault.detail, _ABOUT_FILES.get(fault.reason, fault.advice))
        return
    said = (
        f"https://{vxp.listen}/vxp, chứng thư cho {', '.join(names) or 'không tên nào'}, đến {vietnamese.day(until_ms)}"
    )
    host = vxp.listen.rpartition(":")[0].strip("[]")
    if until_ms <= now_ms:
        yield wrong("vxp", said, "Chứng thư đã hết hạn, phần mềm không nối được. Hãy thay tệp rồi khởi động lại nút.")
    elif not names:
        yield wrong(
            "vxp", said, "Thư viện VXP từ chối chứng thư không có tên máy (subjectAltName). Hãy xin chứng thư khác."
        )
    elif vxp.listen.rpartition(":")[0] not in WILDCARD_HOSTS and not _is_named(host, names):
        yield warning(
            "vxp", said, f"Phần mềm gọi bằng {host} sẽ từ chối; endpoint phải ghi một tên có trong chứng thư."
        )
    elif until_ms - now_ms < CERTIFICATE_WARNING_MS:
        yield warning("vxp", said, "Sắp hết hạn. Hãy thay tệp chứng thư rồi khởi động lại nút.")
    else:
        yield fine("vxp", said)


_ABOUT_FILES = {
    Reason.KEY_FILE_MISSING: "Hãy đặt tệp vào chỗ mà mục [vxp] của node.toml chỉ, hoặc sửa đường dẫn.",
    Reason.KEY_UNUSABLE: "Tệp chứng thư và tệp khóa không đi với nhau, hoặc không phải PEM. Hãy chép lại đúng cặp.",
}


def _is_named(host: str, names: list[str]) -> bool:
    """Tell whether a certificate with these names is one for a host; a star stands for one label."""
    wildcard = f"*.{host.partition('.')[2]}"
    return any(name.lower() in (host.lower(), wildcard.lower()) for name in names)


def _hook_files(place: Home) -> Iterator[Check]:
    from node.access.webhooks import HookFiles

    if not any(place.systems_folder.glob("*.webhook")):
        return
    try:
        files = HookFiles(place.systems_folder, keys_of(place))
    except Fault:
        return  # told under "keys"
    for name in files.names():
        try:
            found = files.read(name)
        except Fault as fault:
            yield from_fault("webhooks", fault)
            continue
        if found is not None and found.ca_file and not place.path.joinpath(found.ca_file).is_file():
            yield wrong("webhooks", f"{name}: không có tệp CA {found.ca_file}", f"Hãy đặt lại: {_set(name)}")


def check_hooks(hooks: list[HookView], now_ms: int) -> Iterator[Check]:
    """Look at how the telling goes, as the running node says."""
    ill = [check for hook in hooks if (check := _ill(hook, now_ms)) is not None]
    if ill:
        yield from ill
    elif hooks:
        yield fine("webhooks", f"{vietnamese.count(len(hooks))} hệ thống được báo tin, đều nhận")


def _ill(hook: HookView, now_ms: int) -> Check | None:
    why = f"{vietnamese.cause(hook.reason)} ({hook.detail})"
    if hook.given_up_ms:
        since, left = vietnamese.when(hook.given_up_ms), vietnamese.count(hook.swallowed)
        said = f"{hook.system}: đã ngừng báo từ {since}, {left} việc chưa báo; {why}"
        return warning(
            "webhooks", said, f"Văn bản vẫn nằm trong hộp đến. Sửa phần mềm nhận rồi đặt lại: {_set(hook.system)}"
        )
    if hook.failures and now_ms - hook.first_failure_ms > WEBHOOK_FAILING_AFTER_MS:
        said = f"{hook.system}: không nhận từ {vietnamese.when(hook.first_failure_ms)}, {hook.failures} lần; {why}"
        return warning("webhooks", said, ADVICE.get(hook.reason, ADVICE[Reason.HOOK_UNREACHABLE]))
    return None


def _set(name: str) -> str:
    return f"truc system webhook set HOME {name} URL"
