# SPDX-License-Identifier: Apache-2.0
"""All scenarios, by name."""

from scenarios import clients, clock, daemons, database, disk

ALL = {scenario.name: scenario for module in (daemons, database, disk, clients, clock) for scenario in module.SCENARIOS}
