"""The entry point ``rgbd-perception``: one sub-command for each file of this folder.

A sub-command is a module with

    NAME, HELP            as in the table below (a test compares them)
    EPILOG                examples, printed below the options
    add_arguments(parser) declares its options
    run(args) -> int      does the work; the exit status
    INTERMIXED = True     only where positional arguments (key=value) may also stand behind options

Only the module of the chosen sub-command is imported: ``--help`` costs neither torch nor ROS.
Exit status: 0 success, 2 bad input or a machine that refuses (one line on standard error), 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rgbd_perception import __version__
from rgbd_perception.errors import UserError

COMMANDS = {
    "demo": "the whole ROS graph: replay, perception, mapping, queries and a picture",
    "segment": "one pair of color and depth images to masks, a picture and embeddings",
    "synth": "write furnished rooms of the generator as folders with ground truth",
    "map": "build a map from a folder, a bag or a generated room, without ROS",
    "query": "ask a saved map where things are, or what is at a point",
    "eval": "score a map against ground truth",
    "eval-model": "score a network on held-out data",
    "probe": "score a network's embeddings on a labelled data set: text, visual means, linear probe",
    "info": "what a map file or a model contains",
    "export-map": "a map file as point cloud, occupancy grid or list of objects",
    "models": "the networks by name, and the authors' weights into them",
    "data": "what a data set for training contains, and what is wrong with it",
    "teach": "let a teacher embed the segments of a labelled data set",
    "train": "train a network on labelled data sets",
    "distill": "train a network towards text-aligned embeddings",
    "export": "write a network as an ONNX file for ONNX Runtime and TensorRT",
    "engine": "TensorRT engines: build, describe, compare with fp32",
    "bench": "measure the map or a network beside the limits of the machine",
    "doctor": "find out what is wrong with this machine, graph or camera",
}
"""Name and one line of help of every sub-command, in the order of the help page."""


def available_commands() -> dict[str, str]:
    """The sub-commands whose module is installed."""
    folder = Path(__file__).parent
    return {name: text for name, text in COMMANDS.items() if (folder / f"{module_name(name)}.py").is_file()}


def module_name(command: str) -> str:
    """The module in this folder that implements ``command``."""
    return command.replace("-", "_")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one sub-command; returns the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _escape_what_the_terminal_lacks()
    try:
        return _run(arguments)
    except UserError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        _drop_unwritable_output()  # the reader (head, less) has gone
        return 0
    except OSError as error:  # a full disk, standard output among them; a folder without permission
        _drop_unwritable_output()
        where = "" if error.filename is None else f": {error.filename}"
        print(f"error: {error.strerror or error}{where}", file=sys.stderr)
        return 2


def _escape_what_the_terminal_lacks() -> None:
    """Texts and names of files may hold letters that standard output cannot show, which is no failure."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _drop_unwritable_output() -> None:
    """Python would complain of it once more when it flushes at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: list[str]) -> int:
    commands = available_commands()
    parser = _top_parser(commands)
    if not arguments:
        parser.print_help()
        return 2
    if arguments[0] not in commands:
        parser.parse_args(arguments)  # --help, --version, or an error that names the choices
    module = importlib.import_module(f"rgbd_perception.cli.{module_name(arguments[0])}")
    command = argparse.ArgumentParser(
        prog=f"rgbd-perception {arguments[0]}",
        description=module.HELP,
        epilog=module.EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(command)
    parse = command.parse_intermixed_args if hasattr(module, "INTERMIXED") else command.parse_args
    status: int = module.run(parse(arguments[1:]))
    if sys.stdout is not None:  # as under `>&-`
        sys.stdout.flush()  # here, where a broken pipe is caught
    return status


def _top_parser(commands: dict[str, str]) -> argparse.ArgumentParser:
    width = max(map(len, commands), default=0)
    listing = "\n".join(f"  {name:<{width}}  {text}" for name, text in commands.items())
    parser = argparse.ArgumentParser(
        prog="rgbd-perception",
        usage="rgbd-perception [--version] COMMAND ...",
        description="RGB-D perception: text-aligned embeddings, a voxel map, answers to texts.",
        epilog=f"commands:\n{listing}\n\nrgbd-perception COMMAND --help explains one of them.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"rgbd-perception {__version__}")
    parser.add_argument("command", metavar="COMMAND", choices=list(commands), help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
