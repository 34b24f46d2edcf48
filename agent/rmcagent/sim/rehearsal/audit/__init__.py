"""What must never happen in a rehearsal, and what must always: judged by the simulated truth (truth) and by what was really
begun (auditor), never by the agent's own opinion; the invariants are in deeds and words."""
from rmcagent.sim.rehearsal.audit.auditor import INVARIANTS, Auditor, Begun, Breach

__all__ = ["INVARIANTS", "Auditor", "Begun", "Breach"]
