"""Small changes to modules, so that correct code runs: see ``docs/sandbox.md``.

Names that numpy and scipy have removed are put back; memory that `mmap` gives is private to the process.
"""

from __future__ import annotations

import mmap
import sys
from typing import Any

from k2eval.sandbox.inside import older_numpy, older_scipy


def make_anonymous_mappings_private() -> None:
    """Make ``mmap.mmap(-1, length)`` private, which the filter allows; with no second process it is the same."""
    mmap.mmap = PrivateMapping  # type: ignore[misc, assignment]  # a subclass in place of the class


class PrivateMapping(mmap.mmap):
    """A mapping that is private if it has no file."""

    def __new__(
        cls,
        fileno: int,
        length: int,
        flags: int = mmap.MAP_SHARED,
        prot: int = mmap.PROT_READ | mmap.PROT_WRITE,
        access: int = mmap.ACCESS_DEFAULT,
        **rest: Any,
    ) -> PrivateMapping:
        """Take what `mmap.mmap` takes."""
        if fileno == -1 and access != mmap.ACCESS_COPY:
            if access == mmap.ACCESS_READ:
                prot = mmap.PROT_READ
            access, flags = mmap.ACCESS_DEFAULT, flags & ~mmap.MAP_SHARED | mmap.MAP_PRIVATE
        return super().__new__(cls, fileno, length, flags=flags, prot=prot, access=access, **rest)


PrivateMapping.__name__ = PrivateMapping.__qualname__ = "mmap"
PrivateMapping.__module__ = "mmap"


def install() -> None:
    """Put the missing names back into numpy and, if it is loaded, scipy; names that exist stay as they are."""
    numpy: Any = sys.modules["numpy"]
    restore_numpy(numpy)
    add(numpy, **older_numpy.names(numpy))
    older_numpy.restore_methods(numpy)
    if "scipy.integrate" in sys.modules:
        restore_integrate(sys.modules["scipy.integrate"])
        restore_others()
        older_scipy.restore(add)


def add(module: Any, **names: Any) -> None:
    """Set the names that ``module`` lacks."""
    for name, value in names.items():
        if name not in module.__dict__:
            setattr(module, name, value)


def restore_numpy(numpy: Any) -> None:
    """Restore aliases that numpy 1.24, 2.0 and later versions removed."""
    add(
        numpy,
        float_=numpy.float64,
        complex_=numpy.complex128,
        cfloat=numpy.complex128,
        singlecomplex=numpy.complex64,
        longfloat=numpy.longdouble,
        string_=numpy.bytes_,
        unicode_=numpy.str_,
        Inf=numpy.inf,
        Infinity=numpy.inf,
        infty=numpy.inf,
        PINF=numpy.inf,
        NINF=-numpy.inf,
        NaN=numpy.nan,
        NAN=numpy.nan,
        PZERO=0.0,
        NZERO=-0.0,
        int=int,
        float=float,
        complex=complex,
        object=object,
        str=str,
        trapz=getattr(numpy, "trapezoid", None),
        in1d=lambda first, second, *rest, **options: numpy.isin(first, second, *rest, **options).ravel(),
        product=numpy.prod,
        cumproduct=numpy.cumprod,
        sometrue=numpy.any,
        alltrue=numpy.all,
        row_stack=numpy.vstack,
        round_=numpy.round,
        asfarray=lambda values, dtype=numpy.float64: numpy.asarray(values, dtype=dtype),
        issubclass_=issubclass,
        msort=lambda values: numpy.sort(values, axis=0),
        find_common_type=lambda arrays, scalars: numpy.result_type(*arrays, *scalars),
    )


def restore_integrate(integrate: Any) -> None:
    """Restore ``simps``, ``trapz`` and ``cumtrapz`` with the positional arguments that they had."""

    def simps(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1, even: str | None = None) -> Any:
        """Apply Simpson's rule under its old name; ``even`` no longer has a meaning and is ignored."""
        return integrate.simpson(y, x=x, dx=dx, axis=axis)

    def trapz(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
        """Apply the trapezoidal rule under its old name."""
        return integrate.trapezoid(y, x=x, dx=dx, axis=axis)

    def cumtrapz(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1, initial: Any = None) -> Any:
        """Apply the cumulative trapezoidal rule under its old name."""
        return integrate.cumulative_trapezoid(y, x=x, dx=dx, axis=axis, initial=initial)

    original = integrate.simpson

    def simpson(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1, even: str | None = None) -> Any:
        """Apply scipy's ``simpson``, even with the positional arguments that it once took."""
        return original(y, x=x, dx=dx, axis=axis)

    add(integrate, simps=simps, trapz=trapz, cumtrapz=cumtrapz)
    integrate.simpson = simpson


def restore_others() -> None:
    """Restore names that moved or were renamed elsewhere in scipy."""
    import scipy.linalg
    import scipy.special

    add(scipy.linalg, pinv2=scipy.linalg.pinv)
    special = scipy.special
    if hasattr(special, "sph_harm_y"):
        add(special, sph_harm=lambda m, n, theta, phi: special.sph_harm_y(n, m, phi, theta))
