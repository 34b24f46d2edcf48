"""Captured answers, in a bundle that `collect` wrote or a folder of files: read as if they were a partition."""
