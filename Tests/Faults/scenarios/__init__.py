# SPDX-License-Identifier: Apache-2.0
"""All scenarios, by name."""

from scenarios import daemons, database

ALL = {scenario.name: scenario for module in (daemons, database) for scenario in module.SCENARIOS}
