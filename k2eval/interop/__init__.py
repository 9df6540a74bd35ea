"""Other people's formats, in both directions."""
