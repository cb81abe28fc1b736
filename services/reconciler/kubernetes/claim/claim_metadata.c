/* The rules for additionalPodMetadata; see claim_rules.h.
 *
 * A label that a user may put on a Pod freely could make it an endpoint of somebody's Service or escape a
 * NetworkPolicy: so labels need a domain that the operator has allowed, and the router's own label is refused
 * outright. Annotations steer controllers: those of Kubernetes and of this API are refused.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "services/reconciler/kubernetes/claim/claim_rules.h"
#include "services/reconciler/kubernetes/object/well_known.h"

#define DEFAULT_DOMAIN "sandbox.users.io"

static const char *const ANNOTATION_DOMAINS_REFUSED[] = {"kubernetes.io", "k8s.io", AGENTS_GROUP};

void claim_domains_parse(ClaimDomains *domains, const char *text) {
  *domains = (ClaimDomains){.text = str_dup(text ? text : "")};
  domains->names = xcalloc(strlen(domains->text) / 2 + 2, sizeof *domains->names);
  for (char *p = domains->text; *p; p++)
    *p = (char)tolower((unsigned char)*p);
  char *rest = domains->text, *name;
  while ((name = strsep(&rest, ", \t\r\n"))) {
    if (*name)
      domains->names[domains->n++] = name;
  }
  if (domains->n == 0)
    domains->names[domains->n++] = DEFAULT_DOMAIN;
}

void claim_domains_deinit(ClaimDomains *domains) {
  free(domains->text);
  free(domains->names);
  *domains = (ClaimDomains){0};
}

/* Whether the key's domain is one of these, or below. False without a domain. */
static bool has_domain(const char *key, const char *const *domains, size_t n) {
  const char *slash = strchr(key, '/');
  size_t len = slash ? (size_t)(slash - key) : 0;
  for (size_t i = 0; i < n && len > 0; i++) {
    size_t m = strlen(domains[i]);
    if (len < m || strncasecmp(key + len - m, domains[i], m) != 0)
      continue;
    if (len == m || key[len - m - 1] == '.')
      return true;
  }
  return false;
}

static int refuse(Error *err, const char *what, const char *key, const char *why) {
  return error_set(err, ERROR_INVALID_ARGUMENT, "invalid additionalPodMetadata: %s \"%s\" %s", what, key, why);
}

/* Where domains are allowed, in the words of the reference controller, which users look for. */
static int refuse_domain(Error *err, const char *key) {
  CLEANUP(str_freep)
  char *why = strchr(key, '/')
                  ? str_printf("label domain \"%.*s\" is not in the allowlist", (int)strcspn(key, "/"), key)
                  : str_dup("it needs a label domain that is in the allowlist");
  return error_set(err, ERROR_INVALID_ARGUMENT,
                   "invalid additionalPodMetadata: label \"%s\": %s (configure the allowed-label-domains key of the "
                   "agent-sandbox-config ConfigMap in the controller namespace; default: " DEFAULT_DOMAIN ")",
                   key, why);
}

static int check_label(const char *key, const char *value, const ClaimDomains *domains, Error *err) {
  if (!str_is_label_key(key))
    return refuse(err, "label", key, "is not a qualified name");
  if (str_equal(key, "app") && value && strcasecmp(value, "sandbox-router") == 0)
    return refuse(err, "label", key, "must not be the sandbox router's");
  if (!has_domain(key, domains->names, domains->n))
    return refuse_domain(err, key);
  if (!value || !str_is_label_value(value))
    return refuse(err, "label", key, "has a value that no label may have");
  return 0;
}

static int check_annotation(const char *key, const char *value, const ClaimDomains *domains, Error *err) {
  if (!str_is_label_key(key))
    return refuse(err, "annotation", key, "is not a qualified name");
  if (!str_equal(key, ANNOTATION_SAFE_TO_EVICT) &&
      has_domain(key, ANNOTATION_DOMAINS_REFUSED, ARRAY_LEN(ANNOTATION_DOMAINS_REFUSED)))
    return refuse(err, "annotation", key, "has a reserved domain");
  if (!value)
    return refuse(err, "annotation", key, "is not a text");
  return 0;
}

/* A key of the template may be repeated, but not changed. */
static int check_conflicts(const json_t *ours, const json_t *theirs, const char *what, Error *err) {
  const char *key;
  json_t *v;
  json_object_foreach((json_t *)ours, key, v) {
    const char *set = json_string_value(json_object_get(theirs, key));
    if (set && !str_equal(set, json_string_value(v)))
      return error_set(err, ERROR_FAILED_PRECONDITION,
                       "metadata override conflict: the template sets %s \"%s\" to \"%s\"", what, key, set);
  }
  return 0;
}

int claim_check_metadata(const json_t *claim, const json_t *template, const ClaimDomains *domains,
                         ClaimReject *ret_reject, Error *err) {
  const json_t *labels = kube_get(claim, "spec.additionalPodMetadata.labels");
  const json_t *annotations = kube_get(claim, "spec.additionalPodMetadata.annotations");
  const char *key;
  json_t *v;
  *ret_reject = CLAIM_INVALID_METADATA;
  json_object_foreach((json_t *)labels, key, v) {
    if (check_label(key, json_string_value(v), domains, err) != 0)
      return -1;
  }
  json_object_foreach((json_t *)annotations, key, v) {
    if (check_annotation(key, json_string_value(v), domains, err) != 0)
      return -1;
  }
  *ret_reject = CLAIM_FAILED;
  const json_t *metadata = kube_get(template, "spec.podTemplate.metadata");
  if (check_conflicts(labels, kube_get(metadata, "labels"), "label", err) != 0)
    return -1;
  if (check_conflicts(annotations, kube_get(metadata, "annotations"), "annotation", err) != 0)
    return -1;
  *ret_reject = CLAIM_ACCEPTED;
  return 0;
}

bool claim_has_metadata(const json_t *claim) {
  return json_object_size(kube_get(claim, "spec.additionalPodMetadata.labels")) > 0 ||
         json_object_size(kube_get(claim, "spec.additionalPodMetadata.annotations")) > 0;
}
