# SPDX-License-Identifier: Apache-2.0
"""All scenarios, by name."""

from scenarios import clients, clock, daemons, database, disk, spool

MODULES = (daemons, database, disk, spool, clients, clock)
ALL = {scenario.name: scenario for module in MODULES for scenario in module.SCENARIOS}
