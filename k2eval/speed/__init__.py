"""How fast a configuration answers: loads, timings, figures, and tables of them."""
