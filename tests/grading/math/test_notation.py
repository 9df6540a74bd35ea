"""Rare notations: what they mean, and what is near them but means something else."""

import pytest

from k2eval.grading.math.grader import matches

RIGHT = [
    (r"\sqrt[5]{7}", r"\sqrt[5]7"), (r"\sqrt[3]{2}", r"\sqrt[3]2"), (r"\sqrt[n]{x}", r"\sqrt[n]x"),
    (r"\sqrt[3]{2}", "∛2"), (r"\sqrt[4]{2}", "∜2"), (r"\sqrt[3]{2}", "cbrt(2)"), (r"2\sqrt[3]{2}", r"2\sqrt[3]2"),
    (r"\frac{7}{11}", r"0.\dot6\dot3"), (r"\frac{7}{11}", r"0.\dot{6}\dot{3}"), (r"\frac{7}{11}", r"0.\overline{63}"),
    (r"\frac{19}{30}", r"0.6\dot3"), (r"\frac{1}{7}", r"0.\dot14285\dot7"), (r"\frac{1}{7}", r"0.\dot{1}4285\dot{7}"),
    (r"\frac{1}{3}", r"0.333\ldots"), (r"\frac13", "0.333..."), (r"\frac13", "0.3333…"), ("1", r"0.999\ldots"),
    (r"\frac{41}{99}", r"0.4141\ldots"), (r"\frac{7}{11}", "0.(63)"), (r"\frac{7}{6}", r"1.1\overline{6}"),
    (r"\frac{7}{6}", r"1.1666\dots"), (r"\frac23", r"0.\overline 6"), (r"\frac23", "0.6̅"), ("e^9", "exp(9)"),
    ("e^9", r"\exp(9)"), ("e^9", r"\exp 9"), ("e^9", r"\exp{9}"), ("e^9", r"\operatorname{exp}(9)"),
    ("e^{-2}", "exp(-2)"), ("e^{2x}", "exp(2x)"), ("e^{9}-2", "exp(9)-2"), ("e^9", r"\text{exp}(9)"),
    ("e^{x^2}", "exp(x^2)"), (r"-\frac12+\frac{\sqrt3}{2}i", r"\operatorname{cis}\frac{2\pi}{3}"),
    ("i", r"\text{cis}(90^\circ)"), ("2i", r"2\,\text{cis}\,\frac{\pi}{2}"),
    ("1+i", r"\sqrt2 \operatorname{cis}\left(\frac{\pi}{4}\right)"), ("i", "cis(90°)"), ("-1", r"\mathrm{cis}\,\pi"),
    ("i", r"\operatorname{cis} 90^\circ"), (r"-\frac12+\frac{\sqrt3}{2}i", r"\mathrm{cis}(2\pi/3)"), ("105", "7!!"),
    ("48", "6!!"), ("15", "5!!"), ("(2n-1)!!", "(2n-1)!!"), (r"\frac{(2n)!}{2^n n!}", "(2n-1)!!"),
    ("2^n n!", "(2n)!!"), ("945", "9!!"), (r"\frac{5}{16}", r"\frac{5!!}{6!!}"), ("210", r"2\cdot 7!!"),
    ("1A3_{16}", "1a3_{16}"), ("1a3_{16}", "1A3_{16}"), (r"\text{AB}_{16}", r"\text{ab}_{16}"),
    ("110101_2", r"11\,0101_2"), ("110101_2", "(11 0101)_2"), ("1010_2", "(1010)_{2}"), ("1010_2", "0b1010"),
    ("FF_{16}", "0xFF"), ("FF_{16}", "ff_{16}"), (r"5.4\text{ cents}", "5.4¢"), (r"5.4\text{ cents}", "5.4 ¢"),
    (r"5.4\text{ cents}", r"5.4\text{¢}"), ("5.4", "5.4¢"), (r"\phi", r"\varphi"), (r"\phi(n)", r"\varphi(n)"),
    (r"\epsilon", r"\varepsilon"), (r"\phi", "φ"), (r"\theta", r"\vartheta"),
    (r"\frac{1+\sqrt5}{2}", r"\varphi=\frac{1+\sqrt5}{2}"), (r"\omega", "ω"), (r"\mu", "μ"), (r"\Delta", "Δ"),
    (r"\sigma", "σ"), (r"\Omega", "Ω"), (r"\binom{\binom{n}{k}}{m}", r"{{n \choose k} \choose m}"),
    (r"\binom{\binom{n}{k}}{m}", r"\binom{\binom nk}{m}"), (r"\binom{n}{k}", r"\binom nk"), ("56", r"\binom83"),
    ("56", r"\binom 8 3"), (r"\binom{\binom{4}{2}}{3}", "20"), ("20", r"\binom{\binom42}3"), ("56", r"{8\choose3}"),
    (r"\frac{12!}{3!4!5!}", r"\binom{12}{3,4,5}"), ("27720", r"\binom{12}{3,\,4,\,5}"),
    ("27720", r"\dbinom{12}{3,4,5}"), (r"\binom{2n}{n}", r"{2n}\choose{n}"),
    (r"\binom{\binom{n}{k}}{m}", r"\binom{\frac{n!}{k!(n-k)!}}{m}"), ("11", r"x\approx11"), ("11", r"x \approx 11"),
    ("11", r"\approx 11"), (r"\frac73", r"\frac73\approx2.33"), ("125", r"125\textnormal{ miles}"),
    (r"125\text{ miles}", r"125\textnormal{ miles}"), ("9", r"\text{Answer } \( 9 \)"), ("9", r"Answer \( 9 \)"),
    ("9", r"\text{Answer: }9"), ("9", r"\text{Final Answer: } 9"), ("9", r"\text{The answer is } 9"),
    ("9", "Answer: 9"), ("9", "The final answer is 9"), ("9", r"\text{Answer:}\ 9"), ("9", "Ans: 9"),
    ("9", r"\textbf{Answer: 9}"), ("9", "Answer = 9"), ("(1,2)", "Answer: (1,2)"), ("-17", r"\text{-}17"),
    ("-17", r"\mathrm{-}17"), ("-17", r"\textminus 17"), (r"3.2\times10^{-5}", r"3.2\text{E-}5"),
    (r"3.2\times10^{-5}", "3.2E-5"), (r"3.2\times10^{-5}", r"3.2\mathrm{e}{-5}"),
    (r"3.2\times10^{5}", r"3.2\text{E}5"), (r"3.2\times10^{5}", "3.2E+5"), ("12", "12dollars"), ("12", "12apples"),
    ("12", "12units"), (r"2\pi", r"2\pi cm"), (r"2\pi", r"2\pi\text{cm}"), ("12", "12cm"), ("12", "12ft"),
    (r"2\sqrt3", r"2\sqrt3 cm"), (r"2\sqrt3", r"2\sqrt{3} units"),
    (r"\arctan\frac12", r"\operatorname{arctg}\frac12"), (r"\arctan\frac12", r"\text{arctg}\frac12"),
    (r"\tan x", r"\operatorname{tg} x"), (r"\cot x", r"\operatorname{ctg}x"), (r"\tan x", r"\tg x"),
    (r"\operatorname{arccot}2", r"\operatorname{arcctg}2"), (r"\sinh x", r"\operatorname{sh} x"),
    (r"f(x)=\frac1x", r"f: x \mapsto \frac1x"), (r"f(x)=\frac1x", r"x \mapsto \frac1x"),
    (r"f(x)=\frac1x", r"f(x)\equiv\frac1x"), (r"f(x)=\frac1x", "y=1/x"), (r"f(x)=\frac1x", r"y=\frac{1}{x}"),
    ("y=3x-2", "f(x)=3x-2"), ("f(x)=0", r"f\equiv0"), ("f(x)=0", r"f(x)\equiv 0"), ("f(x)=x", "f(x)=x"),
    ("f(x)=x^2", r"f:x\to x^2"), ("f(x)=x^2", "f: x -> x^2"), ("5", r"\{5\}"), (r"\{5\}", "5"),
    ("(1,2)", r"\{(1,2)\}"), ("5", r"x\in\{5\}"), ("5", r"\left\{5\right\}"), ("5", "5)"), (r"\frac{1}{2}", "50%"),
    ("7^{7^{7}}", r"7^{\left(7^{7}\right)}"), (r"22.5^\circ", r"22^\circ 30'"), (r"22.5^\circ", "22°30′"),
    (r"22.5^\circ", r"22^{\circ}30'"), (r"22^\circ30'", r"22.5^\circ"), (r"10.51^\circ", r"10^\circ 30' 36''"),
    (r"10.51^\circ", "10°30′36″"), (r"22.5^\circ", r"22^\circ 30^\prime"), (r"22.5^\circ", r"22^\circ 30^{\prime}"),
    (r"x-\lfloor x\rfloor", r"\{x\}"), ("x^2+1", r"x^{2}\!+\!1"), ("5", r"\phantom{0}5"), ("5", r"\;5\;"),
    ("5", r"5\qquad"), ("5", r"5\,"), ("5", r"5 \\ "), ("5", r"\boldsymbol{5}"), ("5", r"\mathbf{5}"),
    ("5", r"\bf 5"), ("5", r"{\bf 5}"), ("5", r"\text{\textbf{5}}"), ("5", r"\textbf{\textit{5}}"),
    ("5", r"\emph{5}"), ("5", r"\textsf{5}"), ("5", r"\pmb{5}"), ("5", r"\mathbf{\boldsymbol{5}}"),
    ("5", r"\fbox{5}"), ("5", r"\colorbox{yellow}{5}"), ("5", r"\color{red}5"), ("5", r"{\color{red}5}"),
    ("5", r"{\color{red}{5}}"), ("5", r"\displaystyle{5}"), ("5", r"\textstyle 5"), ("5", "**5**"),
    ("5", r"\underline{\underline{5}}"), ("5", r"\rm{5}"), ("5", r"5\;\blacksquare"), ("5", r"5\ \square"),
    ("5", "5 ✓"), (r"\frac12", r"1\over2"), (r"\frac{a+b}{2}", r"{a+b \over 2}"), (r"\frac12", r"\nicefrac{1}{2}"),
    (r"\frac12", r"\sfrac12"), (r"\frac12", r"{}^1\!/_2"), (r"\frac12", "1⁄2"), ("x^{10}", "x^{10}"),
    ("2^{10}", r"2^{\text{10}}"), (r"\log_2 3", r"\log_{2}{3}"), (r"\log_2 3", r"\text{log}_2 3"),
    (r"\log_2 3", "log_2(3)"), (r"\log_{10}5", r"\lg 5"), (r"\ln 2", r"\text{ln}(2)"), (r"\ln 2", "ln 2"),
    (r"\sin x", r"\text{sin}(x)"), (r"\sin^2 x", r"(\sin x)^2"), (r"\lfloor x \rfloor", "floor(x)"),
    (r"\gcd(m,n)", r"\operatorname{gcd}(m,n)"), (r"\gcd(m,n)", "gcd(m,n)"), (r"\gcd(m,n)", r"\text{gcd}(m, n)"),
    (r"\mathbb{Z}", r"\mathbf{Z}"), (r"\mathbb{R}", r"\mathbf{R}"), (r"\mathbb{R}", r"\Bbb R"),
    (r"\mathbb{R}", r"\R"), (r"\mathbb{Z}", r"\Z"), (r"\infty", r"+\infty"), (r"\infty", r"\text{Infinity}"),
    (r"\infty", "∞"), (r"1.5\times10^8", "1.5 × 10^8"), ("150000000", "1.5x10^8"), ("1500", "1.5*10^3"),
    ("6.02e23", r"6.02\cdot10^{23}"), (r"a\cdot b", r"a \times b"),
    (r"\frac{\partial f}{\partial x}", r"\frac{\partial f}{\partial x}"), ("10^{-3}", "10⁻³"), ("x₁+x₂", "x_1+x_2"),
    ("x^2", "x²"), (r"\sqrt{2}", r"\surd 2"), ("|x|", r"\lvert x\rvert"), (r"\|v\|", r"\lVert v\rVert"),
    (r"3\times 4", r"3 \ast 4"), (r"A\cup B", "A∪B"), (r"30^\circ", "30 degrees"), (r"30^\circ", "30º"),
    ("12:00", "12:0"),
]  # fmt: skip
WRONG = [
    (r"\sqrt[5]{7}", r"\sqrt[5]8"), (r"\sqrt[5]{7}", r"\sqrt 5 7"), (r"\sqrt[5]{7}", r"\sqrt[7]5"),
    (r"\frac{7}{11}", r"0.\dot6 3"), (r"\frac{7}{11}", "0.63"), (r"\frac{7}{11}", r"0.\dot3\dot6"),
    (r"\frac{1}{3}", "0.33..."), ("1", "0.999"), (r"\frac13", "0.34..."), ("e^9", "exp(8)"), ("e^9", "9e"),
    ("e^9", "exp+9"), ("i", r"\operatorname{cis}\pi"), ("1+i", r"\operatorname{cis}\frac{\pi}{4}"), ("5040", "7!!"),
    ("105", "7!"), ("7!!", "(7!)!"), ("(7!)!", "7!!"), ("105", "(7!)!"), ("48", "6!"), ("1A3_{16}", "1a4_{16}"),
    ("1A3_{16}", "1a3_{12}"), (r"5.4\text{ cents}", "5.5¢"), (r"\$5.40", "5.4¢"), (r"\phi(n)", r"\varphi(m)"),
    (r"\binom{\binom{n}{k}}{m}", r"\binom{n}{\binom{k}{m}}"), (r"\binom{\binom{n}{k}}{m}", r"{n\choose{k\choose m}}"),
    ("27720", r"\binom{12}{3,4,4}"), ("27720", r"\binom{12}{3,5}"), ("11", r"x\approx12"),
    (r"\frac73", r"\approx2.33"), ("125", r"124\textnormal{ miles}"), ("9", r"Answer \( 8 \)"),
    ("-17", r"\text{-}71"), ("17", r"\text{-}17"), (r"3.2\times10^{-5}", r"3.2\text{E}5"), ("12", "13dollars"),
    ("12", "12k"), ("12", "12x"), (r"2\pi", r"2\pi c"), (r"2\pi", r"2\pi r"),
    (r"\arctan\frac12", r"\operatorname{arctg}2"), (r"\tan x", r"\operatorname{ctg}x"), (r"f(x)=\frac1x", "y=x"),
    (r"f(x)=\frac1x", r"x=\frac1y"), (r"f(x)=\frac1x", r"x \mapsto x"), ("f(x)=0", r"f\equiv1"), ("5", r"\{6\}"),
    ("5", r"\{5,6\}"), ("5", "(5"), ("5", "5("), ("5", "5]"), (r"22.5^\circ", r"22^\circ 50'"),
    (r"22.5^\circ", r"22^\circ 30''"), (r"x-\lfloor x\rfloor", r"\{y\}"), ("x", r"\{x\}"), ("12", r"1\over2"),
    ("21", r"1\over2"), ("1_2", "0b10"), ("12:00", "12:30"), ("7:05", "7:50"), ("12", "1 2"), ("9", "Answer 8"),
    ("7^{7^7}", "(7^7)^7"), ("2", r"\frac{1}{2}"), ("f(x)=x", "g(x)=x+1"), ("g(x)=x", "y=2x"), ("y=x", "x=2y"),
    ("e", "exp"), (r"\sqrt[3]{2}", "∜2"), ("5", "5e"), ("5", r"5\phi"), ("5", r"5\varepsilon"), ("x", r"\varphi"),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "answer"), RIGHT)
def test_a_notation_is_understood(gold: str, answer: str) -> None:
    assert matches(gold, answer)


@pytest.mark.parametrize(("gold", "answer"), WRONG)
def test_a_notation_of_another_value_is_wrong(gold: str, answer: str) -> None:
    assert not matches(gold, answer)


def test_a_quotient_of_logarithms_needs_no_brackets() -> None:
    assert matches(r"\log_2 3", r"\log 3 / \log 2")
    assert not matches(r"\log_2 3", r"\log 2 / \log 3")
    assert not matches(r"\frac{5\ln 2}{\ln 3}", r"5/\ln 3/\ln 2")


def test_a_quotient_of_letters_is_a_name() -> None:
    assert matches(r"\frac{a}{b}=\frac12", r"\frac12")
    assert not matches(r"\frac{a}{b}=\frac12", "2")
    assert not matches(r"\frac{x}{y}=\frac{y}{2}", r"\frac{y}{2}")
