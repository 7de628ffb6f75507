"""What is known about the networks: sizes, the authors' figures, licences. Data only.

``parameters`` and ``gmac`` (480 x 640, one pair of images, the form that is trained) are counted from this
package's networks by ``measure``; tests compare them, also with counts of the authors' code where there are
some. Figures are quoted, not reproduced.
"""

from __future__ import annotations

from typing import NamedTuple


class Figure(NamedTuple):
    """A result that others printed: on which data, what was measured, the value, and where it stands."""

    data: str
    metric: str
    value: float
    source: str


class NetworkFacts(NamedTuple):
    """What ``models list`` shows of a network."""

    family: str
    parameters: int
    gmac: float
    licence: str
    figures: tuple[Figure, ...] = ()


_OURS = "Apache-2.0: weights and code are ours"
_DVEFORMER = (
    "code Apache-2.0; weights without a licence of their own, distilled from Alpha-CLIP checkpoints that are "
    "for research only"
)
_EMSAFORMER = "code Apache-2.0; weights without a licence of their own"
_MIT = (
    "code MIT, but the authors' MiT file and the ImageNet weights it starts from are under the NVIDIA Source "
    "Code License: research only"
)
_DELIVER = (
    "code Apache-2.0 (from CMNeXt, whose README asks to contact its authors for commercial use), but the "
    "authors' MiT file is under the NVIDIA Source Code License: research only"
)
_SWIN = "code MIT, Swin file MIT (Microsoft)"
_NO_WEIGHTS = "no weights were published; "

_DVEFORMER_README = "README of TUI-NICR/DVEFormer"
_EMSAFORMER_README = "README of TUI-NICR/EMSAFormer"
_GEMINI = "GeminiFusion, ensemble"
_DELIVER_PAPER = "GeminiFusion, Table 1: best of 100 checkpoints on this split"
_DIFFPIXEL = "DiffPixelFormer"
_DIFFPIXEL_SWIN = "DiffPixelFormer, whose released Swin is GeminiFusion's network"
_TOKENFUSION = "TokenFusion"

_NYU, _SUN = "NYUv2 test, 40 classes", "SUN RGB-D test, 37 classes"
_DELIVER_VAL = "DeLiVER validation, 25 classes"


def _dveformer(*rows: tuple[str, float, float, float]) -> tuple[Figure, ...]:
    ways = ("text", "visual means", "linear probe")
    return tuple(
        Figure(data, f"mIoU, {way}", value, _DVEFORMER_README)
        for data, *values in rows
        for way, value in zip(ways, values, strict=True)
    )


def _miou(source: str, nyu: float | None = None, sun: float | None = None) -> tuple[Figure, ...]:
    pairs = ((_NYU, nyu), (_SUN, sun))
    return tuple(Figure(data, "mIoU", value, source) for data, value in pairs if value is not None)


def _emsaformer(nyu: float, pq: float, sun: float, scannet: float) -> tuple[Figure, ...]:
    return (
        Figure(_NYU, "mIoU", nyu, _EMSAFORMER_README),
        Figure(_NYU, "PQ", pq, _EMSAFORMER_README),
        Figure(_SUN, "mIoU", sun, _EMSAFORMER_README),
        Figure("ScanNet, 20 classes", "mIoU", scannet, _EMSAFORMER_README),
    )


def _gemini(parameters: int, gmac: float, licence: str, nyu: float | None, sun: float | None) -> NetworkFacts:
    return NetworkFacts("GeminiFusion", parameters, gmac, licence, figures=_miou(_GEMINI, nyu, sun))


def _deliver(parameters: int, gmac: float, *figures: Figure) -> NetworkFacts:
    licence = _DELIVER if figures else _NO_WEIGHTS + _DELIVER
    return NetworkFacts("GeminiFusion on DeLiVER", parameters, gmac, licence, figures=figures)


def _diffpixel(
    parameters: int, gmac: float, nyu: float | None = None, sun: float | None = None, swin: bool = False
) -> NetworkFacts:
    licence = _NO_WEIGHTS + (_SWIN if swin else _MIT)
    figures = _miou(_DIFFPIXEL_SWIN if swin else _DIFFPIXEL, nyu, sun)
    return NetworkFacts("DiffPixelFormer", parameters, gmac, licence, figures=figures)


def _row(parameters: int, gmac: float) -> NetworkFacts:
    return NetworkFacts("fusion by name, default none", parameters, gmac, _NO_WEIGHTS + "code is ours")


