"""k2-nano: small checkpoints, their questions and how they are trained."""
