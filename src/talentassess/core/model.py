"""What an item response model is: parameters declared once, a log probability and its two derivatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from talentassess.core.arrays import FloatArray


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of an item, declared once: validation, documentation, priors and random tests follow from it.

    Attributes
    ----------
    name : the field's name, e.g. ``slope``.
    symbol : how it is printed, e.g. ``a``.
    lower, upper : the values an estimate may take; an estimate at either is reported as AT_BOUND.
    typical : the range seen in practice; random tests and simulated items draw from it.
    prior : (mean, standard deviation) of a default normal prior, or None for no prior.
    """

    name: str
    symbol: str
    lower: float
    upper: float
    typical: tuple[float, float]
    prior: tuple[float, float] | None = None


LogProb = Callable[[FloatArray, FloatArray, int], FloatArray]


def even_worth(n_cat: int) -> FloatArray:
    """Return (K,) 0, 1/(K-1), ..., 1: what the categories of a rising item count in a rough sum."""
    return np.arange(n_cat, dtype=np.float64) / (n_cat - 1)


@dataclass(frozen=True, slots=True)
class Variant:
    """A model under equality constraints that has a name of its own (Rasch, 1PL, partial credit, rating scale).

    Attributes
    ----------
    label : the full name.
    fixed : value per parameter name.
    tied : parameter names that share one value across all items.
    design : for other linear ties: ``design(J, K)`` returns (A (J*P, F), offset (J*P,)) with par = A @ free + offset.
    free_variance : True if the latent variance is estimated because the slopes are fixed.
    """

    label: str
    fixed: Mapping[str, float] = field(default_factory=dict)
    tied: tuple[str, ...] = ()
    design: Callable[[int, int], tuple[FloatArray, FloatArray]] | None = None
    free_variance: bool = False


@dataclass(frozen=True, slots=True)
class ItemModel:
    """An item response model: everything that estimation, scoring and information need to know about it.

    Attributes
    ----------
    name, label : short name (``graded``) and full name.
    params : ``params(K, D) -> tuple of P Param`` in the order of the columns of ``par``.
    log_prob : ``log_prob(theta (Q, D), par (J, P), K) -> (Q, J, K)``, natural log of the category probabilities; NaN or
        -inf where the parameters are not admissible.
    d_par : same arguments -> (Q, J, K, P), derivative of ``log_prob`` by each parameter.
    d_theta : same arguments -> (Q, J, K, D), derivative of ``log_prob`` by theta.
    start : ``start(share (J, K), D) -> (J, P)`` starting values from the marginal category shares.
    display : ``display(par (J, P), K, D) -> {name: (J,)}`` the same parameters in the form people read
        (difficulty, threshold, guessing probability).
    categories : smallest and largest number of categories; None means no upper limit.
    ordered : True if higher categories mean more of the trait.
    variants : constrained forms by name.
    citation : the primary source.
    worth : ``worth(K) -> (K,)`` what a category counts, 0..1, in the rough sums that item-rest correlations rest on;
        None if no category means more of the trait than another (unfolding items).
    start_by_trait : ``start_by_trait(counts (B, J, K), theta (B,)) -> (J, P)`` starting values from the answers of
        persons classed by a rough trait estimate, for models whose category shares do not show where to start; None
        if ``start`` will do.
    """

    name: str
    label: str
    params: Callable[[int, int], tuple[Param, ...]]
    log_prob: LogProb
    d_par: LogProb
    d_theta: LogProb
    start: Callable[[FloatArray, int], FloatArray]
    display: Callable[[FloatArray, int, int], dict[str, FloatArray]]
    categories: tuple[int, int | None]
    ordered: bool
    citation: str
    variants: Mapping[str, Variant] = field(default_factory=dict)
    worth: Callable[[int], FloatArray] | None = even_worth
    start_by_trait: Callable[[FloatArray, FloatArray], FloatArray] | None = None


def loading_params(model: ItemModel, n_cat: int, dims: tuple[int, ...], n_dims: int) -> tuple[Param, ...]:
    """Return the parameters of an item on some dimensions of a form, slopes numbered as the form's dimensions are.

    Parameters
    ----------
    model, n_cat : the item's.
    dims : the dimensions it measures, ascending.
    n_dims : number of dimensions of the form.

    Examples
    --------
    >>> from talentassess.models import find_model
    >>> [p.symbol for p in loading_params(find_model("2pl")[0], 2, (0, 2), 3)]
    ['a1', 'a3', 'd']
    """
    declared = model.params(n_cat, n_dims)
    return tuple(p for p in declared if slope_dimension(p.name, n_dims) in (None, *dims))


def slope_dimension(name: str, n_dims: int) -> int | None:
    """Return the dimension a parameter is a slope of, counted from 0; None if it is no slope.

    Equation: ``slopeD``, or ``slopeK.D`` where every category has one; plain ``slope`` if there is one dimension.
    """
    if not name.startswith("slope"):
        return None
    return 0 if n_dims == 1 else int(name.removeprefix("slope").rsplit(".", 1)[-1]) - 1
