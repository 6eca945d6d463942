"""The image under test: built from this checkout, and built again only when something that goes into it has changed."""

import fcntl
import hashlib
import shutil
import tempfile
from pathlib import Path

import docker
from docker.errors import ImageNotFound

from tests.containers.hosts import run
from tests.real_mesh import ROOT

BASE_IMAGE = "truc-base:bookworm"
GOES_IN = ("pyproject.toml", "README.md", "LICENSE", "deploy/readme.py")
DEPLOY_FILES = ("Dockerfile", ".dockerignore", "check-build", "wheels", "base-image", "image", "requirements.lock")


def digest_of_checkout() -> str:
    """Return a digest of all that the image is made from."""
    digest = hashlib.sha256()
    files = [ROOT / name for name in GOES_IN] + [ROOT / "deploy" / name for name in DEPLOY_FILES]
    files += [path for path in (ROOT / "node").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    for path in sorted(files):
        digest.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def why_not() -> str:
    """Return why the image cannot be built here, or ""."""
    client = docker.from_env(timeout=10)
    if not client.images.list(BASE_IMAGE) and shutil.which("mmdebstrap") is None:
        return f"there is no base image {BASE_IMAGE}, and no mmdebstrap to make it; apt-get install mmdebstrap"
    return ""


def image_of_checkout() -> str:
    """Return the tag of the image; one process builds it, the others wait."""
    client, tag = docker.from_env(timeout=120), f"truc-test:{digest_of_checkout()[:12]}"
    with (Path(tempfile.gettempdir()) / "truc-image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            client.images.get(tag)
        except ImageNotFound:
            done = run(str(ROOT / "deploy" / "image"), tag, check=False, limit_s=480)
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return tag
