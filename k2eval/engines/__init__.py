"""What turns requests into generations: vLLM in process, OpenAI-compatible servers, or a script."""
