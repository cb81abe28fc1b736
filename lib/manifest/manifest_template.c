/* SandboxTemplate: what the local backend reads of it, and what it refuses.
 *
 * Three lists decide over a field: read here; known to the API and without effect on one machine, so kept and
 * not read; known and unsupported, so refused, because ignoring it would change what runs or how it is kept in.
 * Anything else is a mistake in the manifest.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/manifest/manifest_env.h"
#include "lib/manifest/manifest_template.h"

#define PIDS_ANNOTATION "sandplane.dev/pids-limit"

static const char *const SPEC[] = {"podTemplate",
                                   "volumeClaimTemplates",
                                   "service",
                                   "networkPolicy",
                                   "networkPolicyManagement",
                                   "envVarsInjectionPolicy",
                                   "volumeClaimTemplatesPolicy",
                                   NULL};
static const char *const POD[] = {"containers",
                                  "runtimeClassName",
                                  "securityContext",
                                  "restartPolicy",
                                  "terminationGracePeriodSeconds",
                                  "nodeSelector",
                                  "affinity",
                                  "tolerations",
                                  "priorityClassName",
                                  "schedulerName",
                                  "automountServiceAccountToken",
                                  "serviceAccountName",
                                  "dnsPolicy",
                                  "dnsConfig",
                                  "enableServiceLinks",
                                  "topologySpreadConstraints",
                                  "imagePullSecrets",
                                  "hostNetwork",
                                  "hostPID",
                                  "hostIPC",
                                  "hostUsers",
                                  "shareProcessNamespace",
                                  "initContainers",
                                  "volumes",
                                  "hostname",
                                  "subdomain",
                                  "activeDeadlineSeconds",
                                  "os",
                                  "preemptionPolicy",
                                  "overhead",
                                  "readinessGates",
                                  "hostAliases",
                                  NULL};
static const char *const POD_REFUSED[] = {"initContainers",        "volumes", "shareProcessNamespace", "hostAliases",
                                          "activeDeadlineSeconds", NULL};
static const char *const CONTAINER[] = {"name",
                                        "image",
                                        "imagePullPolicy",
                                        "command",
                                        "args",
                                        "workingDir",
                                        "ports",
                                        "env",
                                        "envFrom",
                                        "resources",
                                        "securityContext",
                                        "readinessProbe",
                                        "livenessProbe",
                                        "startupProbe",
                                        "lifecycle",
                                        "volumeMounts",
                                        "volumeDevices",
                                        "stdin",
                                        "stdinOnce",
                                        "tty",
                                        "terminationMessagePath",
                                        "terminationMessagePolicy",
                                        "resizePolicy",
                                        NULL};
static const char *const CONTAINER_REFUSED[] = {"envFrom",       "lifecycle",     "volumeMounts",
                                                "volumeDevices", "livenessProbe", NULL};
static const char *const SECURITY[] = {"runAsUser",
                                       "runAsGroup",
                                       "runAsNonRoot",
                                       "readOnlyRootFilesystem",
                                       "allowPrivilegeEscalation",
                                       "privileged",
                                       "capabilities",
                                       "seccompProfile",
                                       "fsGroup",
                                       "supplementalGroups",
                                       "procMount",
                                       "seLinuxOptions",
                                       "appArmorProfile",
                                       "fsGroupChangePolicy",
                                       "sysctls",
                                       "windowsOptions",
                                       NULL};
static const char *const PROBE[] = {"httpGet",
                                    "initialDelaySeconds",
                                    "periodSeconds",
                                    "timeoutSeconds",
                                    "failureThreshold",
                                    "successThreshold",
                                    "tcpSocket",
                                    "exec",
                                    "grpc",
                                    "terminationGracePeriodSeconds",
                                    NULL};

static void refuse(const Node *n, const char *const *names) {
  for (; *names; names++) {
    Node child = node_get(n, *names);
    bool empty = json_is_array(child.value) && json_array_size(child.value) == 0;
    if (node_present(&child) && !empty && !json_is_false(child.value))
      node_unsupported(&child, "is not supported by the local backend");
  }
}

/* true in a field that would open the sandbox to the host. */
static void refuse_true(const Node *n, const char *name) {
  Node child = node_get(n, name);
  if (node_bool(&child, false))
    node_unsupported(&child, "a sandbox never shares this with the host");
}

