"""Engines behind an OpenAI-compatible server."""
