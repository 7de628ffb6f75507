"""Train every row of the papers' questions with several seeds; a JSON line for each, tables and a plot.

    python -m benchmarks.paper_questions --shards runs/shards --out runs/paper_questions

from the root of a checkout. Rooms that are missing in --shards are rendered first (the folder may be the one
of `rgbd-perception distill config/train/rgbd_mini.yaml`). What OUT/runs.jsonl has is not trained again: stop
and start it as you like. All rows are trained with the first seed, then with the second, and so on.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.paper_questions.report import write_report
from benchmarks.paper_questions.rooms import open_rooms
from benchmarks.paper_questions.rows import ROWS
from benchmarks.paper_questions.runs import Budget, run_row
from rgbd_perception.errors import UserError


def main() -> None:
    """Parse the arguments, train what is missing, write tables and plot."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.paper_questions",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--shards", type=Path, default=Path("runs/shards"))
    parser.add_argument("--out", type=Path, default=Path("runs/paper_questions"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--steps", type=int, default=Budget.steps)
    parser.add_argument("--threads", type=int, default=Budget.threads, help="0: as many as there are cores")
    arguments = parser.parse_args()
    try:
        train(arguments)
    except UserError as error:
        parser.error(str(error))


def train(arguments: argparse.Namespace) -> None:
    """What the arguments ask for. Raises UserError, also for runs of another budget in the same folder."""
    budget = Budget(steps=arguments.steps, threads=arguments.threads)
    file = arguments.out / "runs.jsonl"
    check_budget(read_runs(file), budget, file)
    rooms = open_rooms(arguments.shards, arguments.out / "rooms")
    for name, seed in missing(read_runs(file), arguments.rows, arguments.seeds):
        print(f"{time.strftime('%H:%M:%S')} {name}, seed {seed}", flush=True)
        append_run(file, {"row": name, **run_row(ROWS[name], seed, rooms, budget)})
    write_report(read_runs(file), arguments.out)


def check_budget(runs: Sequence[dict[str, Any]], budget: Budget, file: Path) -> None:
    """Raise UserError where ``runs`` had another number of steps: they cannot be compared with new ones."""
    other = next((run["steps"] for run in runs if run["steps"] != budget.steps), None)
    if other is not None:
        raise UserError(f"{file} has runs of {other} steps: use --steps {other} or another --out")


def read_runs(file: Path) -> list[dict[str, Any]]:
    """The whole lines of ``file``; none where there is no file. A line that a kill cut off is left out."""
    runs = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        with contextlib.suppress(json.JSONDecodeError):
            runs.append(json.loads(line))
    return runs


def append_run(file: Path, run: dict[str, Any]) -> None:
    """Add a line, also after one that a kill cut off."""
    file.parent.mkdir(parents=True, exist_ok=True)
    cut_off = file.exists() and not file.read_bytes().endswith(b"\n")
    with file.open("a", encoding="utf-8") as lines:
        lines.write("\n" * cut_off + json.dumps(run) + "\n")


def missing(runs: Sequence[dict[str, Any]], rows: Sequence[str], seeds: int) -> Iterator[tuple[str, int]]:
    """Rows and seeds that have no line yet, one seed after the other."""
    done = {(run["row"], run["seed"]) for run in runs}
    for seed in range(seeds):
        yield from ((row, seed) for row in rows if (row, seed) not in done)


if __name__ == "__main__":
    main()
