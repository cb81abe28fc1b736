/* See claim.h. */
#include "services/claims/claim/claim.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"

/* Range of google.protobuf.Timestamp, years 1 to 9999. */
#define TIMESTAMP_MIN INT64_C(-62135596800)
#define TIMESTAMP_MAX INT64_C(253402300799)
/* Range of google.protobuf.Duration, 10,000 years. */
#define DURATION_MAX INT64_C(315576000000)

static int check_duration(const ClaimTime *in, const char *field, int64_t min_ms, int64_t *ret_ms, Error *err) {
  if (in->seconds < -DURATION_MAX || in->seconds > DURATION_MAX || in->nanos < -999999999 || in->nanos > 999999999 ||
      (in->seconds > 0 && in->nanos < 0) || (in->seconds < 0 && in->nanos > 0))
    return error_field(err, field, "is not a well-formed duration");
  if (in->seconds < 0 || in->nanos < 0)
    return error_field(err, field, "must not be negative");
  int64_t ms = in->seconds * 1000 + in->nanos / 1000000;
  if (ms < min_ms || ms > CLAIM_MAX_TTL_MS)
    return error_field(err, field, "must be %s to 30 days", min_ms ? "1 s" : "0");
  *ret_ms = ms;
  return 0;
}

static int check_ttl(const ClaimTime *in, const char *field, int64_t *ret_ms, Error *err) {
  *ret_ms = 0;
  return in->set ? check_duration(in, field, CLAIM_MIN_TTL_MS, ret_ms, err) : 0;
}

/* "field[key]", but "field" alone for a key that would make the path unreadable or bad UTF-8. */
static void entry_path(char out[128], const char *field, const char *key) {
  size_t len = strlen(key);
  bool plain = len <= 64;
  for (size_t i = 0; plain && i < len; i++)
    plain = key[i] >= ' ' && key[i] <= '~';
  snprintf(out, 128, plain ? "%s[%s]" : "%s", field, key);
}

static int check_labels(const StatePair *labels, size_t n, const char *field, Error *err) {
  if (n > CLAIM_MAX_LABELS)
    return error_field(err, field, "holds %zu labels, at most %d are allowed", n, CLAIM_MAX_LABELS);
  char path[128];
  for (size_t i = 0; i < n; i++) {
    entry_path(path, field, labels[i].key);
    if (!str_is_label_key(labels[i].key))
      return error_field(err, path,
                         "the key must be [prefix/]name: a name of 1-63 of [A-Za-z0-9._-] with a letter "
                         "or digit at each end, a prefix that is a DNS subdomain");
    if (!str_is_label_value(labels[i].value))
      return error_field(err, path,
                         "the value must be empty or 1-63 of [A-Za-z0-9._-] with a letter or digit at "
                         "each end");
  }
  return 0;
}

static int check_env(const StatePair *env, size_t n, Error *err) {
  size_t total = 0;
  char path[128];
  for (size_t i = 0; i < n; i++) {
    if (!str_is_env_name(env[i].key)) {
      entry_path(path, "env", env[i].key);
      return error_field(err, path, "the name must be [A-Za-z_][A-Za-z0-9_]*");
    }
    total += strlen(env[i].key) + strlen(env[i].value) + 2;
  }
  if (total > CLAIM_MAX_ENV_BYTES)
    return error_field(err, "env", "is %zu bytes, at most %d are allowed", total, CLAIM_MAX_ENV_BYTES);
  return 0;
}

static int check_request_id(const char *id, Error *err) {
  size_t len = strlen(id);
  if (len > CLAIM_MAX_REQUEST_ID)
    return error_field(err, "request_id", "is %zu characters, at most %d are allowed", len, CLAIM_MAX_REQUEST_ID);
  for (size_t i = 0; i < len; i++)
    if (id[i] < ' ' || id[i] > '~')
      return error_field(err, "request_id", "must be printable ASCII");
  return 0;
}

static int check_source(const ClaimInput *in, ClaimSpec *spec, Error *err) {
  bool from_pool = !str_empty(in->pool);
  if (from_pool == !str_empty(in->template_name))
    return error_field(err, from_pool ? "template" : "pool", "exactly one of pool and template is required");
  const char *field = from_pool ? "pool" : "template";
  ResourceName name;
  if (resource_name_parse(from_pool ? in->pool : in->template_name, from_pool ? "pools" : "templates", field, &name,
                          err) < 0)
    return -1;
  if (!str_equal(name.ns, spec->ns))
    return error_field(err, field, "must be in the namespace of parent");
  memcpy(from_pool ? spec->pool : spec->template_name, name.id, sizeof name.id);
  return 0;
}

