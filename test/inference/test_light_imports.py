"""The command line's help must not pay for torch: the packages are light until something is used."""

from __future__ import annotations

import subprocess
import sys


def test_packages_do_not_import_torch() -> None:
    script = (
        "import sys; import rgbd_perception.inference, rgbd_perception.models, rgbd_perception.text; "
        "import rgbd_perception.cli.segment; "
        "print([name for name in ('torch', 'transformers', 'cv2', 'numba') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
