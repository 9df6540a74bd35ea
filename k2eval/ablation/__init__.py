"""Recipes replayed over the journals of runs."""
