"""What runs on the other side of the wall, with nothing but the standard library.

These files are handed to the box as text and executed there; only `k2eval.sandbox.wire` is used on both sides.
"""
