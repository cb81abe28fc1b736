/* See service.h. */
#include "services/reconciler/kubernetes/sandbox/service.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "services/reconciler/kubernetes/object/ownership.h"
#include "services/reconciler/kubernetes/object/well_known.h"

/* ---- ports ---- */

typedef struct Port {
  int64_t number;
  const char *protocol;
  const char *name; /* NULL: none yet; borrowed of the Sandbox */
} Port;

typedef struct Ports {
  Port *at;
  size_t n;
} Ports;

static bool is_taken(const Ports *ports, const char *name) {
  for (size_t i = 0; i < ports->n; i++) {
    if (str_equal(ports->at[i].name, name))
      return true;
  }
  return false;
}

static Port *find_or_add(Ports *ports, int64_t number, const char *protocol) {
  for (size_t i = 0; i < ports->n; i++) {
    Port *p = &ports->at[i];
    if (p->number == number && str_equal(p->protocol, protocol))
      return p;
  }
  ports->at = xrealloc(ports->at, (ports->n + 1) * sizeof *ports->at);
  ports->at[ports->n] = (Port){.number = number, .protocol = protocol};
  return &ports->at[ports->n++];
}

static void add_container(Ports *ports, const json_t *container) {
  size_t i;
  json_t *port;
  json_array_foreach(kube_get(container, "ports"), i, port) {
    int64_t number = kube_int(port, "containerPort", 0);
    const char *protocol = kube_text(port, "protocol"), *name = kube_text(port, "name");
    if (number == 0)
      continue;
    Port *p = find_or_add(ports, number, str_empty(protocol) ? "TCP" : protocol);
    if (!p->name && !str_empty(name) && !is_taken(ports, name))
      p->name = name;
  }
}

static int compare_ports(const void *a, const void *b) {
  const Port *x = a, *y = b;
  if (x->number != y->number)
    return x->number < y->number ? -1 : 1;
  return strcmp(x->protocol, y->protocol);
}

/* malloc'ed: a name for a port that no container names. */
static char *invent_name(const Ports *ports, const Port *p) {
  for (int i = 1;; i++) {
    char *name = i == 1 ? str_printf("p-%lld-%s", (long long)p->number, p->protocol)
                        : str_printf("p-%lld-%s-%d", (long long)p->number, p->protocol, i);
    for (char *c = name; *c; c++)
      *c = (char)tolower((unsigned char)*c);
    if (!is_taken(ports, name))
      return name;
    free(name);
  }
}

json_t *service_ports(const json_t *sandbox) {
  Ports ports = {0};
  size_t i;
  json_t *container;
  json_array_foreach(kube_get(sandbox, "spec.podTemplate.spec.containers"), i, container)
      add_container(&ports, container);
  json_array_foreach(kube_get(sandbox, "spec.podTemplate.spec.initContainers"), i, container) {
    /* the others have ended before the Pod serves anything */
    if (str_equal(kube_text(container, "restartPolicy"), "Always"))
      add_container(&ports, container);
  }
  if (ports.n > 0)
    qsort(ports.at, ports.n, sizeof *ports.at, compare_ports);
  json_t *list = json_array();
  for (i = 0; i < ports.n; i++) {
    const Port *p = &ports.at[i];
    CLEANUP(str_freep) char *name = p->name ? str_dup(p->name) : invent_name(&ports, p);
    json_array_append_new(list, json_pack("{s:s,s:s,s:I,s:I}", "name", name, "protocol", p->protocol, "port",
                                          (json_int_t)p->number, "targetPort", (json_int_t)p->number));
  }
  free(ports.at);
  return list;
}

/* ---- the object ---- */

/* Label and selector; ports when the Sandbox asks for a Service itself. */
static void set_content(const json_t *sandbox, json_t *service, bool with_ports) {
  char hash[9];
  kube_name_hash(kube_name(sandbox), hash);
  kube_set_label(service, LABEL_NAME_HASH, hash);
  kube_set(service, "spec.selector", json_pack("{s:s}", LABEL_NAME_HASH, hash));
  if (!with_ports)
    return;
  json_t *ports = service_ports(sandbox);
  if (json_array_size(ports) > 0) {
    kube_set(service, "spec.ports", ports);
  } else {
    json_decref(ports);
    json_object_del(kube_get(service, "spec"), "ports");
  }
}

json_t *service_build(const json_t *sandbox) {
  json_t *service = json_pack("{s:s,s:s,s:{s:s,s:s*,s:o},s:{s:s}}", "apiVersion", "v1", "kind", "Service", "metadata",
                              "name", kube_name(sandbox), "namespace", kube_namespace(sandbox), "ownerReferences",
                              ownership_references(sandbox, NULL), "spec", "clusterIP", "None");
  set_content(sandbox, service, true);
  return service;
}

static json_t *repair_patch(const json_t *sandbox, const json_t *service, bool with_ports) {
  KUBE_OWNED json_t *next = json_deep_copy(service);
  set_content(sandbox, next, with_ports);
  return kube_merge_patch(service, next);
}

/* A clusterIP never changes again, and one that balances is not a name for the Pod. */
static ServiceAction adopt(const json_t *sandbox, const json_t *service, json_t **ret_patch, Error *err) {
  const char *ip = kube_text(service, "spec.clusterIP");
  if (!str_empty(ip) && !str_equal(ip, "None")) {
    error_set(err, ERROR_FAILED_PRECONDITION,
              "service \"%s\" has clusterIP %s; sandbox \"%s\" can only adopt a headless one", kube_name(service), ip,
              kube_name(sandbox));
    return SERVICE_ERROR;
  }
  json_t *next = json_deep_copy(service);
  set_content(sandbox, next, true);
  kube_set(next, "metadata.ownerReferences", ownership_references(sandbox, service));
  *ret_patch = next;
  return SERVICE_ADOPT;
}

static ServiceAction decide_owned(const json_t *sandbox, const json_t *service, int wanted, json_t **ret_patch,
                                  bool *ret_owned) {
  if (wanted == 0)
    return SERVICE_DELETE;
  *ret_owned = true;
  *ret_patch = repair_patch(sandbox, service, wanted == 1);
  return *ret_patch ? SERVICE_PATCH : SERVICE_NOTHING;
}

ServiceAction service_decide(const json_t *sandbox, const json_t *service, json_t **ret_patch, bool *ret_owned,
                             Error *err) {
  int wanted = kube_bool(sandbox, "spec.service");
  *ret_patch = NULL;
  *ret_owned = false;
  if (!service) {
    *ret_owned = wanted == 1;
    return wanted == 1 ? SERVICE_CREATE : SERVICE_NOTHING;
  }
  Ownership ownership = ownership_of(sandbox, service);
  if (ownership == OWNERSHIP_OURS)
    return decide_owned(sandbox, service, wanted, ret_patch, ret_owned);
  bool refused = ownership == OWNERSHIP_FOREIGN ? wanted != 0 : wanted == 1;
  if (!refused)
    return SERVICE_NOTHING;
  if (ownership == OWNERSHIP_ADOPTABLE) {
    ServiceAction action = adopt(sandbox, service, ret_patch, err);
    *ret_owned = action == SERVICE_ADOPT;
    return action;
  }
  ownership_refuse(sandbox, service, "service", err);
  return SERVICE_ERROR;
}
