"""Run directories: what is in them, and the only code that writes them."""
