"""Integrals, derivatives and interpolation as scipy 1.10 had them."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any


def misc(numpy: Any, special: Any) -> dict[str, Any]:
    """Return what was in `scipy.misc`, but for its pictures."""

    def central_diff_weights(Np: int, ndiv: int = 1) -> Any:
        """Return the weights of ``Np`` points for the derivative of order ``ndiv``."""
        if Np < ndiv + 1 or Np % 2 == 0:
            raise ValueError("The number of points must be odd and larger than the order of the derivative.")
        points = numpy.arange(-(Np // 2), Np // 2 + 1.0)
        powers = points[:, None] ** numpy.arange(Np)
        return numpy.prod(numpy.arange(1, ndiv + 1), axis=0) * numpy.linalg.inv(powers)[ndiv]

    def derivative(
        func: Callable[..., Any],
        x0: float,
        dx: float = 1.0,
        n: int = 1,
        args: Sequence[Any] = (),
        order: int = 3,
    ) -> Any:
        """Return the ``n``-th derivative by central differences over ``order`` points."""
        weights = central_diff_weights(order, n)
        value = 0.0
        for place, weight in enumerate(weights):
            value += weight * func(x0 + (place - order // 2) * dx, *args)
        return value / dx**n

    return {
        "central_diff_weights": central_diff_weights,
        "derivative": derivative,
        "comb": special.comb,
        "factorial": special.factorial,
        "factorial2": special.factorial2,
        "factorialk": special.factorialk,
        "logsumexp": special.logsumexp,
    }


def quadrature(
    func: Callable[..., Any],
    a: float,
    b: float,
    args: Any = (),
    tol: float = 1.49e-8,
    rtol: float = 1.49e-8,
    maxiter: int = 50,
    vec_func: bool = True,
    miniter: int = 1,
) -> tuple[float, float]:
    """Return the integral by Gaussian quadrature of rising order, and the last change."""
    numpy: Any = sys.modules["numpy"]
    integrate: Any = sys.modules["scipy.integrate"]
    args = args if isinstance(args, tuple) else (args,)

    def of_array(points: Any) -> Any:
        if vec_func:
            return func(points, *args)
        return numpy.array([func(point, *args) for point in points])

    value, error = numpy.inf, numpy.inf
    for order in range(miniter, max(miniter + 1, maxiter) + 1):
        better = integrate.fixed_quad(of_array, a, b, (), order)[0]
        error, value = abs(better - value), better
        if error < tol or error < rtol * abs(value):
            return value, error
    warnings.warn(f"maxiter ({maxiter}) exceeded. Latest difference = {error:e}", stacklevel=2)
    return value, error


def romberg(
    function: Callable[..., Any],
    a: float,
    b: float,
    args: Sequence[Any] = (),
    tol: float = 1.48e-8,
    rtol: float = 1.48e-8,
    show: bool = False,
    divmax: int = 10,
    vec_func: bool = False,
) -> float:
    """Return the integral by Romberg's method: trapezoidal rules, extrapolated."""
    width, points = b - a, 1
    total = (function(a, *args) + function(b, *args)) / 2
    value: Any = width * total
    row = [value]
    for _ in range(divmax):
        points *= 2
        step = width / points
        total = total + sum(function(a + step * place, *args) for place in range(1, points, 2))
        new = [step * total]
        for power, before in enumerate(row, 1):
            new.append(new[-1] + (new[-1] - before) / (4**power - 1))
        error = abs(new[-1] - value)
        value, row = new[-1], new
        if error < tol or error < rtol * abs(value):
            return value  # type: ignore[no-any-return]  # a number of the caller's kind
    warnings.warn(f"divmax ({divmax}) exceeded. Latest difference = {error:e}", stacklevel=2)
    return value  # type: ignore[no-any-return]  # a number of the caller's kind


class interp2d:
    """Interpolate on a rectangular grid, or between scattered points, by splines without smoothing."""

    def __init__(
        self,
        x: Any,
        y: Any,
        z: Any,
        kind: str = "linear",
        copy: bool = True,
        bounds_error: bool = False,
        fill_value: Any = None,
    ) -> None:
        numpy: Any = sys.modules["numpy"]
        interpolate: Any = sys.modules["scipy.interpolate"]
        x, y, z = numpy.ravel(x), numpy.ravel(y), numpy.asarray(z)
        degree = {"linear": 1, "cubic": 3, "quintic": 5}[kind]
        if z.size == len(x) * len(y):
            columns, rows = numpy.argsort(x), numpy.argsort(y)
            grid = z.reshape(len(y), len(x))[rows][:, columns]
            spline = interpolate.RectBivariateSpline(x[columns], y[rows], grid.T, kx=degree, ky=degree, s=0)
            self.tck = (*spline.tck, degree, degree)
        else:
            self.tck = interpolate.bisplrep(x, y, numpy.ravel(z), kx=degree, ky=degree, s=0.0)
        self.x, self.y, self.z = x, y, z
        self.x_min, self.x_max, self.y_min, self.y_max = x.min(), x.max(), y.min(), y.max()
        self.bounds_error, self.fill_value = bounds_error, fill_value

    def __call__(self, x: Any, y: Any, dx: int = 0, dy: int = 0, assume_sorted: bool = False) -> Any:
        """Return the values on the grid of ``x`` and ``y``, of shape (len(y), len(x))."""
        numpy: Any = sys.modules["numpy"]
        interpolate: Any = sys.modules["scipy.interpolate"]
        x, y = numpy.sort(numpy.atleast_1d(x)), numpy.sort(numpy.atleast_1d(y))
        outside_x = (x < self.x_min) | (x > self.x_max)
        outside_y = (y < self.y_min) | (y > self.y_max)
        if self.bounds_error and (outside_x.any() or outside_y.any()):
            raise ValueError("Values out of range.")
        inside_x, inside_y = x.clip(self.x_min, self.x_max), y.clip(self.y_min, self.y_max)
        values = numpy.atleast_2d(interpolate.bisplev(inside_x, inside_y, self.tck, dx, dy))
        values = values.reshape(len(x), len(y)).T.copy()
        if self.fill_value is not None:
            values[:, outside_x] = self.fill_value
            values[outside_y, :] = self.fill_value
        return values[0] if len(values) == 1 else values
