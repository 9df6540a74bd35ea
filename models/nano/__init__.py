"""k2-nano: small checkpoints, their questions and their training."""
