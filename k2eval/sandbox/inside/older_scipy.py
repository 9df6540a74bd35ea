"""Names and arguments of scipy 1.10 that later versions have removed, put back for code that is right with them."""

from __future__ import annotations

import functools
import importlib
import sys
import types
import warnings
from collections.abc import Callable
from typing import Any

from k2eval.sandbox.inside import older_integrals, older_signal

SOLVERS = {
    "cg": "x0 tol maxiter M callback atol",
    "cgs": "x0 tol maxiter M callback atol",
    "bicg": "x0 tol maxiter M callback atol",
    "bicgstab": "x0 tol maxiter M callback atol",
    "gmres": "x0 tol restart maxiter M callback restrt atol callback_type",
    "lgmres": "x0 tol maxiter M callback inner_m outer_k outer_v store_outer_Av prepend_outer_v atol",
    "gcrotmk": "x0 tol maxiter M callback m k CU discard_C truncate atol",
    "tfqmr": "x0 tol maxiter M callback atol show",
    "qmr": "x0 tol maxiter M1 M2 callback atol",
    "minres": "x0 shift tol maxiter M callback show check",
}
"""The arguments after matrix and right-hand side, in the order that they had."""
OLD_METHODS = ("simplex", "revised simplex", "interior-point")


def restore(add: Callable[..., None]) -> None:
    """Put everything back.

    Args:
        add: Function that sets the names that a module lacks.
    """
    numpy: Any = sys.modules["numpy"]
    scipy: Any = sys.modules["scipy"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        modules = {name: importlib.import_module(f"scipy.{name}") for name in ("misc", "spatial.distance")}
        add(scipy, **names_of_numpy(numpy, scipy))
        add(modules["misc"], **older_integrals.misc(numpy, scipy.special))
        add(modules["spatial.distance"], **distances(numpy, scipy.spatial.distance))
        add(scipy.integrate, quadrature=older_integrals.quadrature, romberg=older_integrals.romberg)
        add(scipy.signal, **older_signal.names(numpy, scipy.signal))
        add(scipy.special, **special(numpy, scipy.special))
        add(scipy.stats, **statistics(numpy, scipy.stats))
        add(scipy.linalg, tril=numpy.tril, triu=numpy.triu, tri=numpy.tri, kron=numpy.kron)
    restore_arguments(scipy)
    scipy.interpolate.interp2d = older_integrals.interp2d


def names_of_numpy(numpy: Any, scipy: Any) -> dict[str, Any]:
    """Return numpy's functions, which scipy once had as its own (``scipy.linspace``)."""
    names = {name: getattr(numpy, name) for name in numpy.__all__ if name not in scipy.__all__}
    names = {name: value for name, value in names.items() if not isinstance(value, types.ModuleType)}
    random = numpy.random
    return {**names, "random": random, "rand": random.rand, "randn": random.randn, "ifft": numpy.fft.ifft}


def special(numpy: Any, special: Any) -> dict[str, Any]:
    """Return what `scipy.special` has lost: Legendre functions as tables, the beta distribution."""

    def clpmn(m: int, n: int, z: Any, type: int = 3) -> tuple[Any, Any]:
        orders = [order if m >= 0 else -order for order in range(abs(m) + 1)]
        tables = special.assoc_legendre_p_all(n, abs(m), z, branch_cut=type, diff_n=1)
        values, slopes = (numpy.asarray(table)[:, orders].T for table in tables)
        return values, slopes

    def lpn(n: int, z: Any) -> tuple[Any, Any]:
        values, slopes = special.legendre_p_all(n, z, diff_n=1)
        return values, slopes

    return {
        "clpmn": clpmn,
        "lpmn": lambda m, n, z: clpmn(m, n, z, 2),
        "lpn": lpn,
        "btdtr": special.betainc,
        "btdtri": special.betaincinv,
    }


def statistics(numpy: Any, stats: Any) -> dict[str, Any]:
    """Return what `scipy.stats` has lost."""

    def binom_test(x: Any, n: int | None = None, p: float = 0.5, alternative: str = "two-sided") -> float:
        counts = numpy.atleast_1d(x)
        k, n = (int(counts[0]), int(sum(counts))) if len(counts) == 2 else (int(counts[0]), n)
        return float(stats.binomtest(k, n, p, alternative).pvalue)

    def median_absolute_deviation(
        x: Any, axis: Any = 0, center: Any = numpy.median, scale: Any = 1.4826
    ) -> Any:
        scale = "normal" if scale == "normal" else 1 / scale
        return stats.median_abs_deviation(x, axis=axis, center=center, scale=scale)

    def rvs_ratio_uniforms(
        pdf: Any, umax: float, vmin: float, vmax: float, size: Any = 1, c: float = 0, random_state: Any = None
    ) -> Any:
        sampler = stats.sampling.RatioUniforms(
            pdf, umax=umax, vmin=vmin, vmax=vmax, c=c, random_state=random_state
        )
        return sampler.rvs(size)

    return {
        "binom_test": binom_test,
        "median_absolute_deviation": median_absolute_deviation,
        "itemfreq": lambda a: numpy.array(numpy.unique(a, return_counts=True)).T,
        "gilbrat": stats.gibrat,
        "trapz": stats.trapezoid,
        "rvs_ratio_uniforms": rvs_ratio_uniforms,
    }


def distances(numpy: Any, distance: Any) -> dict[str, Any]:
    """Return what `scipy.spatial.distance` has lost."""

    def counts(u: Any, v: Any) -> tuple[Any, Any, int]:
        u, v = numpy.asarray(u, bool), numpy.asarray(v, bool)
        return (u & v).sum(), (u ^ v).sum(), len(u)

    def kulsinski(u: Any, v: Any) -> Any:
        both, different, size = counts(u, v)
        return (different - both + size) / (different + size)

    def sokalmichener(u: Any, v: Any) -> Any:
        _, different, size = counts(u, v)
        return 2 * different / (size + different)

    def wminkowski(u: Any, v: Any, p: float, w: Any) -> Any:
        return distance.minkowski(numpy.asarray(w) * u, numpy.asarray(w) * v, p)

    return {
        "kulsinski": kulsinski,
        "sokalmichener": sokalmichener,
        "wminkowski": wminkowski,
        "matching": distance.hamming,
    }


def restore_arguments(scipy: Any) -> None:
    """Wrap the functions whose arguments have changed their names, so that they take the old ones too."""
    for name, order in SOLVERS.items():
        setattr(scipy.sparse.linalg, name, solver(getattr(scipy.sparse.linalg, name), order.split()))
    for name in ("eigh", "eigvalsh"):
        setattr(
            scipy.linalg,
            name,
            renaming(getattr(scipy.linalg, name), {"eigvals": "subset_by_index", "turbo": ""}),
        )
    scipy.linalg.pinv = renaming(scipy.linalg.pinv, {"cond": "rtol", "rcond": "rtol"})
    scipy.linalg.solve = positive(scipy.linalg.solve)
    scipy.optimize.linprog = with_highs(scipy.optimize.linprog)


def renaming(function: Callable[..., Any], names: dict[str, str]) -> Callable[..., Any]:
    """Return ``function`` with arguments renamed; those whose new name is empty are dropped."""

    @functools.wraps(function)
    def renamed(*args: Any, **options: Any) -> Any:
        for old, new in names.items():
            value = options.pop(old, None)
            if value is not None and new:
                options[new] = value
        return function(*args, **options)

    return renamed


def solver(function: Callable[..., Any], order: list[str]) -> Callable[..., Any]:
    """Return an iterative solver that takes ``tol``, and arguments by their old places."""

    @functools.wraps(function)
    def solve(A: Any, b: Any, *args: Any, **options: Any) -> Any:
        options.update(zip(order, args, strict=False))
        for old, new in (("tol", "rtol"), ("restrt", "restart")):
            value = options.pop(old, None)
            if value is not None:
                options[new] = value
        if options.get("atol", 0.0) in (None, "legacy"):
            del options["atol"]
        return function(A, b, **options)

    return solve


def positive(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``solve`` with ``sym_pos``, which says that the matrix is positive definite."""

    @functools.wraps(function)
    def solve(*args: Any, **options: Any) -> Any:
        if options.pop("sym_pos", False):
            options["assume_a"] = "pos"
        options.pop("debug", None)
        return function(*args, **options)

    return solve


def with_highs(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``linprog`` in which HiGHS stands for the methods that are gone."""

    @functools.wraps(function)
    def linprog(*args: Any, **options: Any) -> Any:
        if options.get("method") in OLD_METHODS:
            options = {
                key: value
                for key, value in options.items()
                if key not in ("method", "options", "callback", "x0")
            }
        return function(*args, **options)

    return linprog