PUBLISHED: dict[str, NetworkFacts] = {
    "rgbd_mini": NetworkFacts("DVEFormer", 2_576_181, 3.559, _OURS),
    "dveformer_reducedres": NetworkFacts(
        "DVEFormer",
        53_120_824,
        63.871,
        _DVEFORMER,
        (
            *_dveformer(
                (_NYU, 43.45, 50.02, 56.28),
                (_SUN, 44.01, 45.71, 50.01),
                ("ScanNet validation, 40 classes", 33.58, 39.19, 48.75),
                ("ScanNet validation, 20 classes", 50.32, 56.75, 67.44),
            ),
            Figure("AGX Orin 64 GB, network only", "frames per second", 77.0, _DVEFORMER_README),
        ),
    ),
    "dveformer_fullres": NetworkFacts(
        "DVEFormer",
        56_281_912,
        126.924,
        _DVEFORMER,
        (
            *_dveformer(
                (_NYU, 44.07, 50.31, 57.05),
                (_SUN, 44.56, 46.25, 51.28),
                ("ScanNet validation, 40 classes", 33.77, 39.59, 49.06),
                ("ScanNet validation, 20 classes", 50.16, 56.57, 67.76),
            ),
            Figure("ScanNet test, 20 classes", "mIoU, linear probe", 62.6, _DVEFORMER_README),
            Figure("AGX Orin 64 GB, network only", "frames per second", 26.3, _DVEFORMER_README),
        ),
    ),
    "emsaformer_semantic_mlp": NetworkFacts("EMSAFormer", 52_576_384, 53.570, _EMSAFORMER),
    "emsaformer_semantic_emsanet": NetworkFacts("EMSAFormer", 70_800_120, 64.697, _EMSAFORMER),
    "emsaformer_multitask_mlp": NetworkFacts(
        "EMSAFormer", 72_077_186, 68.517, _EMSAFORMER, _emsaformer(50.23, 43.41, 48.61, 64.75)
    ),
    "emsaformer_multitask_emsanet": NetworkFacts(
        "EMSAFormer", 90_300_922, 79.644, _EMSAFORMER, figures=_emsaformer(51.06, 43.28, 48.52, 63.78)
    ),
    "geminifusion_mit_b0": _gemini(5_863_562, 22.226, _NO_WEIGHTS + _MIT, None, None),
    "geminifusion_mit_b1": _gemini(22_201_066, 49.888, _NO_WEIGHTS + _MIT, None, None),
    "geminifusion_mit_b2": _gemini(41_081_834, 88.100, _NO_WEIGHTS + _MIT, None, None),
    "geminifusion_mit_b3": _gemini(74_551_274, 154.418, _MIT, 56.8, 52.7),
    "geminifusion_mit_b4": _gemini(102_248_170, 219.945, _NO_WEIGHTS + _MIT, None, None),
    "geminifusion_mit_b5": _gemini(137_209_322, 283.896, _MIT, 57.7, 53.3),
    "geminifusion_swin_tiny": _gemini(51_950_180, 109.361, _SWIN, 52.2, 50.2),
    "geminifusion_swin_small": _gemini(92_796_788, 203.692, _SWIN, 55.0, None),
    "geminifusion_swin_large_w7": _gemini(369_012_926, 772.925, _SWIN, 58.8, None),
    "geminifusion_swin_large_w12": _gemini(369_215_966, 814.161, _SWIN, 60.2, 54.8),
    "geminifusion_deliver_mit_b0": _deliver(6_785_147, 53.133),
    "geminifusion_deliver_mit_b1": _deliver(23_253_723, 81.404),
    "geminifusion_deliver_mit_b2": _deliver(
        42_134_491,
        119.616,
        Figure(_DELIVER_VAL, "mIoU, RGB and depth", 66.4, _DELIVER_PAPER),
        Figure(_DELIVER_VAL, "mIoU, RGB and event", 58.5, _DELIVER_PAPER),
        Figure(_DELIVER_VAL, "mIoU, RGB and LiDAR", 58.6, _DELIVER_PAPER),
        Figure(_DELIVER_VAL, "mIoU, all four", 66.9, _DELIVER_PAPER),
    ),
    "geminifusion_deliver_mit_b3": _deliver(75_603_931, 185.935),
    "geminifusion_deliver_mit_b4": _deliver(103_300_827, 251.461),
    "geminifusion_deliver_mit_b5": _deliver(138_261_979, 315.412),
    "diffpixelformer_mit_b0": _diffpixel(6_637_738, 22.226),
    "diffpixelformer_mit_b1": _diffpixel(25_289_482, 49.888, 32.60, 47.03),
    "diffpixelformer_mit_b2": _diffpixel(47_013_162, 88.100),
    "diffpixelformer_mit_b3": _diffpixel(85_413_210, 154.418, 56.28, 52.84),
    "diffpixelformer_mit_b4": _diffpixel(117_072_270, 219.945),
    "diffpixelformer_mit_b5": _diffpixel(157_242_810, 283.896, 58.71, 53.69),
    "diffpixelformer_swin_tiny": _diffpixel(51_950_180, 109.361, 46.02, 49.69, swin=True),
    "diffpixelformer_swin_large_w7": _diffpixel(369_012_926, 772.925, swin=True),
    "diffpixelformer_swin_large_w12": _diffpixel(369_215_966, 814.161, 59.95, 54.28, swin=True),
    "tokenfusion_mit_b2": NetworkFacts(
        "TokenFusion", 26_018_426, 65.634, _NO_WEIGHTS + _MIT, figures=_miou(_TOKENFUSION, 53.3, 51.4)
    ),
    "tokenfusion_mit_b3": NetworkFacts(
        "TokenFusion",
        45_917_306,
        110.207,
        _MIT,
        figures=(*_miou(_TOKENFUSION, 54.2, 53.0), *_miou("README of TokenFusion", 54.8)),
    ),
    "tokenfusion_mit_b5": NetworkFacts("TokenFusion", 83_331_962, 197.500, _NO_WEIGHTS + _MIT),
    "two_stream_mit_b0": _row(3_731_594, 18.997),
    "two_stream_mit_b1": _row(13_701_866, 36.971),
    "two_stream_mit_b2": _row(24_758_378, 60.673),
    "two_stream_mit_b3": _row(44_657_258, 100.449),
    "two_stream_mit_b4": _row(61_448_170, 140.407),
    "two_stream_mit_b5": _row(82_071_914, 178.435),
    "two_stream_swin_tiny": _row(28_166_372, 71.140),
    "two_stream_swin_small": _row(49_484_276, 127.251),
    "two_stream_swin_large_w7": _row(196_015_550, 467.160),
    "two_stream_swin_large_w12": _row(196_218_590, 508.396),
}
"""By name, for every network of ``list_models()``."""