static char **read_strings(const Node *n) {
  node_want_list(n);
  if (!node_present(n) || n->reader->failed)
    return NULL;
  size_t len = node_len(n);
  char **list = xcalloc(len + 1, sizeof *list);
  for (size_t i = 0; i < len; i++) {
    Node item = node_at(n, i);
    list[i] = node_string(&item, "");
  }
  return list;
}

static void read_env(const Node *container, ManifestTemplate *t) {
  Node env = node_get(container, "env");
  node_want_list(&env);
  size_t n = node_len(&env);
  t->env = xcalloc(n + 1, sizeof *t->env);
  for (size_t i = 0; i < n; i++) {
    Node item = node_at(&env, i), name = node_get(&item, "name"), value = node_get(&item, "value"),
         from = node_get(&item, "valueFrom");
    node_only(&item, (const char *const[]){"name", "value", "valueFrom", NULL});
    if (node_present(&from))
      node_unsupported(&from, "is not supported by the local backend");
    CLEANUP(str_freep) char *text = node_string(&value, "");
    char *whole = manifest_env_expand(text, t->env, i);
    if (!whole)
      node_fail(&value, "with its variables it is longer than %d bytes", MANIFEST_ENV_MAX);
    t->env[i] = (ManifestEnv){node_string(&name, ""), whole ? whole : str_dup("")};
    t->n_env = i + 1;
    if (!str_is_env_name(t->env[i].name))
      node_fail(&name, "\"%.64s\" is not a name of an environment variable", t->env[i].name);
  }
}

static void read_resources(const Node *container, ManifestTemplate *t) {
  static const char *const KNOWN[] = {"cpu", "memory", "ephemeral-storage", NULL};
  Node resources = node_get(container, "resources"), limits = node_get(&resources, "limits"),
       requests = node_get(&resources, "requests");
  node_only(&resources, (const char *const[]){"limits", "requests", "claims", NULL});
  for (size_t i = 0; KNOWN[i]; i++) { /* checked, though nothing is scheduled here */
    Node r = node_get(&requests, KNOWN[i]);
    node_quantity_milli(&r);
  }
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)limits.value, key, value) {
    Node limit = node_get(&limits, key);
    int64_t milli = node_quantity_milli(&limit);
    if (milli <= 0 && !limits.reader->failed)
      node_fail(&limit, "must be above zero");
    if (strcmp(key, "cpu") == 0)
      t->cpu_milli = milli;
    else if (strcmp(key, "memory") == 0)
      t->memory_bytes = milli / 1000;
    else if (strcmp(key, "ephemeral-storage") == 0)
      t->ephemeral_bytes = milli / 1000;
    else
      node_unsupported(&limit, "the local backend cannot enforce it");
  }
  Node ephemeral = node_get(&requests, "ephemeral-storage");
  if (t->ephemeral_bytes == 0)
    t->ephemeral_bytes = node_quantity_milli(&ephemeral) / 1000;
}

