"""Text of commands -> nouns, or Unreadable and nothing else; pure. Of two readings the one that claims less is taken.

What an HMC's commands say is read by parse.hmc, which only `classify` loads.
"""
from __future__ import annotations

from rmcagent.partition.parse.cluster import ct_clusterinfo, ioscli_cluster, lscluster, lspv, lsrpdomain, odm_hacmpcluster
from rmcagent.partition.parse.identity import node_id
from rmcagent.partition.parse.lines import Unreadable, whole
from rmcagent.partition.parse.machine import ErrptRow, errpt, systemctl_show
from rmcagent.partition.parse.rmc import lsrsrc, rmcdomainstatus
from rmcagent.partition.parse.src import clstrmgr, lssrc, lssrc_one, mcproxy

__all__ = ["ErrptRow", "Unreadable", "clstrmgr", "ct_clusterinfo", "errpt", "ioscli_cluster", "lscluster", "lspv", "lsrpdomain",
           "lsrsrc", "lssrc", "lssrc_one", "mcproxy", "node_id", "odm_hacmpcluster", "rmcdomainstatus",
           "systemctl_show", "whole"]
