"""An authority that is careless, or breaks off while it publishes: nodes find a whole edition that they can use, or the one before."""

import contextlib
import shutil
from pathlib import Path

import pytest

from node.directory.authority import whole
from node.directory.authority.authority import Authority
from node.directory.trust.trust import TrustedFolder
from node.errors import Broken
from node.model.reason import Reason
from node.net.tls_trial import tls_trial
from tests.directory.people import NOW_MS, Country, country, files_of, node_bytes, smuggle
from tests.hostile.odd_certificates import ODD
from tests.hostile.test_certificates import real, with_certificates
from tests.net.support import identity


@pytest.fixture
def land(tmp_path: Path) -> Country:
    made = country(tmp_path)
    for node_id, prefix in (("g14", "G14"), ("h49", "H49")):
        made.join(node_id, prefix)
        real(made, node_id, identity(node_id).certificate_der)
    made.authority.publish(NOW_MS)
    return made


def careful(land: Country) -> Authority:
    return Authority.open(land.root / "authority", tls_trial())


def new_edition(land: Country) -> None:
    """Decide changes of several files."""
    for node_id in ("g14", "h49"):
        real(land, node_id, identity(node_id, serial=1).certificate_der)
    land.join("k35", "K35")


class PowerCut(BaseException):
    """The process ends here."""


def cut_after(monkeypatch: pytest.MonkeyPatch, files: int) -> None:
    """Let the power fail when so many public files have been changed."""
    left, put = [files], whole._put

    def cut(source: Path, target: Path) -> None:
        if target.exists() and target.read_bytes() == source.read_bytes():
            return
        if not left[0]:
            raise PowerCut
        left[0] -= 1
        put(source, target)

    monkeypatch.setattr(whole, "_put", cut)


@pytest.mark.parametrize("files", range(12))
def test_an_authority_that_breaks_off_leaves_a_whole_edition(
    land: Country, monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    reader = land.trusted("reader")
    assert reader.update_from(land.authority.public, NOW_MS).version == 2
    new_edition(land)
    with monkeypatch.context() as patch, contextlib.suppress(PowerCut):
        cut_after(patch, files)
        land.authority.publish(NOW_MS)
    newcomer = land.trusted("newcomer")
    assert newcomer.update_from(land.authority.public, NOW_MS).version in (2, 3)
    assert reader.update_from(land.authority.public, NOW_MS).version in (2, 3)
    assert land.authority.refresh(NOW_MS) == 4
    plain = land.root / "plain"
    shutil.copytree(land.authority.public, plain, ignore=shutil.ignore_patterns("editions"))
    older = land.trusted("of-an-older-version")
    for one in (reader, newcomer, older):
        directory = one.update_from(plain, NOW_MS)
        assert (directory.version, set(directory.nodes)) == (4, {"g14", "h49", "k35"})
    assert not reader.findings
    assert land.authority.publish(NOW_MS) == 5
    assert land.authority.summary().unpublished == ()


def test_the_public_files_stay_where_they_were_and_few_whole_editions_lie_beside_them(land: Country) -> None:
    for _ in range(4):
        land.authority.refresh(NOW_MS)
    public = files_of(land.authority.public)
    kept = sorted({path.split("/")[1] for path in public if path.startswith("editions/")})
    assert kept == ["0000000005", "0000000006"]
    newest = {path.removeprefix("editions/0000000006/"): data for path, data in public.items() if "0000000006" in path}
    assert newest == {path: data for path, data in public.items() if not path.startswith("editions/")}


@pytest.mark.parametrize("what", ["version 1 with extensions", "SAN is no DER"])
def test_an_edition_that_nodes_could_not_serve_with_is_not_published_and_the_member_is_named(
    land: Country, what: str
) -> None:
    before = files_of(land.authority.public)
    real(land, "h49", ODD[what]())
    with pytest.raises(Broken) as caught:
        careful(land).publish(NOW_MS)
    assert caught.value.reason is Reason.DIRECTORY_INVALID
    assert "nothing was published: nodes/h49" in caught.value.detail
    assert "g14" not in caught.value.detail
    assert files_of(land.authority.public) == before
    real(land, "h49", identity("h49", serial=1).certificate_der)
    assert careful(land).publish(NOW_MS) == 3


def test_a_zone_that_no_node_would_believe_is_not_published(land: Country) -> None:
    smuggle(land, "h49", {"nodes/h49": b"junk", "zones/H49": b"junk"}, 9)
    with pytest.raises(Broken) as caught:
        careful(land).publish(NOW_MS)
    assert "nodes/h49: not a node file" in caught.value.detail


def test_an_old_fault_of_one_member_does_not_keep_the_news_from_the_others(land: Country) -> None:
    real(land, "h49", ODD["version 1 with extensions"]())
    land.authority.publish(NOW_MS)
    real(land, "g14", identity("g14", serial=1).certificate_der)
    assert careful(land).publish(NOW_MS) == 4
    reader = TrustedFolder(land.root / "reader" / "directory", tls_trial())
    reader.bootstrap(land.authority.root_json())
    assert set(reader.update_from(land.authority.public, NOW_MS).nodes) == {"g14"}


def test_a_refresh_of_public_files_that_do_not_fit_together_is_refused_rather_than_signed(land: Country) -> None:
    """As the version before left them when it broke off: no whole edition, a new file, the old timestamp."""
    shutil.rmtree(land.authority.public / "editions")
    (land.authority.public / "targets" / "nodes" / "h49").write_bytes(b"of an edition that never came")
    with pytest.raises(Broken):
        careful(land).refresh(NOW_MS)
    mended = with_certificates("h49", identity("h49", serial=1).certificate_der)
    smuggle(land, "h49", {"nodes/h49": node_bytes(mended)}, 9)
    assert careful(land).publish(NOW_MS) == 3
