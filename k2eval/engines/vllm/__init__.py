"""vLLM in the process of the run."""
