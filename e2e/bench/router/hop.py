"""What a unary call costs more through the router: CreateSandbox to claims itself and by the router, in turn."""

import json
import statistics
import subprocess

POOL = "hop"


def run(program, *args):
    text = subprocess.run([program, *args], stdout=subprocess.PIPE, text=True, check=True).stdout
    return [json.loads(line) for line in text.splitlines()]


def hop(stand, rounds, count):
    """p50 of one at a time, in microseconds: (claims itself, by the router), medians over the rounds."""
    ways = {"claims": stand.claims_port, "router": stand.grpc}
    p50 = {way: [] for way in ways}
    for number in range(rounds):
        size = [f"--pool={POOL}", f"--count={2 * count}", f"--first={2 * count * number}"]
        run(stand.args.state_load, "--mode=fill", f"--redis-address={stand.redis}", *size)
        # who comes first changes, for the machine may be doing something else by then
        for way in sorted(ways, reverse=number % 2 == 1):
            target = f"--target=127.0.0.1:{ways[way]}"
            line = run(stand.args.load, "--mode=create", target, f"--pool={POOL}", f"--count={count}")[0]
            p50[way].append(1000 * line["p50_ms"])
    return statistics.median(p50["claims"]), statistics.median(p50["router"])
