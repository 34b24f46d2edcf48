"""Text of commands -> nouns, or Unreadable and nothing else; pure. Of two readings the one that claims less is taken.

What an HMC's commands say is read by parse.hmc, which only `classify` loads.
"""
from __future__ import annotations

from rmcagent.partition.parse.cluster import ct_clusterinfo, ioscli_cluster, lscluster, lspv, lsrpdomain, odm_hacmpcluster
from rmcagent.partition.parse.identity import TrustedHost, cluster0_uuid, ctsthl, ctsvhbal, node_id
from rmcagent.partition.parse.lines import Unreadable, whole
from rmcagent.partition.parse.machine import (
    ErrptRow,
    InitEntry,
    errpt,
    ioslevel,
    lsitab,
    lsivm,
    oslevel,
    rmcd_takes_remote,
    systemctl_is_enabled,
    systemctl_show,
    uname,
    uname_partition,
)
from rmcagent.partition.parse.rmc import lsrsrc, rmcdomainstatus
from rmcagent.partition.parse.src import Definition, clstrmgr, lssrc, lssrc_definitions, lssrc_one, mcproxy

__all__ = ["Definition", "ErrptRow", "InitEntry", "TrustedHost", "Unreadable", "clstrmgr", "cluster0_uuid", "ct_clusterinfo",
           "ctsthl", "ctsvhbal", "errpt", "ioscli_cluster", "ioslevel", "lscluster", "lsitab", "lsivm", "lspv", "lsrpdomain",
           "lsrsrc", "lssrc", "lssrc_definitions", "lssrc_one", "mcproxy", "node_id", "odm_hacmpcluster", "oslevel",
           "rmcd_takes_remote", "rmcdomainstatus", "systemctl_is_enabled", "systemctl_show", "uname", "uname_partition", "whole"]
