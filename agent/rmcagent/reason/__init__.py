"""The mind: pure functions of values; imports nothing but model and config."""
