"""rmcagent keeps a partition's RMC connection to its HMC working, and says what it did."""
__version__ = "0.1.0"
