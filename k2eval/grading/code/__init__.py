"""The graders of programs."""
