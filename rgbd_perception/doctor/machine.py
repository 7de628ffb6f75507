"""Checks of the Python side of this machine: interpreter, Open3D, torch, text encoder, weights."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from rgbd_perception.doctor.finding import Finding, fail, ok, warn
from rgbd_perception.errors import UserError

DEFAULT_WEIGHTS = Path(__file__).parents[1] / "models" / "weights" / "rgbd_mini.safetensors"


def machine_findings() -> Iterator[Finding]:
    """All checks of this module, the quick ones first."""
    yield check_python()
    yield check_numpy_and_cv_bridge()
    yield check_weights(DEFAULT_WEIGHTS)
    yield check_open3d()
    yield check_torch()
    yield check_text_encoder()


def check_python() -> Finding:
    """3.10 (Humble, JetPack 6) to 3.12 (Jazzy, Kilted)."""
    version = ".".join(map(str, sys.version_info[:3]))
    detail = f"Python {version} at {sys.executable}"
    if sys.version_info[:2] > (3, 12):
        return warn("python", detail, "tested with 3.10 to 3.12")
    return ok("python", detail)


def check_numpy_and_cv_bridge() -> Finding:
    """cv_bridge was compiled against NumPy 1 in many installations and ends the process under NumPy 2."""
    import numpy

    detail = f"NumPy {numpy.__version__}"
    if importlib.util.find_spec("cv_bridge") is None:
        return ok("cv_bridge", f"{detail}; cv_bridge is not installed, which only rare image encodings need")
    script = (
        "import numpy, cv_bridge; cv_bridge.CvBridge().cv2_to_imgmsg(numpy.zeros((2, 2, 3), 'uint8'), 'rgb8')"
    )
    # In a process of its own: the clash is a segmentation fault as often as an exception.
    trial = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    if trial.returncode == 0:
        return ok("cv_bridge", f"{detail}; cv_bridge works")
    last = trial.stderr.strip().splitlines()[-1:] or [f"exit status {trial.returncode}"]
    return warn(
        "cv_bridge",
        f"{detail}; cv_bridge fails: {last[0]}",
        "only Bayer, YUV and the like need it: install numpy<2 or a newer cv_bridge",
    )


def check_weights(path: Path) -> Finding:
    """The weights of the default network."""
    advice = "train them: rgbd-perception distill config/train/rgbd_mini.yaml, or install the package again"
    if not path.is_file():
        return fail("weights", f"{path} is missing", advice)
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(size))
    except (OSError, ValueError, MemoryError) as error:
        return fail("weights", f"{path} cannot be read: {error}", advice)
    tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
    expected = 8 + size + max((entry["data_offsets"][1] for entry in tensors.values()), default=0)
    if path.stat().st_size != expected:
        return fail("weights", f"{path} is cut: {path.stat().st_size} of {expected} bytes", advice)
    return ok("weights", f"{path.name}: {len(tensors)} tensors, {expected / 1e6:.1f} MB")


def check_open3d() -> Finding:
    """Generated rooms, clustering and export use it; maps of folders, bags and robots do not need it."""
    from rgbd_perception.open3d_loader import load_open3d

    try:
        module = load_open3d()
    except UserError as error:
        return warn("open3d", str(error), "needed for generated rooms only")
    return ok("open3d", f"Open3D {module.__version__}")


def check_torch() -> Finding:
    """What runs the network."""
    try:
        import torch
    except ImportError as error:
        advice = (
            "pip install 'rgbd_perception[torch]'; on a Jetson the wheel that NVIDIA makes for its JetPack"
        )
        return fail("torch", f"torch cannot be imported: {error}", advice)
    if torch.cuda.is_available():
        return ok("torch", f"torch {torch.__version__}, {torch.cuda.get_device_name()}")
    detail = f"torch {torch.__version__}, {torch.get_num_threads()} CPU threads, no CUDA device"
    if torch.version.cuda is not None:
        return warn("torch", detail, "this build is for CUDA: check the driver with nvidia-smi")
    return ok("torch", detail)


def check_text_encoder() -> Finding:
    """Encodes two texts with the encoder of the default network; queries need it."""
    advice = "pip install 'rgbd_perception[text]'"
    try:
        from rgbd_perception.text import create_text_encoder

        encoder = create_text_encoder("all-MiniLM-L6-v2")
        chair, seat = encoder.encode(["chair", "something to sit on"])
    except (ImportError, UserError, OSError) as error:
        return fail("text encoder", " ".join(str(error).split()), advice)
    similarity = float(chair @ seat)
    detail = f"{encoder.text_space}: 'chair' and 'something to sit on' have cosine {similarity:.2f}"
    if not 0.4 < similarity < 0.9:
        return fail("text encoder", f"{detail}, expected about 0.6", f"{advice} --force-reinstall")
    return ok("text encoder", detail)
