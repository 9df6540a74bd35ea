from __future__ import annotations

import pytest

from k2eval.sandbox import Limits, RunOutcome, Sandbox


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


OLDER = """
from scipy.misc import derivative, central_diff_weights; abs(derivative(lambda x: x**3+x**2, 1.0, dx=1e-6)-5)<1e-6
from scipy.misc import derivative; abs(derivative(np.sin, 0.5, dx=0.1, n=2, order=7)+np.sin(.5))<1e-5
from scipy.integrate import quadrature; abs(quadrature(lambda x: x**8, 0, 4)[0]-4**9/9)<1e-6
from scipy.integrate import romberg; abs(romberg(lambda x: np.exp(-x**2), 0, 1)-0.746824132812427)<1e-9
from scipy.integrate import cumtrapz, simps, trapz; abs(simps(np.arange(5.)**2)-64/3)<1e-9
import scipy.interpolate as I; abs(I.interp2d([0,1,2],[0,1],[[0,1,2],[1,2,3]])(0.5,0.5)[0]-1)<1e-9
from scipy.interpolate import interp2d; interp2d(np.arange(5),np.arange(6),np.add.outer(np.arange(6),np.arange(5)),kind='cubic')([0.5,1.5],[1.5,2.5,3]).shape==(3,2)
from scipy.sparse.linalg import cg; import scipy.sparse as sp; np.allclose(cg(sp.eye(3)*2,np.ones(3),tol=1e-9)[0],.5)
from scipy.sparse.linalg import gmres; np.allclose(gmres(np.eye(3)*2,np.ones(3),None,1e-9,restart=2,atol=None)[0],.5)
from scipy.sparse.linalg import bicgstab; np.allclose(bicgstab(np.eye(3)*2,np.ones(3),tol=1e-10,atol='legacy')[0],.5)
from scipy.sparse.linalg import minres; np.allclose(minres(np.eye(3)*2,np.ones(3),tol=1e-10)[0],.5)
from scipy.linalg import eigh; np.allclose(eigh(np.diag([1.,2,3]),eigvals=(0,1),eigvals_only=True),[1,2])
from scipy.linalg import pinv; np.allclose(pinv(np.eye(2),rcond=1e-10),np.eye(2))
from scipy.linalg import solve; np.allclose(solve(np.eye(2)*2,[1,1],sym_pos=True),.5)
from scipy.linalg import tril, triu, kron, pinv2; np.allclose(triu(np.ones((2,2))),[[1,1],[0,1]])
import scipy.optimize as o; abs(o.linprog([-1,-2],A_ub=[[1,1]],b_ub=[4],method='simplex').fun+8)<1e-9
import scipy.optimize as o; abs(o.linprog([-1,-2],A_ub=[[1,1]],b_ub=[4],method='interior-point',options={'tol':1e-9}).fun+8)<1e-6
import scipy.signal as s; abs(s.gaussian(5,1)[2]-1)<1e-12 and s.hann(4).shape==(4,) and s.tukey(5)[0]==0 and s.boxcar(3).sum()==3
import scipy.signal as s; s.cwt(np.ones(50),s.ricker,[1,2,3]).shape==(3,50)
import scipy.signal as s; s.cwt(np.ones(50),s.morlet2,[1,2,3]).dtype==complex
import scipy.special as s; p,d=s.lpmn(2,3,.5); abs(p[1,2]-s.lpmv(1,2,.5))<1e-12 and p.shape==(3,4) and abs(d[0,2]-1.5)<1e-12
import scipy.special as s; p,d=s.lpn(3,.5); np.allclose(p,[1,.5,-.125,-.4375]) and abs(d[2]-1.5)<1e-12
import scipy.special as s; p,d=s.clpmn(1,2,2.0+0j); p.shape==(2,3)
import scipy.special as s; abs(s.btdtri(2,3,s.btdtr(2,3,.4))-.4)<1e-9 and abs(s.sph_harm(1,2,.1,.2)-s.sph_harm_y(2,1,.2,.1))<1e-12
import scipy.stats as s; abs(s.binom_test(3,10,.5)-0.34375)<1e-9 and abs(s.binom_test([3,7])-0.34375)<1e-9
import scipy.stats as s; abs(s.median_absolute_deviation([1,2,3,4,5])-1.4826)<1e-3 and s.itemfreq([1,1,2]).tolist()==[[1,2],[2,1]]
import scipy.spatial.distance as d; abs(d.kulsinski([1,0,0],[1,1,0])-0.75)<1e-9 and d.matching([1,0],[1,1])==.5
import scipy; scipy.linspace(0,1,3)[1]==.5 and scipy.pi>3 and scipy.array([1]).sum()==1 and scipy.random.rand() < 1 and callable(scipy.fft.fft)
np.mat([[1,2],[3,4]]).I.shape==(2,2) and (np.mat('1 2;3 4')*np.mat('1;1')).tolist()==[[3],[7]]
np.arange(5).ptp()==4 and np.array([[1,5],[2,9]]).ptp(axis=0).tolist()==[1,4] and np.ptp([1,5])==4
a=np.zeros((2,2)); a.itemset((0,1),5); a.itemset(3,7); a[0,1]==5 and a[1,1]==7
np.product([2,3])==6 and np.cumproduct([2,3]).tolist()==[2,6] and np.alltrue([1]) and np.sometrue([0,1]) and np.in1d([1,2],[2]).sum()==1
np.row_stack([[1],[2]]).shape==(2,1) and np.trapz([1,1])==1 and np.asscalar(np.array([5]))==5 and np.math.pi>3 and np.float_(1)==1
np.cast[float]([1]).dtype==float and np.obj2sctype(float) is np.float64 and np.issubsctype(np.int32,np.integer) and np.sctypes['float'][2] is np.float64
issubclass(np.VisibleDeprecationWarning,Warning) and issubclass(np.ComplexWarning,Warning) and np.rank([[1]])==2 and np.AxisError
np.complex_(1j)==1j and np.int(3.5)==3 and np.bool(1) and np.object is object and np.Inf>1 and np.NaN!=np.NaN and np.infty>1
np.issubdtype(np.array([1]).dtype, np.integer) and np.asfarray([1]).dtype==float and np.msort([[2],[1]]).tolist()==[[1],[2]]
np.find_common_type([np.float32],[np.float64])==np.float64 and np.newaxis is None and np.string_('a')==b'a' and np.unicode_('a')=='a'
import numpy.matlib; np.matlib.repmat([1],2,2).shape==(2,2)
from scipy.integrate import simpson; abs(simpson([1,1,1],[0,1,2],even='avg')-2)<1e-9
import scipy.signal as s; s.lsim2(([1.],[1.,1.]),[1,1,1],[0,1,2])[1].shape==(3,)
import scipy.ndimage.filters as f; f.gaussian_filter(np.ones(3),1).shape==(3,)
"""


