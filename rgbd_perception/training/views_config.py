"""What is rendered to train ``rgbd_mini`` on. Without torch, which processes that render need not load."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SplitConfig:
    """Apartments of one split: seeds ``first_seed`` to ``first_seed + apartments - 1``."""

    first_seed: int
    apartments: int


@dataclass(frozen=True)
class ViewsConfig:
    """What is rendered. The seeds of the splits must not overlap; only evaluation sees those of ``test``."""

    size: tuple[int, int] = (240, 320)
    views_per_apartment: int = 12
    apartments_per_shard: int = 6
    descriptions: int = 3
    train: SplitConfig = SplitConfig(0, 600)
    validation: SplitConfig = SplitConfig(900_000, 12)
    test: SplitConfig = SplitConfig(1_000_000, 36)
