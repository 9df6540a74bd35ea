"""The code on the other side of the wall, with nothing but the standard library.

The box receives these files as text and executes them; only `k2eval.sandbox.wire` is used on both sides.
"""
