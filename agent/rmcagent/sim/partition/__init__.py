"""The simulated partition: one RSCT state machine (machine), what may befall it (faults), its commands (commands, readers),
and SimHost, which puts it behind the Host protocol in virtual time (host)."""
from rmcagent.sim.partition.faults import Partition
from rmcagent.sim.partition.host import SimHost
from rmcagent.sim.partition.nouns import FOREVER, Reply, SimHmc, SimSubsystem

__all__ = ["FOREVER", "Partition", "Reply", "SimHmc", "SimHost", "SimSubsystem"]
