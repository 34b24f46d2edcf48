"""What SystemHost is made of: gates for commands (run), connects (reach), the helper that outlives us (perform, archive)."""
