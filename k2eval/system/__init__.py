"""What a process asks of its machine: cores, terminal, files."""
