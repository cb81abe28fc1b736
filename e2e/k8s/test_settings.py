"""The reference controller's settings: its arguments may stay when the image is another, and its ConfigMap counts."""

import json
import subprocess
import urllib.request

import pytest
from harness.until import until

# what the reference can be started with, and the manifests of people are
ARGUMENTS = """
--extensions --leader-elect=true -leader-election-namespace=agent-sandbox-system --cluster-domain=cluster.local
--metrics-bind-address=:18080 --health-probe-bind-address=:18081 --enable-tracing=true --enable-pprof=true --enable-pprof-debug=true
--pprof-block-profile-rate=1000000 --pprof-mutex-profile-fraction=10 --kube-api-qps=-1.000000 --kube-api-burst=10 --api-connections=1
--separate-watch-connection=true --sandbox-concurrent-workers=100 --sandbox-claim-concurrent-workers=50
--sandbox-warm-pool-concurrent-workers=1 --sandbox-template-concurrent-workers=1 --sandbox-warm-pool-max-batch-size=300
--sandbox-warm-pool-replenish-delay=0s --sandbox-warm-pool-max-refill-rate=0 --sandbox-warm-pool-readiness-grace-period=5m0s
--sandbox-warm-pool-unschedulable-recheck-interval=1m0s --enable-warm-pool-eviction=true --cache-label-selectors=false
--disable-claim-events=false --disable-sandbox-events=true --disable-claim-observability-annotations=false
--sandbox-claim-warm-candidate-grace-period=2s --sandbox-write-behind-window=0s --enable-rest-client-metrics=false --manage-webhook-certs=true
--webhook-cert-dir=/tmp/certs --webhook-cert-name=tls.crt --webhook-key-name=tls.key --webhook-service-name=agent-sandbox-webhook-service
--webhook-namespace=agent-sandbox-system --zap-log-level=info --zap-devel=false --zap-encoder=json --zap-stacktrace-level=error
--zap-time-encoding=rfc3339
""".split()
# of these, what has no effect here and is not what it always is
TOLD = """
enable-tracing enable-pprof enable-pprof-debug pprof-block-profile-rate pprof-mutex-profile-fraction api-connections separate-watch-connection
sandbox-warm-pool-max-batch-size sandbox-warm-pool-replenish-delay sandbox-warm-pool-max-refill-rate cache-label-selectors
sandbox-write-behind-window webhook-cert-dir webhook-cert-name webhook-key-name zap-log-level zap-encoder zap-stacktrace-level zap-time-encoding
""".split()


def logged(stack, event):
    """Lines of this kind since the reconciler's last start."""
    lines = [json.loads(line) for line in stack.log("reconciler").splitlines() if line.startswith("{")]
    started = max(i for i, line in enumerate(lines) if line["event"] == "started")
    # they come before that line, and after the end of the process before
    ended = [i for i, line in enumerate(lines[:started]) if line["event"] in ("started", "stopped")]
    return [line for line in lines[max(ended, default=-1) + 1 :] if line["event"] == event]


@pytest.fixture
def started_with(stack):
    """Starts the reconciler with further arguments, for one test."""

    def start(*arguments):
        stack.stop("reconciler")
        stack.start("reconciler", *arguments)
        stack.wait_ready("reconciler")

    yield start
    stack.stop("reconciler")
    stack.flags.pop("reconciler", None)
    stack.start("reconciler")
    stack.wait_ready("reconciler")
    stack.wait_webhook()


def test_every_argument_of_the_reference_is_taken(stack, kube, started_with):
    started_with(*ARGUMENTS)
    told = logged(stack, "flag_without_effect")
    assert sorted(line["flag"] for line in told) == sorted(TOLD) and all(line["reason"] for line in told)
    for port, path in ((18080, "metrics"), (18081, "healthz"), (18081, "readyz")):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as answer:
            assert answer.status == 200
    kube.full_pool()
    kube.apply(kube.claim(), kube.sandbox())
    kube.until_ready("sandboxclaim", "c")
    kube.until_ready("sandbox", "s")
    until(
        lambda: [e for e in kube.list("event") if e["regarding"]["kind"] == "SandboxClaim"],
        what="an Event of the claim",
    )
    assert [e for e in kube.list("event") if e["regarding"]["kind"] == "Sandbox"] == []
    assert not [m for m in stack.metrics("reconciler") if m.startswith("rest_client_request_duration_seconds_count")]


@pytest.fixture
def settings(stack):
    """The folder as a ConfigMap shows its keys, for one test."""
    stack.settings.mkdir()
    put = lambda **keys: [(stack.settings / k.replace("_", "-").lstrip("-")).write_text(v) for k, v in keys.items()]
    yield put
    for file in stack.settings.iterdir():
        file.unlink()
    stack.settings.rmdir()


def test_the_config_map_counts(stack, kube, started_with, settings):
    """Its keys go before the defaults and behind the command line; what it does not know it says."""
    settings(
        disable_claim_events="true\n",
        disable_sandbox_events="true",
        sandbox_concurrent_workers="7",
        tpyo="1",
        redis_address="elsewhere:1",
    )
    (stack.settings / "_note").write_text("a comment")
    started_with("--disable-sandbox-events=false")
    assert [line["keys"] for line in logged(stack, "unknown_settings")] == ["redis-address, tpyo"]
    dump = json.loads(logged(stack, "started")[0]["config"])
    assert (dump["sandbox-concurrent-workers"], dump["disable-claim-events"], dump["disable-sandbox-events"]) == (
        7,
        True,
        False,
    )
    kube.apply(kube.template(), kube.pool(replicas=0), kube.claim())
    kube.until_ready("sandboxclaim", "c")
    until(lambda: [e for e in kube.list("event") if e["reason"] == "SandboxReady"], what="an Event of the Sandbox")
    assert [e for e in kube.list("event") if e["regarding"]["kind"] == "SandboxClaim"] == []


def test_a_bad_value_in_the_config_map_is_named(stack, settings):
    settings(kube_api_qps="much")
    run = subprocess.run(list(map(str, stack.command("reconciler"))), text=True, capture_output=True, timeout=30)
    assert run.returncode == 2
    assert run.stderr == (
        f"sandplane-reconciler: {stack.settings}/kube-api-qps (ConfigMap agent-sandbox-config): --kube-api-qps: 'much' is not a number\n"
    )
