/* sandctl doctor: what is wrong with an installation, and what to do about it.
 *
 * Checks are rows of a table (doctor_command.c), each a function in a file by theme. A check reports its findings, at
 * least one; all of it is reading, but for a creation that the API server only rehearses. One request at a time: a
 * doctor is run by a person, and nothing of it is urgent.
 */
#ifndef SANDPLANE_CLI_DOCTOR_DOCTOR_H_
#define SANDPLANE_CLI_DOCTOR_DOCTOR_H_

#include "cli/cli.h"
#include "lib/base/str.h"
#include "lib/kube/kube_client.h"

typedef enum DoctorResult {
  DOCTOR_OK,
  DOCTOR_SKIPPED, /* it depends on something that failed, or that this installation does not have */
  DOCTOR_WARNING,
  DOCTOR_PROBLEM,
} DoctorResult;

typedef struct Doctor Doctor;

typedef struct DoctorCheck {
  const char *name;
  const char *needs; /* a check before it, without which it says nothing; NULL: none */
  void (*run)(Doctor *d);
} DoctorCheck;

struct Doctor {
  Cli *cli;
  const char *system_ns; /* of the installation */
  const char *ns;        /* whose templates, pools and claims; NULL: all */
  KubeConfig *config;    /* NULL: a single machine */
  KubeClient *client;
  bool only_v1beta1;        /* the definitions have no v1alpha1, and need no webhook; set by doctor_definitions */
  json_t *lists;            /* path -> items, see doctor_list */
  const DoctorCheck *check; /* under way */
  DoctorResult worst;       /* of it */
  bool reported, failed;    /* it said something; any check has a problem */
  json_t *findings;         /* of --output json */
};

/* ---- reporting (doctor_report.c) ---- */

/* next: what to do, NULL with OK. */
void doctor_report(Doctor *d, DoctorResult result, const char *next, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* A request of the check failed: who may not look is told which right is missing. what: "the Lease". */
void doctor_failed(Doctor *d, const char *what, const Error *err);
void doctor_report_end(Doctor *d);
#define doctor_text(d, ...) arena_printf((d)->cli->arena, __VA_ARGS__)

/* ---- the API server (doctor_kube.c) ---- */

/* Waits for the answer: a new reference, or NULL and err. */
json_t *doctor_send(Doctor *d, const char *method, const char *path, const json_t *body, Error *err);
json_t *doctor_get(Doctor *d, const char *path, Error *err);
/* All objects of a kind, asked for once; borrowed. NULL and err. path: "/apis/GROUP/VERSION" and the plural; the
 * namespace of --namespace is put between them. */
json_t *doctor_list(Doctor *d, const char *group, const char *plural, Error *err);
json_t *doctor_list_in(Doctor *d, const char *group, const char *ns, const char *plural, Error *err);
/* By the API server's clock. */
int64_t doctor_now_ms(const Doctor *d);
/* Milliseconds since an RFC 3339 time of an object; -1: it is none. */
int64_t doctor_age_ms(const Doctor *d, const char *time);
/* "namespace/name", in the arena. */
const char *doctor_id(Doctor *d, const json_t *object);

/* ---- Pods (doctor_pod.c) ---- */

/* Why a Pod is not ready, and what to do; NULL: it is. *ret_starting: nothing is wrong with it yet. */
const char *doctor_pod_why(Doctor *d, const json_t *pod, bool *ret_starting, const char **ret_next);

/* ---- the checks ---- */

void doctor_server(Doctor *d);
void doctor_clock(Doctor *d);
void doctor_leader(Doctor *d);
void doctor_definitions(Doctor *d);
void doctor_versions(Doctor *d);
void doctor_certificates(Doctor *d);
void doctor_conversion(Doctor *d);
void doctor_rights(Doctor *d);
void doctor_workloads(Doctor *d);
void doctor_network(Doctor *d);
void doctor_runtime_classes(Doctor *d);
void doctor_pools(Doctor *d);
void doctor_claims(Doctor *d);
void doctor_leftovers(Doctor *d);

/* of a single machine, over the public API */
void doctor_local_router(Doctor *d);
void doctor_local_access(Doctor *d);
void doctor_local_claims(Doctor *d);
void doctor_local_pool_service(Doctor *d);
void doctor_local_reconciler(Doctor *d);
void doctor_local_isolation(Doctor *d);
void doctor_local_templates(Doctor *d);
void doctor_local_pools(Doctor *d);

#endif
