/* Manifests of the Agent Sandbox API: SandboxTemplate and SandboxWarmPool, v1alpha1 and v1beta1, from YAML
 * or JSON (libyaml, jansson), checked field by field.
 *
 * Only what the local backend can honour is read into the structs. Every error names the field's path, for
 * example "spec.podTemplate.spec.containers[0].resources.limits.memory". Fields that exist in the API but are
 * not read here are refused when they would change how a sandbox is isolated or behaves, kept in the canonical
 * JSON when they do not; fields that do not exist in the API are refused. What an API server adds to an object (status,
 * uid, managedFields and their like) is left out: kubectl prints it. $(VAR) in env is Kubernetes'.
 */
#ifndef SANDPLANE_LIB_MANIFEST_MANIFEST_H_
#define SANDPLANE_LIB_MANIFEST_MANIFEST_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"

enum { MANIFEST_MAX_BYTES = 256 << 10 };

#define MANIFEST_GROUP "extensions.agents.x-k8s.io"
#define MANIFEST_TEMPLATE_KIND "SandboxTemplate"
#define MANIFEST_POOL_KIND "SandboxWarmPool"

typedef struct ManifestEnv {
  char *name;
  char *value;
} ManifestEnv;

typedef struct ManifestTemplate {
  char *ns; /* "default" when absent */
  char *name;
  char *canonical; /* compact JSON, v1beta1, keys sorted */
  char hash[9];    /* FNV-1a of the canonical blueprint (podTemplate, volumeClaimTemplates, service) */
  char *container; /* its name */
  char *image;
  char *runtime_class; /* empty when absent */
  char **command;      /* NULL-terminated; NULL: the image's */
  char **args;
  char *working_dir; /* empty: the image's */
  ManifestEnv *env;  /* with their $(VAR)s in place */
  size_t n_env;
  /* limits, 0 when absent */
  int64_t memory_bytes;
  int64_t cpu_milli;
  int64_t ephemeral_bytes;
  int64_t pids;                      /* annotation sandplane.dev/pids-limit of podTemplate.metadata */
  int64_t run_as_user, run_as_group; /* -1: the image's */
  bool run_as_non_root;
  bool read_only_root; /* always true here; false is accepted and honoured by an overlay only where stated */
  /* readinessProbe.httpGet; port 0: none */
  char *ready_path;
  int ready_port;
  int64_t ready_initial_delay_ms, ready_period_ms, ready_timeout_ms;
  int ready_failures;
} ManifestTemplate;

typedef struct ManifestPool {
  char *ns;
  char *name;
  char *template_name;
  int replicas;
  int strategy; /* as in sandplane.v1.Pool.UpdateStrategy */
} ManifestPool;

typedef enum ManifestKind { MANIFEST_TEMPLATE = 1, MANIFEST_POOL } ManifestKind;

typedef struct Manifest {
  ManifestKind kind;
  ManifestTemplate template_;
  ManifestPool pool;
} Manifest;

/* One document. 0 or -1. */
int manifest_parse(const char *text, size_t len, Manifest *ret_manifest, Error *err) MUST_CHECK;
void manifest_deinit(Manifest *manifest);

/* An object in a file: a document of its own, or an item of a List. All strings are valid during the call that it is
 * for. */
typedef struct ManifestDocument {
  const char *text; /* for manifest_parse */
  size_t len;
  int line; /* of the document, from 1 */
  int item; /* in the document's List, from 0; -1: it is no List */
  /* Empty where it does not say. */
  const char *api_version, *kind, *name;
} ManifestDocument;

/* What a file of YAML documents holds, as kubectl writes and takes them: calls fn for each object until it fails. For
 * the command line, which applies several at once. */
int manifest_each(const char *text, size_t len, int (*fn)(void *arg, const ManifestDocument *doc, Error *err),
                  void *arg, Error *err) MUST_CHECK;

/* MANIFEST_OTHER: of another API, to be left alone. 0: to be parsed, which may refuse it: ours, or so near to ours that
 * it is a mistake. -1: of ours, and made otherwise than by a manifest. */
enum { MANIFEST_OTHER = 1 };
int manifest_belongs(const ManifestDocument *doc, Error *err) MUST_CHECK;

/* What a sandbox of a template asks for, "thousandths of a CPU/bytes of memory": of all containers the requests, or
 * the limits where there is no request; "0/0" for none. json: canonical, or what the Kubernetes backend stores of a
 * template. Empty when it is neither. Quotas count by it. */
enum { MANIFEST_SHAPE_MAX = 48 };
void manifest_shape(const char *json, char out[MANIFEST_SHAPE_MAX]);

/* Kubernetes resource quantities: "512Mi" as bytes, "250m" as thousandths. 0 or -1. */
int manifest_quantity(const char *s, int64_t *ret_milli) MUST_CHECK;

#endif
