"""Graders of other harnesses, one module for each harness and kind of answer, as graders of k2eval's pool.

They are written from documented behaviour (see ``docs/parity.md``), faults included, or call the harness's own
package where that is a library. They run in grading processes alone. ``Grade.detail["how"]`` says by which rule an
answer was found or accepted (`k2eval.audit.reasons`).
"""