/* level 0: the pod's, 1: the container's, which goes before it. */
static void read_security(const Node *owner, ManifestTemplate *t) {
  Node s = node_get(owner, "securityContext");
  if (!node_present(&s))
    return;
  node_only(&s, SECURITY);
  Node user = node_get(&s, "runAsUser"), group = node_get(&s, "runAsGroup"), non_root = node_get(&s, "runAsNonRoot");
  Node caps = node_get(&s, "capabilities"), add = node_get(&caps, "add"), root = node_get(&s, "readOnlyRootFilesystem");
  t->run_as_user = node_int(&user, 0, 65533, t->run_as_user);
  t->run_as_group = node_int(&group, 0, 65533, t->run_as_group);
  t->run_as_non_root = node_bool(&non_root, t->run_as_non_root);
  if (t->run_as_user == 0)
    node_unsupported(&user, "commands never run as root in the local backend");
  if (node_present(&root) && !node_bool(&root, true))
    node_unsupported(&root, "the image is always read-only in the local backend");
  refuse_true(&s, "privileged");
  refuse_true(&s, "allowPrivilegeEscalation");
  node_want_list(&add);
  if (node_len(&add) > 0)
    node_unsupported(&add, "commands never have capabilities in the local backend");
  Node sysctls = node_get(&s, "sysctls"), proc = node_get(&s, "procMount");
  if (node_present(&sysctls))
    node_unsupported(&sysctls, "is not supported by the local backend");
  if (node_present(&proc) && !str_equal(json_string_value(proc.value), "Default"))
    node_unsupported(&proc, "only Default is supported");
}

static void read_probe(const Node *container, ManifestTemplate *t) {
  Node probe = node_get(container, "readinessProbe"), get = node_get(&probe, "httpGet");
  t->ready_path = str_dup("/");
  if (!node_present(&probe))
    return;
  node_only(&probe, PROBE);
  if (!node_present(&get))
    return node_unsupported(&probe, "only httpGet is supported by the local backend");
  Node path = node_get(&get, "path"), port = node_get(&get, "port"), delay = node_get(&probe, "initialDelaySeconds");
  Node period = node_get(&probe, "periodSeconds"), timeout = node_get(&probe, "timeoutSeconds"),
       failures = node_get(&probe, "failureThreshold");
  node_only(&get, (const char *const[]){"path", "port", "scheme", "host", "httpHeaders", NULL});
  free(t->ready_path);
  t->ready_path = node_string(&path, "/");
  if (*t->ready_path != '/' || strpbrk(t->ready_path, " \r\n"))
    node_fail(&path, "must begin with / and hold no blanks");
  if (json_is_string(port.value))
    node_unsupported(&port, "named ports are not supported by the local backend");
  t->ready_port = (int)node_int(&port, 1, 65535, 0);
  if (!node_present(&port))
    node_fail(&port, "is required");
  t->ready_initial_delay_ms = 1000 * node_int(&delay, 0, 3600, 0);
  t->ready_period_ms = 1000 * node_int(&period, 1, 3600, 10);
  t->ready_timeout_ms = 1000 * node_int(&timeout, 1, 3600, 1);
  t->ready_failures = (int)node_int(&failures, 1, 1000, 3);
}

static void check_ports(const Node *container) {
  Node ports = node_get(container, "ports");
  node_want_list(&ports);
  for (size_t i = 0; i < node_len(&ports); i++) {
    Node item = node_at(&ports, i), port = node_get(&item, "containerPort"), host = node_get(&item, "hostPort");
    node_only(&item, (const char *const[]){"name", "containerPort", "protocol", "hostPort", "hostIP", NULL});
    node_int(&port, 1, 65535, 0);
    if (!node_present(&port))
      node_fail(&port, "is required");
    if (node_present(&host))
      node_unsupported(&host, "a sandbox takes no port of the host");
  }
}

static void read_container(const Node *c, ManifestTemplate *t) {
  node_want_object(c);
  node_only(c, CONTAINER);
  refuse(c, CONTAINER_REFUSED);
  Node name = node_get(c, "name"), image = node_get(c, "image"), command = node_get(c, "command"),
       args = node_get(c, "args"), dir = node_get(c, "workingDir");
  t->container = node_string(&name, "");
  if (!str_is_dns_label(t->container))
    node_fail(&name, "must be a DNS label");
  t->image = node_string(&image, "");
  if (!*t->image)
    node_fail(&image, "is required");
  t->command = read_strings(&command);
  t->args = read_strings(&args);
  if (t->command || t->args)
    node_unsupported(t->command ? &command : &args,
                     "the local backend starts the runtime alone; run the program with Exec");
  t->working_dir = node_string(&dir, "");
  if (*t->working_dir && *t->working_dir != '/')
    node_fail(&dir, "must be an absolute path");
  check_ports(c);
  read_env(c, t);
  read_resources(c, t);
  read_security(c, t);
  read_probe(c, t);
}

