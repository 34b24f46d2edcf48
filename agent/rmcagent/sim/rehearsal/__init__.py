"""Rehearsals: the production cycle on a simulated partition in virtual time, and what is learned from it."""
