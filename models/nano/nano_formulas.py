"""Formulas of school physics, chemistry and statistics, as nano_science asks for them."""

from __future__ import annotations

from typing import NamedTuple


class Formula(NamedTuple):
    """One formula as a function of numbers."""

    name: str
    arguments: tuple[str, ...]
    title: str
    """The result of the formula, as a noun phrase."""
    inputs: str
    """The arguments in words."""
    background: str
    code: str
    slips: tuple[str, ...]
    """Expressions that look alike and are wrong."""


FORMULAS = (
    Formula("kinetic_energy", ("m", "v"), "the kinetic energy", "mass m and speed v",
            "Half the mass times the square of the speed.", "0.5 * m * v**2", ("m * v**2", "0.5 * m * v")),
    Formula("potential_energy", ("m", "h"), "the potential energy", "mass m and height h",
            "Mass times 9.81 times height.", "9.81 * m * h", ("m * h", "9.81 * m * h**2")),
    Formula("momentum", ("m", "v"), "the momentum", "mass m and speed v",
            "Mass times speed.", "m * v", ("m * v**2", "m + v")),
    Formula("spring_energy", ("k", "x"), "the energy of a spring", "stiffness k and stretch x",
            "Half the stiffness times the square of the stretch.", "0.5 * k * x**2", ("k * x**2", "0.5 * k * x")),
    Formula("pendulum_period", ("length", "g"), "the period of a pendulum", "its length and gravity g",
            "Two pi times the root of length over gravity.", "2 * np.pi * np.sqrt(length / g)",
            ("2 * np.pi * np.sqrt(g / length)", "np.pi * np.sqrt(length / g)")),
    Formula("fall_time", ("h", "g"), "the time of a free fall", "height h and gravity g",
            "The root of twice the height over gravity.", "np.sqrt(2 * h / g)", ("np.sqrt(h / g)", "2 * h / g")),
    Formula("density", ("m", "volume"), "the density", "mass m and volume",
            "Mass over volume.", "m / volume", ("volume / m", "m * volume")),
    Formula("pressure", ("force", "area"), "the pressure", "force and area",
            "Force over area.", "force / area", ("area / force", "force * area")),
    Formula("power", ("voltage", "current"), "the electric power", "voltage and current",
            "Voltage times current.", "voltage * current", ("voltage / current", "voltage + current")),
    Formula("resistor_heat", ("current", "r"), "the heat power of a resistor", "current and resistance r",
            "The square of the current times the resistance.", "current**2 * r", ("current * r", "current * r**2")),
    Formula("parallel_resistance", ("r", "s"), "the resistance of two parallel resistors", "resistances r and s",
            "The product over the sum.", "r * s / (r + s)", ("r + s", "(r + s) / (r * s)")),
    Formula("ideal_gas_pressure", ("n", "t", "volume"), "the pressure of an ideal gas",
            "amount n, temperature t and volume",
            "Amount times 8.314 times temperature over volume.", "n * 8.314 * t / volume",
            ("n * 8.314 * volume / t", "n * t / volume")),
    Formula("decay", ("n", "t", "half_life"), "what is left after decay", "amount n, time t and half_life",
            "The amount is halved in each half-life.", "n * 0.5**(t / half_life)",
            ("n * 0.5**(half_life / t)", "n * np.exp(-t / half_life)")),
    Formula("growth", ("n", "rate", "t"), "the size of a growing population", "size n, rate and time t",
            "The size times e to the rate times the time.", "n * np.exp(rate * t)",
            ("n * np.exp(-rate * t)", "n * (1 + rate * t)")),
    Formula("wave_speed", ("frequency", "length"), "the speed of a wave", "frequency and wave length",
            "Frequency times wave length.", "frequency * length", ("frequency / length", "length / frequency")),
    Formula("lens_focus", ("a", "b"), "the focal length of a lens", "object distance a and image distance b",
            "The product over the sum of the distances.", "a * b / (a + b)", ("a + b", "(a + b) / (a * b)")),
    Formula("coulomb_force", ("p", "q", "r"), "the force between charges", "charges p and q and distance r",
            "8.99e9 times both charges over the square of the distance.", "8.99e9 * p * q / r**2",
            ("8.99e9 * p * q / r", "p * q / r**2")),
    Formula("gravity_force", ("m", "n", "r"), "the gravity between bodies", "masses m and n and distance r",
            "6.67e-11 times both masses over the square of the distance.", "6.67e-11 * m * n / r**2",
            ("6.67e-11 * m * n / r", "m * n / r**2")),
    Formula("circle_area", ("r",), "the area of a circle", "radius r",
            "Pi times the square of the radius.", "np.pi * r**2", ("2 * np.pi * r", "np.pi * r**3")),
    Formula("sphere_volume", ("r",), "the volume of a sphere", "radius r",
            "Four thirds of pi times the cube of the radius.", "4 / 3 * np.pi * r**3",
            ("4 * np.pi * r**2", "3 / 4 * np.pi * r**3")),
    Formula("cylinder_volume", ("r", "h"), "the volume of a cylinder", "radius r and height h",
            "Pi times the square of the radius times the height.", "np.pi * r**2 * h",
            ("np.pi * r * h", "2 * np.pi * r * h")),
    Formula("distance", ("x", "y"), "the distance from the origin", "coordinates x and y",
            "The root of the sum of the squares.", "np.sqrt(x**2 + y**2)", ("x**2 + y**2", "np.sqrt(x + y)")),
    Formula("heat", ("m", "c", "dt"), "the heat that warms a body", "mass m, heat capacity c and warming dt",
            "Mass times heat capacity times warming.", "m * c * dt", ("m * c / dt", "m * dt")),
    Formula("concentration", ("n", "volume"), "the concentration", "amount n and volume",
            "Amount over volume.", "n / volume", ("volume / n", "n * volume")),
    Formula("acidity", ("h",), "the pH", "concentration h of hydrogen ions",
            "Minus the decimal logarithm of the concentration.", "-np.log10(h)", ("-np.log(h)", "np.log10(h)")),
    Formula("drag", ("c", "area", "v"), "the drag of the air", "coefficient c, area and speed v",
            "0.6 times coefficient, area and the square of the speed.", "0.6 * c * area * v**2",
            ("0.6 * c * area * v", "c * area * v**2")),
    Formula("efficiency", ("cold", "hot"), "the best efficiency of an engine", "temperatures cold and hot",
            "One minus cold over hot.", "1 - cold / hot", ("1 - hot / cold", "cold / hot")),
    Formula("escape_speed", ("m", "r"), "the escape speed", "mass m and radius r",
            "The root of twice 6.67e-11 times mass over radius.", "np.sqrt(2 * 6.67e-11 * m / r)",
            ("np.sqrt(6.67e-11 * m / r)", "2 * 6.67e-11 * m / r")),
    Formula("orbit_speed", ("m", "r"), "the speed in an orbit", "mass m and radius r",
            "The root of 6.67e-11 times mass over radius.", "np.sqrt(6.67e-11 * m / r)",
            ("np.sqrt(2 * 6.67e-11 * m / r)", "6.67e-11 * m / r")),
    Formula("mean_speed", ("a", "b"), "the mean speed there and back", "speeds a and b",
            "Twice the product over the sum of the speeds.", "2 * a * b / (a + b)", ("(a + b) / 2", "a * b / (a + b)")),
)  # fmt: skip
