"""Finding the files of config/, launch/ and rviz/ wherever the package was installed.

They lie in the source checkout (editable install), in ``<prefix>/share/rgbd_perception`` (pip, colcon), or in
another workspace of the ament index. ``get_package_share_directory`` knows only those two of colcon, and in
pip mode no ament index is set up: so the module's own place comes first.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from rgbd_perception.errors import UserError

PACKAGE = "rgbd_perception"


def share_file(name: str) -> Path:
    """The installed file ``name``, such as ``config/fastdds_profile.xml``.

    Raises UserError naming the places where it was looked for.
    """
    looked = [root / name for root in share_folders()]
    for path in looked:
        if path.is_file():
            return path
    places = ", ".join(str(path) for path in looked)
    raise UserError(f"{name} of {PACKAGE} was not found (looked for {places}): install the package again")


def share_folders() -> Iterator[Path]:
    """Folders that may hold config/, launch/ and rviz/, the most specific first."""
    package = Path(__file__).absolute().parent
    if (package.parent / "package.xml").is_file():
        yield package.parent  # source checkout
    for prefix in _prefixes(package):
        share = prefix / "share" / PACKAGE
        if share.is_dir():
            yield share


def _prefixes(package: Path) -> Iterator[Path]:
    # <prefix>/lib/pythonX.Y/site-packages/rgbd_perception; Debian's Pythons put a "local" between;
    # pip --target puts share beside the package.
    yield from (package.parents[index] for index in (3, 4, 0) if index < len(package.parents))
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        if prefix:
            yield Path(prefix)
    yield Path(sys.prefix)
