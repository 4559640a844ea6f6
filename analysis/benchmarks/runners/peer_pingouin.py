"""The PyPI package pingouin: coefficient alpha of the scale and of the scale without each item."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pingouin
from protocol import Found, Job, serve, versions


def prepare(job: Job, x: np.ndarray) -> Callable[[], Found]:
    """Return the call to be timed; what an item analysis needs of it is 1 + J calls (it has no item-rest table)."""
    frame = pd.DataFrame(x.astype(np.float64))

    def analyse() -> list[float]:
        alphas = [pingouin.cronbach_alpha(data=frame)[0]]
        return alphas + [pingouin.cronbach_alpha(data=frame.drop(columns=item))[0] for item in frame]

    return analyse


def describe(job: Job, found: Found) -> dict[str, object]:
    """Return alpha."""
    return {"alpha": float(found[0])}


if __name__ == "__main__":
    serve(prepare, describe, versions("pingouin", "pandas", "numpy"))