static void read_annotations(const Node *pod, ManifestTemplate *t) {
  Node meta = node_get(pod, "metadata"), annotations = node_get(&meta, "annotations"),
       pids = node_get(&annotations, PIDS_ANNOTATION);
  node_only(&meta, (const char *const[]){"labels", "annotations", NULL});
  if (!node_present(&pids))
    return;
  CLEANUP(str_freep) char *text = node_string(&pids, "");
  if (str_to_int64(text, 8, 65536, &t->pids))
    node_fail(&pids, "must be a number from 8 to 65536, as a string");
}

void manifest_read_template(const Node *root, ManifestTemplate *t) {
  Node spec = node_get(root, "spec"), pod = node_get(&spec, "podTemplate"), pod_spec = node_get(&pod, "spec");
  t->run_as_user = t->run_as_group = -1;
  t->read_only_root = true;
  node_want_object(&spec);
  node_only(&spec, SPEC);
  node_want_object(&pod);
  node_only(&pod, (const char *const[]){"spec", "metadata", NULL});
  node_want_object(&pod_spec);
  node_only(&pod_spec, POD);
  refuse(&pod_spec, POD_REFUSED);
  refuse(&spec, (const char *const[]){"volumeClaimTemplates", NULL});
  refuse_true(&pod_spec, "hostNetwork");
  refuse_true(&pod_spec, "hostPID");
  refuse_true(&pod_spec, "hostIPC");
  Node class_ = node_get(&pod_spec, "runtimeClassName"), containers = node_get(&pod_spec, "containers");
  t->runtime_class = node_string(&class_, "");
  if (*t->runtime_class && !str_is_dns_subdomain(t->runtime_class))
    node_fail(&class_, "must be a DNS subdomain");
  read_annotations(&pod, t);
  read_security(&pod_spec, t);
  node_want_list(&containers);
  if (node_len(&containers) == 0)
    node_fail(&containers, "exactly one container is needed");
  if (node_len(&containers) > 1)
    node_unsupported(&containers, "only one container is supported by the local backend");
  Node container = node_at(&containers, 0);
  if (!root->reader->failed)
    read_container(&container, t);
}

void manifest_read_pool(const Node *root, ManifestPool *p) {
  Node spec = node_get(root, "spec"), replicas = node_get(&spec, "replicas"),
       ref = node_get(&spec, "sandboxTemplateRef");
  Node name = node_get(&ref, "name"), strategy = node_get(&spec, "updateStrategy"), type = node_get(&strategy, "type");
  node_want_object(&spec);
  /* how long a member may be not ready is said on clusters; here the probe says it */
  Node grace = node_get(&spec, "readinessGracePeriodSeconds");
  node_only(&spec, (const char *const[]){"replicas", "sandboxTemplateRef", "updateStrategy",
                                         "readinessGracePeriodSeconds", NULL});
  node_only(&ref, (const char *const[]){"name", NULL});
  node_only(&strategy, (const char *const[]){"type", NULL});
  node_int(&grace, 30, INT32_MAX, 0);
  p->replicas = (int)node_int(&replicas, 0, 10000, 1);
  node_want_object(&ref);
  p->template_name = node_string(&name, "");
  if (!str_is_dns_label(p->template_name))
    node_fail(&name, "must be the name of a SandboxTemplate");
  CLEANUP(str_freep) char *text = node_string(&type, "OnReplenish");
  p->strategy = strcmp(text, "Recreate") == 0 ? 2 : 1;
  if (p->strategy == 1 && strcmp(text, "OnReplenish") != 0)
    node_fail(&type, "must be Recreate or OnReplenish");
}
