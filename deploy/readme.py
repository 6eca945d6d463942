"""What hatchling asks while it builds the package: README.md as a page that stands alone, as on PyPI.

In the checkout the links are relative, so that they work without internet and at any commit. Shown by itself the page has no files beside
it: there each link leads to the same file of the same version in the repository that pyproject.toml names.
"""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_RELATIVE = re.compile(r"\]\((?![a-z][a-z0-9+.-]*:|#|/)([^)\s]+)\)")


def standing_alone(page: str, base: str) -> str:
    """Return the page with its relative links under `base`, which ends with a slash."""
    return _RELATIVE.sub(rf"]({base}\1)", page)


class ReadmeHook(MetadataHookInterface):
    """Gives the package its readme."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Put the page into the metadata."""
        page = (Path(self.root) / "README.md").read_text("utf-8")
        base = f"{metadata['urls']['Source']}/blob/v{metadata['version']}/"
        metadata["readme"] = {"content-type": "text/markdown", "text": standing_alone(page, base)}
