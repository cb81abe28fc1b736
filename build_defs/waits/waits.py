"""Who may sleep. Tests wait for events; a sleep is a guess at how long something takes, and wrong on a busy machine.

check.py reads this table: files and how many sleeps each has, and why. One more or one less is refused.
"""

# where tests and what they are made of live; product code waits on its loop
TESTS = [
    r".*_(test|fixture)\.(c|h|py|sh)",
    r".*/testing/.*\.(c|h|py|sh)",
    r"e2e/.*\.(py|sh)",
]

# what is no test but a measurement or a load, whose subject is time
NOT_TESTS = [
    "build_defs/waits/",
    "e2e/bench/",
    "e2e/tutorial/",
    "e2e/chaos/",
    "e2e/cluster/",
    "e2e/soak.py",
]

SLEEPS = {
    ".py": r"\b(?:time|asyncio)\.sleep\(|\blet_pass\(|\bfrom time import .*sleep",
    ".c": r"\b(?:sleep|usleep|nanosleep|clock_nanosleep|thrd_sleep)\(",
    ".h": r"\b(?:sleep|usleep|nanosleep|clock_nanosleep|thrd_sleep)\(",
    ".sh": r"^\s*sleep\s|[;&|]\s*sleep\s",
}

ALLOWED = {
    "e2e/harness/api_proxy.py": (1, "a watch that is late: the delay is the fault"),
    "e2e/harness/fake_node.py": (2, "a program of its own: its pause between two attempts to reach the API server"),
    "e2e/harness/until.py": (3, "the one place that polls, and that lets time pass"),
    "e2e/k8s/test_review.py": (1, "a hold that runs out while nothing can be asked"),
    "e2e/k8s/test_trouble.py": (
        5,
        "spans that requests are counted in, how long a server is away, slow answers, a lease",
    ),
    "lib/redis/redis_server_fixture.c": (1, "polls, with a limit, a server that is another process"),
    "lib/redis/redis_set_fixture.c": (1, "polls, with a limit, servers that are other processes"),
    "lib/state/state_replica_test.c": (1, "polls, with a limit, a server that is another process"),
}
