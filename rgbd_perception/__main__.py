"""``python -m rgbd_perception``, the same as ``rgbd-perception``."""

from __future__ import annotations

import sys

from rgbd_perception.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
