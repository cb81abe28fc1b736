/* The doctor command: its options and its table of checks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/doctor/doctor.h"

#define DEFAULT_TIMEOUT_MS ((int64_t)10 * 1000)
#define DEFAULT_SYSTEM_NAMESPACE "agent-sandbox-system"

static const DoctorCheck CLUSTER[] = {
    {"api-server", NULL, doctor_server},
    {"clock", "api-server", doctor_clock},
    {"definitions", "api-server", doctor_definitions},
    {"versions", "definitions", doctor_versions},
    {"rights", "api-server", doctor_rights},
    {"workloads", "api-server", doctor_workloads},
    {"leader", "api-server", doctor_leader},
    {"certificates", "definitions", doctor_certificates},
    {"conversion", "certificates", doctor_conversion},
    {"network", "api-server", doctor_network},
    {"runtime-classes", "api-server", doctor_runtime_classes},
    {"pools", "api-server", doctor_pools},
    {"claims", "api-server", doctor_claims},
    {"leftovers", "api-server", doctor_leftovers},
    {NULL, NULL, NULL},
};

static const DoctorCheck MACHINE[] = {
    {"router", NULL, doctor_local_router},
    {"access", "router", doctor_local_access},
    {"claims", "router", doctor_local_claims},
    {"pools", "router", doctor_local_pool_service},
    {"reconciler", "router", doctor_local_reconciler},
    {"isolation", "reconciler", doctor_local_isolation},
    {"templates", "pools", doctor_local_templates},
    {"warm-sandboxes", "pools", doctor_local_pools},
    {NULL, NULL, NULL},
};

enum { CHECKS_MAX = 16 };

static void run_checks(Doctor *d, const DoctorCheck *checks) {
  const char *cause[CHECKS_MAX]; /* of each check: the one that failed, itself or before it; NULL: none */
  for (size_t i = 0; checks[i].name; i++) {
    const char *needs = checks[i].needs;
    cause[i] = NULL;
    for (size_t k = 0; needs && k < i; k++)
      if (!strcmp(checks[k].name, needs))
        cause[i] = cause[k];
    d->check = &checks[i];
    d->worst = DOCTOR_OK;
    d->reported = false;
    if (cause[i])
      doctor_report(d, DOCTOR_SKIPPED, NULL, "not looked at: it depends on %s, see above", cause[i]);
    else
      checks[i].run(d);
    if (!d->reported)
      doctor_report(d, DOCTOR_OK, NULL, "nothing to look at");
    if (d->worst == DOCTOR_PROBLEM)
      cause[i] = checks[i].name;
  }
}

static int connect_cluster(Doctor *d, const char *kubeconfig, const char *context) {
  Error err = {0};
  if (kube_config_load(kubeconfig, context, &d->config, &err) != 0)
    return cli_usage("doctor: %s", err.message);
  d->client = kube_client_new(d->cli->loop, d->config, &(KubeOptions){.user_agent = "sandctl-doctor"}, &err);
  return d->client ? 0 : cli_usage("doctor: %s", err.message);
}

static int run(Cli *cli, const Args *args) {
  const char *kubeconfig = args_value(args, "kubeconfig"), *context = args_value(args, "context");
  const char *system_ns = args_value(args, "system-namespace");
  if (args->n_names)
    return cli_usage("doctor takes no names");
  if (cli->format == FORMAT_NAME)
    return cli_usage("doctor: --output is table or json");
  if (system_ns && !str_is_dns_label(system_ns))
    return cli_usage("--system-namespace: \"%s\" is no namespace", system_ns);
  if (!kubeconfig)
    kubeconfig = getenv("KUBECONFIG");
  if (!cli->timeout_given)
    cli->timeout_ms = DEFAULT_TIMEOUT_MS;
  Doctor d = {
      .cli = cli, .system_ns = system_ns ? system_ns : DEFAULT_SYSTEM_NAMESPACE, .ns = cli->ns_given ? cli->ns : NULL};
  d.lists = json_object();
  d.findings = json_array();
  bool in_cluster = !str_empty(kubeconfig) || !str_empty(getenv("KUBERNETES_SERVICE_HOST"));
  int code = in_cluster ? connect_cluster(&d, kubeconfig, context) : 0;
  if (!code) {
    run_checks(&d, in_cluster ? CLUSTER : MACHINE);
    doctor_report_end(&d);
    code = d.failed ? EXIT_FAILED : 0;
  }
  kube_client_free(d.client);
  kube_config_free(d.config);
  json_decref(d.lists);
  json_decref(d.findings);
  return code;
}

static const Option OPTIONS[] = {
    {"kubeconfig", 0, "FILE", "cluster to look at (KUBECONFIG; in a Pod its own); none: this machine"},
    {"context", 0, "NAME", "context of the kubeconfig, default: its current one"},
    {"system-namespace", 0, "NAME", "where Sandplane is installed, default: " DEFAULT_SYSTEM_NAMESPACE},
    {NULL, 0, NULL, NULL},
};

const Command DOCTOR_COMMANDS[] = {
    {"doctor", "[--kubeconfig FILE]", "Finds what is wrong with an installation.", OPTIONS, run, NULL},
    {NULL, NULL, NULL, NULL, NULL, NULL},
};
