"""A node gets a new TLS certificate while documents travel: both are in the directory before it changes, so nobody refuses it."""

from dataclasses import replace
from pathlib import Path

from node.directory.zone.zone import ZoneEditor
from node.net.client import OfficeClient
from node.ops.describing import describe_anew
from node.ops.home import Home
from node.ops.keys import CURRENT, PREPARED, READY, WAITING, renew
from node.seal.tls import load_tls
from tests.clocks import now_ms
from tests.mesh.support import QUICK, delivered, directory_of, eventually, run
from tests.papers import document
from tests.real_mesh import MINISTRY, PROVINCE, RealMesh, RealNode


async def letter(ministry: OfficeClient, number: int) -> None:
    name = f"thu-{number}"
    await ministry.submit(document("H49.22", number=str(number)), name)
    await eventually(lambda: delivered(ministry, name))


async def published(mesh: RealMesh, home: Home) -> None:
    """Do as `truc unit publish` and the authority do, and let every node fetch it."""
    describe_anew(home, now_ms())
    mesh.authority.take(ZoneEditor.open(home.zone).update(now_ms()), now_ms())
    version = mesh.authority.publish(now_ms())
    for node in mesh.nodes.values():
        async with Home(node.home).admin() as admin:
            assert await admin.refresh_directory() == version


async def software_reads(node: RealNode) -> None:
    """Connect as software whose file was given the new certificate beside the old one while that was still waiting."""
    certificates = node.credential.certificate_pem + (node.home / "keys" / "next" / "tls.crt").read_text("ascii")
    node.credential = replace(node.credential, certificate_pem=certificates)
    await still_reads(node)


async def still_reads(node: RealNode) -> None:
    async with OfficeClient.connect(node.credential) as office:
        assert len((await office.list_inbox("H49.22"))[0]) >= 1


def certificate(node: RealNode) -> bytes:
    return load_tls(Home(node.home).keys, None).certificate_der


def test_documents_travel_before_between_and_after_without_a_refusal(tmp_path: Path) -> None:
    toml = f'{QUICK}[directory]\nfolder = "{tmp_path / "mesh" / "authority" / "public"}"\n'

    async def story(mesh: RealMesh) -> None:
        province, home = mesh["h49"], Home(mesh["h49"].home)
        settings, old = home.settings(), certificate(province)
        async with mesh.office("g14") as ministry:
            await letter(ministry, 1)
            assert [renew(home, settings, now_ms(), even_early=True)[0] for _ in range(2)] == [PREPARED, WAITING]
            await published(mesh, home)
            await letter(ministry, 2)
            await software_reads(province)
            assert renew(home, settings, now_ms())[0] == READY
            province.stop()
            province.start()
            new = certificate(province)
            assert (new != old, renew(home, settings, now_ms())[0]) == (True, CURRENT)
            await letter(ministry, 3)
            await still_reads(province)
            assert set(directory_of(mesh["g14"]).nodes["h49"].tls_certificates) == {old, new}
            await published(mesh, home)
            assert directory_of(mesh["g14"]).nodes["h49"].tls_certificates == (new,)
            await letter(ministry, 4)

    with RealMesh(tmp_path / "mesh", [MINISTRY, PROVINCE], toml) as mesh:
        run(story(mesh))
