"""The simulated partition behind real executables and processes (shims, world), with the real daemon on it (stage)."""
