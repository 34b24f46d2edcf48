"""RSCT's management domain logs: what they say (census), and how fast they grow (watch)."""