/* LOW, NORMAL and HIGH are 1, 2 and 3; unset is NORMAL. */
static int check_priority(int in, int *ret_priority, Error *err) {
  if (in < 0 || in > 3)
    return error_field(err, "priority", "is not known");
  *ret_priority = in ? in - 2 : 0;
  return 0;
}

static int check_tenant(const char *in, const char **ret_tenant, Error *err) {
  *ret_tenant = str_empty(in) ? STATE_DEFAULT_TENANT : in;
  if (str_is_dns_label(*ret_tenant))
    return 0;
  return error_set(err, ERROR_UNAUTHENTICATED, "the caller's tenant is not a DNS label");
}

int claim_check(const ClaimInput *in, ClaimSpec *ret_spec, Error *err) {
  *ret_spec = (ClaimSpec){
      .request_id = in->request_id ? in->request_id : "",
      .max_wait_ms = CLAIM_DEFAULT_WAIT_MS,
      .labels = in->labels,
      .n_labels = in->n_labels,
      .env = in->env,
      .n_env = in->n_env,
  };
  if (resource_parent_parse(in->parent, false, "parent", ret_spec->ns, err) < 0 ||
      check_source(in, ret_spec, err) < 0 || check_request_id(ret_spec->request_id, err) < 0 ||
      check_ttl(&in->ttl, "ttl", &ret_spec->ttl_ms, err) < 0 ||
      check_ttl(&in->idle_timeout, "idle_timeout", &ret_spec->idle_timeout_ms, err) < 0)
    return -1;
  if (in->max_wait.set && check_duration(&in->max_wait, "max_wait", 0, &ret_spec->max_wait_ms, err) < 0)
    return -1;
  if (check_labels(in->labels, in->n_labels, "labels", err) < 0 ||
      check_priority(in->priority, &ret_spec->priority, err) < 0 ||
      check_tenant(in->tenant, &ret_spec->tenant, err) < 0)
    return -1;
  return check_env(in->env, in->n_env, err);
}

ClaimRequest claim_request(const ClaimSpec *spec, const char *pool, const char *uid, int64_t max_wait_ms) {
  return (ClaimRequest){
      .ns = spec->ns,
      .pool = pool,
      .uid = uid,
      .request_id = spec->request_id,
      .ttl_ms = spec->ttl_ms,
      .idle_timeout_ms = spec->idle_timeout_ms,
      .labels = spec->labels,
      .n_labels = spec->n_labels,
      .env = spec->env,
      .n_env = spec->n_env,
      .max_wait_ms = max_wait_ms,
      .tenant = spec->tenant,
      .priority = spec->priority,
  };
}

int claim_refusal(const ClaimSpec *spec, const QuotaRefusal *refusal, Error *err) {
  static const struct {
    const char *limit, *words;
  } LIMITS[] = {{"live", "live sandboxes"}, {"cpu", "thousandths of a CPU"}, {"memory", "bytes of memory"}};
  const char *words = refusal->limit;
  for (size_t i = 0; i < ARRAY_LEN(LIMITS); i++)
    if (str_equal(refusal->limit, LIMITS[i].limit))
      words = LIMITS[i].words;
  if (str_equal(refusal->limit, "rate"))
    error_set(err, ERROR_RESOURCE_EXHAUSTED,
              "the quota of tenant %s in namespace %s allows %s claims a second, %s at once", spec->tenant, spec->ns,
              refusal->allowed, refusal->used);
  else if (str_equal(refusal->limit, "shape"))
    error_set(err, ERROR_RESOURCE_EXHAUSTED,
              "tenant %s has a quota of cpu or memory in namespace %s, and what the pool's template asks for is not "
              "known yet",
              spec->tenant, spec->ns);
  else
    error_set(err, ERROR_RESOURCE_EXHAUSTED, "the quota of tenant %s in namespace %s allows %s %s, and %s are in use",
              spec->tenant, spec->ns, refusal->allowed, words, refusal->used);
  snprintf(err->field, sizeof err->field, "tenant:%s", spec->tenant);
  err->retry_after_ms = refusal->retry_ms < UINT32_MAX ? (uint32_t)refusal->retry_ms : UINT32_MAX;
  return -1;
}

