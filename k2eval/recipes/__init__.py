"""How one response is made from one or more generations."""
