"""Ratings that tests of agreement share: published examples, and SIMULATED panels."""

from __future__ import annotations

import numpy as np

from talentassess.agreement import Ratings, from_matrix
from talentassess.core.provenance import Provenance

SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]

NAN = np.nan
# Krippendorff (2011): four observers (rows), twelve units
KRIPPENDORFF = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
    [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
]

# Brennan (2001), synthetic data set no. 4: ten persons, three tasks, four raters within each
BRENNAN = """
5 6 5 5 5 3 4 5 6 7 3 3
9 3 7 7 7 5 5 5 7 7 5 2
3 4 3 3 5 3 3 5 6 5 1 6
7 5 5 3 3 1 4 3 5 3 3 5
9 2 9 7 7 7 3 7 2 7 5 3
3 4 3 5 3 3 6 3 4 5 1 2
7 3 7 7 7 5 5 7 5 5 5 4
5 8 5 7 7 5 5 4 3 2 1 1
9 9 8 8 6 6 6 5 5 8 1 1
4 4 4 3 3 5 6 5 5 7 1 1
"""


def brennan() -> Ratings:
    x = np.array([row.split() for row in BRENNAN.strip().splitlines()], dtype=float)
    person, column = (index.ravel() for index in np.indices(x.shape))
    return Ratings(
        person=person,
        rater=column,
        task=column // 4,
        score=x.ravel(),
        low=0,
        high=9,
        person_ids=tuple(f"p{i + 1}" for i in range(10)),
        rater_ids=tuple(f"r{i + 1}" for i in range(12)),
        task_ids=("t1", "t2", "t3"),
    )


def simulated_panel(
    n: int,
    severity,
    difficulty=(0.0,),
    steps=(-1.2, 0.0, 1.2),
    sd: float = 1.5,
    per_person: int | None = None,
    seed: int = 1,
) -> tuple[Ratings, np.ndarray]:
    """Return SIMULATED ratings under the many-facet Rasch model, and the persons' true measures.

    Each person meets ``per_person`` raters, drawn at random, or all of them.
    """
    rng = np.random.default_rng(seed)
    severity, difficulty, steps = np.asarray(severity), np.asarray(difficulty), np.asarray(steps)
    theta, rows = rng.normal(0.0, sd, n), []
    for i in range(n):
        for r in rng.choice(len(severity), per_person or len(severity), replace=False):
            for q, b in enumerate(difficulty):
                u = np.concatenate([[0.0], np.cumsum(theta[i] - b - severity[r] - steps)])
                p = np.exp(u - u.max())
                rows.append((i, r, q, rng.choice(len(p), p=p / p.sum())))
    person, rater, item, score = np.array(rows).T
    ratings = Ratings(
        person=person,
        rater=rater,
        item=item,
        score=score + 1,
        low=1,
        high=len(steps) + 1,
        person_ids=tuple(f"p{i}" for i in range(n)),
        rater_ids=tuple(f"R{r}" for r in range(len(severity))),
        item_ids=tuple(f"q{q}" for q in range(len(difficulty))),
        provenance=Provenance("a simulated panel", simulated=True),
    )
    return ratings, theta


def shrout_fleiss() -> Ratings:
    return from_matrix(SHROUT_FLEISS, low=1, high=10)


def krippendorff_example() -> Ratings:
    return from_matrix(np.array(KRIPPENDORFF).T, low=1, high=5)
