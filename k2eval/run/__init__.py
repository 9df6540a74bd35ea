"""A run: what there is to do, doing it, showing it."""
