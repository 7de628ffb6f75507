"""The result as a dictionary for programs and as a table for people: ours, target, limits and peers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from rgbd_perception.bench.machine import processor_name, usable_cores
from rgbd_perception.bench.plan import BenchPlan
from rgbd_perception.bench.queries import TEXTS
from rgbd_perception.bench.scenes import GRID

_SINGLE_FIGURES = (
    "voxels",
    "update_full_depth_ms",
    "update_full_depth_p99_ms",
    "answers_ms_1m_8_texts",
    "answers_p99_ms_1m_8_texts",
    "scores_ms_1m_8_texts",
    "scores_p99_ms_1m_8_texts",
    "answers_p99_ms_while_mapping",
    "while_mapping",
    "bytes_per_voxel",
    "resident_bytes_per_voxel",
    "answers_equal_percent",
    "answers_tied_percent",
    "voxels_equal_percent",
    "clusters_answers_equal_percent",
    "clusters_voxels_equal_percent",
    "stress_answers_equal_percent",
    "stress_voxels_equal_percent",
    "save_s_1m",
    "load_s_1m",
    "plain_write_s",
    "file_bytes",
    "memory_bandwidth_gb_s",
    "sgemm_gflops",
)


@dataclass(frozen=True)
class _Row:
    """A line of the table; ``beside`` are (what, figure in the same unit) to divide ours by."""

    what: str
    ours: float | None
    unit: str
    target: str
    beside: tuple[tuple[str, float | None], ...] = ()


def empty_result(plan: BenchPlan) -> dict[str, Any]:
    """All keys of the JSON, with what is known before anything was measured."""
    return {
        "device": {"processor": processor_name(), "cores": usable_cores()},
        "plan": asdict(plan),
        "trial": plan.is_trial,
        "update_ms": dict.fromkeys(plan.sizes),
        "update_p99_ms": dict.fromkeys(plan.sizes),
        "updates": [],
        **dict.fromkeys(_SINGLE_FIGURES),
        "limits": {},
        "peers": {},
    }


def limits(result: dict[str, Any]) -> dict[str, float]:
    """What the machine would need at least, by the bandwidth and the matrix product of the same run.

    update_read_ms         read the float16 embeddings of one frame once
    scores_fp16_read_ms    read a float16 embedding of every voxel once
    scores_sgemm_ms        the products of every voxel's embedding with eight texts, in float32
    """
    bandwidth, gflops = result["memory_bandwidth_gb_s"], result["sgemm_gflops"]
    if not bandwidth or not gflops:
        return {}
    voxels, dim = result["plan"]["voxels"], result["plan"]["dim"]
    return {
        "update_read_ms": round(2 * GRID[0] * GRID[1] * dim / bandwidth / 1e6, 4),
        "scores_fp16_read_ms": round(2 * voxels * dim / bandwidth / 1e6, 4),
        "scores_sgemm_ms": round(2 * voxels * dim * len(TEXTS) / gflops / 1e6, 4),
    }


def table(result: dict[str, Any]) -> Iterator[str]:
    """Lines for people. Below each figure stand those of others, and ours divided by them."""
    device = result["device"]
    yield f"{device['processor']}, {device['cores']} cores"
    yield (
        f"memory bandwidth {_number(result['memory_bandwidth_gb_s'])} GB/s (copy), "
        f"matrix product {_number(result['sgemm_gflops'])} GFLOP/s (float32)"
    )
    if result["trial"]:
        yield f"A TRIAL: '1M' stands for {result['plan']['voxels']:,} voxels here, the figures mean nothing"
    yield f"{'':<46}{'ours':>12}  target"
    for row in _rows(result):
        if row.ours is None:
            continue
        yield f"{row.what:<46}{_number(row.ours) + ' ' + row.unit:>12}  {row.target}".rstrip()
        for what, value in row.beside:
            if value:
                yield f"    {what:<42}{_number(value) + ' ' + row.unit:>12}  ours x{row.ours / value:.2f}"
    for name, figures in result["peers"].items():
        yield f"{name}: {figures.get('missing') or figures['version'] + ', ' + figures['note']}"


def _rows(result: dict[str, Any]) -> Iterator[_Row]:
    update, bounds = result["update_ms"], result["limits"]
    peers = _peer_figures(result, "update_ms")
    read = ("one read of the embeddings", bounds.get("update_read_ms"))
    yield _Row("update, 10k voxels", update["10k"], "ms", "", (*peers, read))
    yield _Row("update, 100k voxels", update["100k"], "ms", "", (("10k", update["10k"]),))
    yield _Row("update, 1M voxels", update["1M"], "ms", "<= 18", (("10k", update["10k"]), *peers, read))
    yield _Row("  p99", result["update_p99_ms"]["1M"], "ms", "")
    full = _peer_figures(result, "update_full_depth_ms")
    yield _Row("update with 480x640 depth, 1M voxels", result["update_full_depth_ms"], "ms", "<= 30", full)
    search = _peer_figures(result, "search_ms")
    reading = ("one fp16 read", bounds.get("scores_fp16_read_ms"))
    product = ("matrix product", bounds.get("scores_sgemm_ms"))
    yield _Row("ranked answers, 8 texts, 1M voxels", result["answers_ms_1m_8_texts"], "ms", "<= 5", search)
    beside = (reading, product, *search)
    yield _Row("all scores, 8 texts, 1M voxels", result["scores_ms_1m_8_texts"], "ms", "<= 30", beside)
    yield _Row("answers while mapping at 30 Hz, p99", result["answers_p99_ms_while_mapping"], "ms", "<= 30")
    yield from _while_mapping(result["while_mapping"])
    resident = ("growth of the process", result["resident_bytes_per_voxel"])
    vectors = _peer_figures(result, "bytes_per_vector")
    yield _Row("memory of a voxel", result["bytes_per_voxel"], "B", "<= 48", (resident, *vectors))
    for name, label in (("", "rooms"), ("clusters_", "clusters"), ("stress_", "no clusters")):
        for kind in ("answers", "voxels"):
            target = ">= 99" if not name else ""
            yield _Row(f"equal {kind}, {label}", result[f"{name}{kind}_equal_percent"], "%", target)
    yield _Row("  of the answers in rooms as a tie only", result["answers_tied_percent"], "%", "")
    plain = (("plain write", result["plain_write_s"]),)
    yield _Row("save, 1M voxels, fsync included", result["save_s_1m"], "s", "<= 1", plain)
    yield _Row("load, 1M voxels", result["load_s_1m"], "s", "<= 1")


def _while_mapping(figures: dict[str, Any] | None) -> Iterator[_Row]:
    if figures is None:
        return
    yield _Row("  longest update meanwhile", figures["update_worst_ms"], "ms", "")
    share = 100 * figures["updates_late"] / figures["updates"]
    yield _Row("  updates late by a period of 33 ms or more", share, "%", "")


def _peer_figures(result: dict[str, Any], key: str) -> tuple[tuple[str, float | None], ...]:
    return tuple((name, figures.get(key)) for name, figures in result["peers"].items() if key in figures)


def _number(value: float | None) -> str:
    """Three digits that count."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