static int check_expire_time(const ClaimTime *in, int64_t now_ms, int64_t *ret_ms, Error *err) {
  *ret_ms = 0;
  if (!in->set)
    return 0;
  if (in->seconds < TIMESTAMP_MIN || in->seconds > TIMESTAMP_MAX || in->nanos < 0 || in->nanos > 999999999)
    return error_field(err, "sandbox.expire_time", "is not a well-formed timestamp");
  int64_t ms = in->seconds * 1000 + in->nanos / 1000000;
  if (ms > now_ms + CLAIM_MAX_TTL_MS)
    return error_field(err, "sandbox.expire_time", "must be at most 30 days ahead");
  /* 0 means never, and nothing before it can be told apart from "now" anyway. */
  *ret_ms = ms > 0 ? ms : 1;
  return 0;
}

static int check_mask(const ClaimUpdateInput *in, int *ret_mask, Error *err) {
  static const struct {
    const char *path;
    int bit;
  } fields[] = {
      {"labels", STATE_UPDATE_LABELS},
      {"expire_time", STATE_UPDATE_EXPIRE},
      {"idle_timeout", STATE_UPDATE_IDLE},
  };
  *ret_mask = 0;
  for (size_t i = 0; i < in->n_mask; i++) {
    int bit = 0;
    for (size_t k = 0; k < sizeof fields / sizeof fields[0]; k++)
      if (str_equal(in->mask[i], fields[k].path))
        bit = fields[k].bit;
    if (!bit)
      return error_field(err, "update_mask", "paths are labels, expire_time and idle_timeout");
    *ret_mask |= bit;
  }
  if (!*ret_mask)
    return error_field(err, "update_mask", "is required: any of labels, expire_time and idle_timeout");
  return 0;
}

int claim_check_update(const ClaimUpdateInput *in, int64_t now_ms, ResourceName *ret_name, SandboxUpdate *ret_update,
                       Error *err) {
  *ret_update = (SandboxUpdate){.labels = in->labels, .n_labels = in->n_labels};
  SandboxUpdate *u = ret_update;
  if (resource_name_parse(in->name, "sandboxes", "sandbox.name", ret_name, err) < 0 ||
      check_mask(in, &u->mask, err) < 0)
    return -1;
  if ((u->mask & STATE_UPDATE_LABELS) && check_labels(in->labels, in->n_labels, "sandbox.labels", err) < 0)
    return -1;
  if ((u->mask & STATE_UPDATE_EXPIRE) && check_expire_time(&in->expire_time, now_ms, &u->expire_ms, err) < 0)
    return -1;
  if ((u->mask & STATE_UPDATE_IDLE) &&
      check_ttl(&in->idle_timeout, "sandbox.idle_timeout", &u->idle_timeout_ms, err) < 0)
    return -1;
  return 0;
}

int claim_implicit_pool(const char *template_name, char ret_pool[RESOURCE_SEGMENT_MAX + 1], Error *err) {
  int max = STATE_POOL_NAME_MAX - (int)strlen(STATE_IMPLICIT_POOL_PREFIX);
  if (strlen(template_name) > (size_t)max)
    return error_field(err, "template", "a name of more than %d characters can only be claimed through a pool", max);
  snprintf(ret_pool, RESOURCE_SEGMENT_MAX + 1, STATE_IMPLICIT_POOL_PREFIX "%s", template_name);
  return 0;
}

ClaimCondition claim_ready_condition(const SandboxRecord *record) {
  switch (record->state) {
  case SANDBOX_READY:
  case SANDBOX_CLAIMED:
    /* of a Pod only its own readiness is known: it need not have our runtime */
    return (ClaimCondition){"True", "DependenciesReady",
                            record->route && str_starts_with(record->route, "pod:") ? "the Pod is ready"
                                                                                    : "the runtime answers",
                            record->ready_ms};
  case SANDBOX_CREATING:
    return (ClaimCondition){"False", "Creating", "the sandbox is being started", record->create_ms};
  case SANDBOX_RELEASING:
  case SANDBOX_FAILED:
  case SANDBOX_UNKNOWN:
    break;
  }
  const char *fallback = record->state == SANDBOX_FAILED ? "Failed" : "Released";
  return (ClaimCondition){"False", str_empty(record->reason) ? fallback : record->reason,
                          record->message ? record->message : "", 0};
}
