"""Where whole editions lie in a public folder, for those who write them and those who read them (authority/whole.py)."""

from pathlib import Path

from node.directory.layout import EDITIONS


def whole_editions(public: Path) -> list[Path]:
    """Return the folders of whole editions, the newest first; none in a folder of an older authority."""
    found = [path for path in (public / EDITIONS).glob("[0-9]*") if path.name.isdigit() and path.is_dir()]
    return sorted(found, key=lambda path: int(path.name), reverse=True)
