"""Generate and compile this package's messages and services with the rosidl wheels (ROS 2 without colcon).

Used by setup.py. The steps are those of ``rosidl_generate_interfaces`` in CMake:

    .msg .srv → .idl → type hashes → C structs and functions ┐
                                   → Fast DDS serialisation   ├→ one extension module that Python imports
                                   → type support, Python     ┘

Everything is linked into ``rgbd_perception_s__rosidl_typesupport_c``, the module that rclpy asks for; CMake
spreads the same code over five libraries. Messages made this way and by colcon have equal type hashes and
talk to each other.
"""

from __future__ import annotations

import os
import shutil
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from setuptools import Extension

PACKAGE = "rgbd_perception"
MODULE = f"{PACKAGE}.{PACKAGE}_s__rosidl_typesupport_c"
TYPESUPPORT = "rosidl_typesupport_fastrtps_c"

MESSAGE_LIBRARIES = ("generator_c", "generator_py", "typesupport_fastrtps_c")
RUNTIME_LIBRARIES = (
    "rosidl_runtime_c",
    "rosidl_typesupport_c",
    "rosidl_typesupport_fastrtps_c",
    "rosidl_typesupport_fastrtps_cpp",
    "rosidl_dynamic_typesupport",
    "rmw",
    "rcutils",
    "fastcdr",
)


@dataclass(frozen=True)
class GeneratedMessages:
    """What the generators wrote: Python files by their path in the package, and sources to compile."""

    python: dict[Path, Path]
    sources: list[str]
    include_dirs: list[str]


def wheels_prefix() -> Path | None:
    """The folder with the wheels' share/, include/ and lib/; None where they are not installed."""
    try:
        import rosidl_generator_py
    except ImportError:
        return None
    # <prefix>/lib/pythonX.Y/site-packages/rosidl_generator_py/__init__.py
    return Path(rosidl_generator_py.__file__).resolve().parents[4]


def generate(root: Path, output: Path, prefix: Path, dependencies: Iterable[str]) -> GeneratedMessages:
    """Write the code for ``root``/msg and ``root``/srv into ``output`` (emptied first).

    ``dependencies`` are the message packages ours contain; the wheels' ``prefix`` holds their .idl files.
    """
    # The generators find their templates through the ament index.
    os.environ["AMENT_PREFIX_PATH"] = str(prefix)
    from rosidl_generator_c.cli import GenerateC
    from rosidl_generator_py.cli import GeneratePython
    from rosidl_generator_type_description.cli import HashTypeDescription
    from rosidl_typesupport_c.cli import GenerateCTypesupport
    from rosidl_typesupport_fastrtps_c.cli import GenerateFastRTPSCTypesupport

    shutil.rmtree(output, ignore_errors=True)
    code = output / PACKAGE
    idl = _translate(root, output / "idl")
    includes = [str(prefix / "share" / name) for name in dependencies]
    hashes = HashTypeDescription("hash").generate_type_hashes(PACKAGE, idl, includes, output / "hashes")
    GenerateC("c").generate(PACKAGE, idl, includes, code, hashes)
    GenerateFastRTPSCTypesupport("fastrtps_c").generate(PACKAGE, idl, includes, code)
    GenerateCTypesupport("c", typesupport_implementations=[TYPESUPPORT]).generate(
        PACKAGE, idl, includes, code
    )
    GeneratePython("py", typesupport_implementations=["rosidl_typesupport_c"]).generate(
        PACKAGE, idl, includes, code
    )
    return GeneratedMessages(
        python={path.relative_to(code): path for path in sorted(code.rglob("*.py"))},
        sources=[str(path) for pattern in ("*.c", "*.cpp") for path in sorted(code.rglob(pattern))],
        include_dirs=[str(output)],
    )


def configure(
    extension: Extension,
    messages: GeneratedMessages,
    prefix: Path,
    dependencies: Iterable[str],
    *,
    inplace: bool,
) -> None:
    """Give ``extension`` its sources, headers and libraries; ``inplace``: it will lie beside the sources."""
    import numpy

    # ROS packages have headers in include/<package>/<package>, vendored ones (fastcdr) in include/<package>.
    include = prefix / "include"
    headers = [include, *sorted(path for path in include.iterdir() if path.is_dir())]
    extension.sources = messages.sources
    extension.include_dirs = [*messages.include_dirs, *map(str, headers), numpy.get_include()]
    extension.library_dirs = [str(prefix / "lib")]
    extension.libraries = [
        *(f"{name}__rosidl_{part}" for name in dependencies for part in MESSAGE_LIBRARIES),
        *RUNTIME_LIBRARIES,
    ]
    # Installed, the wheels' libraries lie three folders above the extension.
    environment = Path(sysconfig.get_path("data")) / "lib"
    extension.runtime_library_dirs = [str(environment) if inplace else "$ORIGIN/../../.."]


def _translate(root: Path, output: Path) -> list[str]:
    """Translate .msg and .srv into .idl; returns ``folder:msg/Name.idl`` as the generators want them."""
    from rosidl_adapter.msg import convert_msg_to_idl
    from rosidl_adapter.srv import convert_srv_to_idl

    translated = []
    for kind, convert in (("msg", convert_msg_to_idl), ("srv", convert_srv_to_idl)):
        for path in sorted((root / kind).glob(f"*.{kind}")):
            convert(root, PACKAGE, path.relative_to(root), output / kind)
            translated.append(f"{output}:{kind}/{path.stem}.idl")
    return translated
