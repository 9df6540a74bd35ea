"""How one response is made."""
