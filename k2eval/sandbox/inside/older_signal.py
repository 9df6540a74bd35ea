"""Windows, wavelets and responses of systems as scipy 1.10 had them in `scipy.signal`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def names(numpy: Any, signal: Any) -> dict[str, Any]:
    """Return the names that `scipy.signal` has lost."""
    windows = {name: getattr(signal.windows, name) for name in signal.windows.__all__ if name != "get_window"}
    return {**windows, "hanning": windows["hann"], **wavelets(numpy, signal), **systems(signal)}


def wavelets(numpy: Any, signal: Any) -> dict[str, Any]:
    """Return wavelets and the transform with them."""

    def ricker(points: int, a: float) -> Any:
        """Return the "Mexican hat" of width ``a``."""
        squares = ((numpy.arange(points) - (points - 1.0) / 2) / a) ** 2
        return 2 / (numpy.sqrt(3 * a) * numpy.pi**0.25) * (1 - squares) * numpy.exp(-squares / 2)

    def morlet(M: int, w: float = 5.0, s: float = 1.0, complete: bool = True) -> Any:
        """Return Morlet's wavelet over ``2 s pi`` in each direction."""
        x = numpy.linspace(-s * 2 * numpy.pi, s * 2 * numpy.pi, M)
        wave = numpy.exp(1j * w * x) - (numpy.exp(-0.5 * w**2) if complete else 0)
        return wave * numpy.exp(-0.5 * x**2) * numpy.pi**-0.25

    def morlet2(M: int, s: float, w: float = 5) -> Any:
        """Return Morlet's wavelet of width ``s`` for `cwt`."""
        x = (numpy.arange(M) - (M - 1.0) / 2) / s
        return numpy.sqrt(1 / s) * numpy.exp(1j * w * x) * numpy.exp(-0.5 * x**2) * numpy.pi**-0.25

    def cwt(data: Any, wavelet: Callable[..., Any], widths: Any, dtype: Any = None, **options: Any) -> Any:
        """Return the continuous wavelet transform: one row a width."""
        if dtype is None:
            is_complex = numpy.asarray(wavelet(1, widths[0], **options)).dtype.char in "FDG"
            dtype = numpy.complex128 if is_complex else numpy.float64
        output = numpy.empty((len(widths), len(data)), dtype=dtype)
        for row, width in enumerate(widths):
            points = int(numpy.min([10 * width, len(data)]))
            wave = numpy.conj(wavelet(points, width, **options)[::-1])
            output[row] = signal.convolve(data, wave, mode="same")
        return output

    def qmf(hk: Any) -> Any:
        """Return the high-pass filter that belongs to the low-pass filter ``hk``."""
        signs = (-1.0) ** numpy.arange(len(hk))
        return numpy.asarray(hk)[::-1] * signs

    return {"ricker": ricker, "morlet": morlet, "morlet2": morlet2, "cwt": cwt, "qmf": qmf}


def systems(signal: Any) -> dict[str, Any]:
    """Return the second versions of the responses, which gave the same by another way."""

    def lsim2(system: Any, U: Any = None, T: Any = None, X0: Any = None, **_: Any) -> Any:
        return signal.lsim(system, 0.0 if U is None else U, T, X0)

    def impulse2(system: Any, X0: Any = None, T: Any = None, N: int | None = None, **_: Any) -> Any:
        return signal.impulse(system, X0, T, N)

    def step2(system: Any, X0: Any = None, T: Any = None, N: int | None = None, **_: Any) -> Any:
        return signal.step(system, X0, T, N)

    return {"lsim2": lsim2, "impulse2": impulse2, "step2": step2}
