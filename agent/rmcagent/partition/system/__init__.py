"""What SystemHost is made of: the gates for commands (run), connects (reach), and the helper that outlives the daemon (perform, archive)."""