@pytest.mark.parametrize("line", OLDER.strip().splitlines())
def test_code_for_numpy_1_and_scipy_1_10_runs(scientific: Sandbox, line: str) -> None:
    *statements, condition = line.split("; ")
    source = "\n".join(["import numpy as np, scipy", *statements, f"print(bool({condition}))"])
    result = scientific.run(source)
    assert result.stdout == b"True\n", result


@pytest.mark.parametrize(
    "program",
    [
        "from zoneinfo import ZoneInfo\nfrom datetime import datetime\nassert datetime(2024, 7, 1, tzinfo=ZoneInfo('Asia/Tokyo'))",
        "import regex\nassert regex.findall('a+', 'aa')",
        "from sortedcontainers import SortedList\nassert SortedList([2, 1])[0] == 1",
    ],
)
def test_small_modules_are_in_every_profile(plain: Sandbox, numpy_box: Sandbox, program: str) -> None:
    for box in (plain, numpy_box):
        result = box.run(program)
        assert result.outcome is RunOutcome.OK, result


NUMBA = """
import numpy as np
from numba import njit
@njit(cache=True)
def f(values):
    table, items = {}, []
    for value in values:
        table[value] = 1
        items.append((value, value))
    items.sort()
    return len(table) + len(items) + np.sort(values)[0]
assert f(np.arange(3)) == 6
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "program",
    [
        "import networkx as nx\nassert nx.to_numpy_array(nx.path_graph(3)).sum() == 4",
        "import pandas as pd\nassert pd.DataFrame({'a': [1, 2]}).a.sum() == 3\npd.Timestamp('2024-01-01', tz='Asia/Tokyo')",
        NUMBA,
        "from numba import njit, prange\n@njit(parallel=True)\ndef f(n):\n    s = 0\n    for i in prange(n):\n        s += i\n    return s\nassert f(4) == 6",
        "import scipy.stats, sympy, h5py, matplotlib.pyplot",
    ],
)
def test_the_full_profile_has_what_contests_use(full: Sandbox, program: str) -> None:
    result = full.run(program, limits=Limits(cpu_s=6, memory_mb=4096))
    assert result.outcome is RunOutcome.OK, result


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
