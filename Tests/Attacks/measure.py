# SPDX-License-Identifier: Apache-2.0
"""What each attack costs the attacker and the daemon, and what good clients notice of it.

Starts a PostgreSQL and, for each attack, a daemon of its own. Good clients of the listener that is attacked export
at a steady rate all the time (`starling send`, and good_http.py); their ack latency before the attack and during it is
compared in the same run. CPU times are what the kernel
counts for the processes; the daemon's is without what the good clients cost before. Attacker, good clients,
database and daemon share the machine. What is sent goes to this machine only."""

import argparse
import json
import os
from pathlib import Path
import platform
import subprocess
import sys
import tempfile

from support.arsenal import ATTACKS
from support.arsenal_http import HTTP_ATTACKS
from support.api import api_settings
from support.cluster import Cluster
from support.daemon import Daemon, clean_environment, free_port, run

BINARY = Path(os.environ.get("STARLING_BINARY", ".build/release/starling")).resolve()
EVERY_ATTACK = ATTACKS | HTTP_ATTACKS
TICKS = os.sysconf("SC_CLK_TCK")
RATE, BATCH = 2_000, 20


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def good_clients(listener, port, seconds, seed):
    """Starts them: 100 requests per second of 20 spans each, on two connections."""
    if listener == "http":
        return program("good_http.py", port, RATE // BATCH, BATCH, seconds, seed)
    return subprocess.Popen(
        [BINARY, "send", "traces", "--endpoint", f"127.0.0.1:{port}", "--count", str(RATE * seconds),
         "--rate", str(RATE), "--batch", str(BATCH), "--connections", "2", "--seed", str(seed), "--json"],
        env=clean_environment(), stdout=subprocess.PIPE, text=True)


def program(name, *arguments):
    """Starts a program of this folder, which prints JSON."""
    return subprocess.Popen([sys.executable, Path(__file__).parent / name, *map(str, arguments)],
                            env=os.environ | {"PYTHONPATH": "Tests/Integration"}, stdout=subprocess.PIPE, text=True)


def report(process):
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, "good clients lost something"
    return json.loads(output)


def latency(result):
    return {"p50_ms": result["ack_p50_ns"] / 1e6, "p99_ms": result["ack_p99_ns"] / 1e6}


def reasons(api, before):
    """What the daemon counted, of what it counts against abuse."""
    families = ("connections_aborted", "connections_refused", "connections_retired", "answers_untaken",
                "requests_answered")
    return {name.removeprefix("starling_"): int(value - before.get(name, 0)) for name, value in api.metrics().items()
            if any(f"starling_{family}_total" in name for family in families) and value > before.get(name, 0)
            and 'outcome="accepted"' not in name}


def measure(name, cluster, folder, seconds):
    attack, port = EVERY_ATTACK[name], free_port()
    settings, api = api_settings(**{"listen.grpc": "", "listen.http": "", f"listen.{attack.listener}": f"127.0.0.1:{port}"})
    sets = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    daemon = Daemon(BINARY, ["serve", *sets], {"STARLING_DATABASE_URL": cluster.url("attacks")}, folder)
    daemon.start()
    try:
        pid, listener = daemon.process.pid, attack.listener
        report(good_clients(listener, port, 1, 1))  # to make partitions and dimensions
        quiet_before = cpu_seconds(pid)
        quiet = report(good_clients(listener, port, seconds, 2))
        quiet_cpu = cpu_seconds(pid) - quiet_before
        resident_before, counted_before = daemon.resident_bytes(), api.metrics()
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins anew
        attacked_before = cpu_seconds(pid)
        attacker = program("attacker.py", name, port, seconds)
        busy = report(good_clients(listener, port, seconds, 3))
        cost = json.loads(attacker.communicate(timeout=300)[0])
        assert attacker.returncode == 0
        attacked_cpu = cpu_seconds(pid) - attacked_before
        result = {
            "what": attack.what, "seconds": seconds, "attacker_bytes": cost["bytes"],
            "attacker_cpu_seconds": cost["cpu_seconds"], "attacker_connections": cost["connections"],
            "connections_cut": cost["cut"], "daemon_cpu_seconds": max(0.0, attacked_cpu - quiet_cpu),
            "resident_peak_bytes": daemon.resident_peak_bytes(),
            "resident_growth_bytes": daemon.resident_peak_bytes() - resident_before,
            "before": latency(quiet), "during": latency(busy), "counted": reasons(api, counted_before),
        }
    finally:
        daemon.kill()
    return result


def show(results):
    print(f"{'':28}{'sent':>10}{'its CPU':>9}{'our CPU':>9}{'peak':>9}{'p50':>7}{'p50 x':>7}{'p99':>8}{'p99 x':>7}"
          f"{'cut':>7}")
    for name, figures in results.items():
        before, during = figures["before"], figures["during"]
        print(f"{name:28}{figures['attacker_bytes'] / 1e6:7.1f} MB{figures['attacker_cpu_seconds']:7.2f} s"
              f"{figures['daemon_cpu_seconds']:7.2f} s{figures['resident_peak_bytes'] / 2**20:5.0f} MiB"
              f"{during['p50_ms']:7.1f}{during['p50_ms'] / before['p50_ms']:7.2f}"
              f"{during['p99_ms']:8.1f}{during['p99_ms'] / before['p99_ms']:7.2f}{figures['connections_cut']:7}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=10, help="of each attack, and before it")
    parser.add_argument("--only", action="append", choices=list(EVERY_ATTACK), metavar="NAME", help="may be repeated")
    parser.add_argument("--output", type=Path, default=Path("bench-results/attacks.json"))
    options = parser.parse_args()
    cluster = Cluster()
    try:
        cluster.start()
        cluster.create_database("attacks")
        result = run(BINARY, "migrate", environment={"STARLING_DATABASE_URL": cluster.url("attacks")})
        assert result.returncode == 0, result.stderr
        results = {}
        for name in options.only or EVERY_ATTACK:
            print(f"attack: {name}", file=sys.stderr)
            with tempfile.TemporaryDirectory(prefix="starling-attack-") as folder:
                results[name] = measure(name, cluster, folder, EVERY_ATTACK[name].seconds or options.seconds)
    finally:
        cluster.remove()
    show(results)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps({
        "commit": commit, "machine": platform.platform(), "cores": os.cpu_count(), "command": " ".join(sys.argv),
        "good_clients": {"spans_per_second": RATE, "spans_per_request": BATCH, "connections": 2},
        "results": results}, indent=1))
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
