"""After the warm-up neither frames nor questions wait for the compiler."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_USE_A_MAP = """
import sys
from numba.core.dispatcher import Dispatcher
from rgbd_perception.bench.embeddings import CLASS_NAMES, ClusteredEmbeddings, MadeUpTexts
from rgbd_perception.bench.scenes import Scene, bench_map
from rgbd_perception.mapping import warm_up

def compiled():
    modules = [module for name, module in sys.modules.items() if name.startswith("rgbd_perception.mapping")]
    found = {value for module in modules for value in vars(module).values() if isinstance(value, Dispatcher)}
    return {f"{each.__module__}.{each.__name__}{types}" for each in found for types in each.signatures}

warm_up()
before = compiled()
assert before
usual = bench_map(64)
for frame, prediction in Scene(ClusteredEmbeddings(64)).video(0, 12):
    usual.integrate(frame, prediction)
encoder = MadeUpTexts(64)
results = usual.query(CLASS_NAMES, CLASS_NAMES[3:4], encoder=encoder)
assert any(result.answers for result in results), "without answers nothing is grouped and boxed"
usual.scores(CLASS_NAMES[:3], encoder=encoder)
usual.objects()
usual.at((0.0, 0.0, 1.0))
usual.save(sys.argv[1])
print(*sorted(compiled() - before), sep="\\n")
"""


def test_a_map_in_use_compiles_nothing_any_more(tmp_path: Path) -> None:
    """In a process of its own: kernels that other tests used would be there already."""
    result = subprocess.run(
        [sys.executable, "-c", _USE_A_MAP, str(tmp_path / "usual.rgbdmap")],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == []
