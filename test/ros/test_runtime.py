"""What a process of nodes sets before it serves them."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

from rgbd_perception.ros.runtime import use_one_blas_thread


def blas_of_numpy() -> ThreadpoolController:
    np.eye(2) @ np.eye(2)
    return ThreadpoolController().select(internal_api="openblas")


@pytest.mark.parametrize(("chosen", "left"), [(None, 1), ("2", 2)])
def test_products_of_numpy_stay_on_their_thread(
    chosen: str | None, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not blas_of_numpy().info():
        pytest.skip("this numpy does not use OpenBLAS")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    if chosen is not None:
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", chosen)
    with blas_of_numpy().limit(limits=2):
        use_one_blas_thread()
        assert {library["num_threads"] for library in blas_of_numpy().info()} == {left}
