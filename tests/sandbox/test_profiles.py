from __future__ import annotations

import pytest

from k2eval.sandbox import RunOutcome, Sandbox


def test_plain_has_no_packages(plain: Sandbox) -> None:
    assert plain.run("import numpy").message.startswith("ModuleNotFoundError")


def test_numpy_is_there_without_scipy(numpy_box: Sandbox) -> None:
    assert numpy_box.run("import numpy as np; print(np.arange(3).sum())").stdout == b"3\n"
    assert numpy_box.run("import scipy").outcome is RunOutcome.RUNTIME_ERROR


@pytest.mark.parametrize("name", ["scipy.stats", "sympy", "h5py", "mpmath", "scipy.io", "numpy.polynomial"])
def test_scientific_packages(scientific: Sandbox, name: str) -> None:
    result = scientific.run(f"import {name}; print(1)")
    assert result.stdout == b"1\n", result


@pytest.mark.parametrize(
    "expression",
    [
        "abs(integrate.simps(x ** 2, x) - 1 / 3) < 1e-6",
        "abs(integrate.simps(x ** 2, dx=0.01) - 1 / 3) < 1e-6",
        "abs(integrate.simpson(x ** 2, x) - 1 / 3) < 1e-6",
        "abs(integrate.trapz(x, x) - 0.5) < 1e-9",
        "abs(integrate.cumtrapz(x, x)[-1] - 0.5) < 1e-9",
        "abs(np.trapz(x, x) - 0.5) < 1e-9",
        "np.float_ is np.float64 and np.complex_ is np.complex128",
        "np.int is int and np.float is float and np.Inf == np.inf",
        "np.product([2, 3]) == 6 and np.alltrue([True]) and np.in1d([1, 2], [2]).tolist() == [False, True]",
        "scipy.signal.gaussian(5, 1)[2] == 1.0",
        "abs(scipy.special.sph_harm(0, 0, 0.1, 0.2) - 0.28209479) < 1e-6",
    ],
)
def test_names_that_older_code_uses(scientific: Sandbox, expression: str) -> None:
    source = (
        "import numpy as np, scipy, scipy.signal, scipy.special\nfrom scipy import integrate\n"
        f"from scipy.integrate import simps\nx = np.linspace(0, 1, 101)\nprint(bool({expression}))"
    )
    result = scientific.run(source)
    assert result.stdout == b"True\n", result


def test_plotting_imports_do_not_fail(scientific: Sandbox) -> None:
    pytest.importorskip("matplotlib")
    source = (
        "import matplotlib.pyplot as plt\nfrom mpl_toolkits.mplot3d import Axes3D\nplt.plot([1]); print(1)"
    )
    assert scientific.run(source).stdout == b"1\n"


def test_linear_algebra_uses_one_thread(scientific: Sandbox) -> None:
    source = "import numpy as np, threading\na = np.ones((300, 300)); a @ a\nprint((a @ a)[0, 0])"
    result = scientific.run(source)
    assert (result.outcome, result.stdout) == (RunOutcome.OK, b"300.0\n")
