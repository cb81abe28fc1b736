/* What the API server refuses as invalid it refuses again until the spec changes: a Pod that cannot be, a Service whose
 * name is too long. So it is not asked again for the same generation, but for once in a while: an admission policy of
 * the cluster says "invalid" as well, and may be changed. Kept in memory, for a new leader's one more try does no harm.
 */
#include <string.h>

#include "lib/base/str.h"
#include "services/reconciler/kubernetes/sandbox/sandbox_pass.h"

#define TRY_AGAIN_MS 300000

static bool is_final(const Error *err) {
  return err->kind == ERROR_INVALID_ARGUMENT;
}

bool sandbox_refusals_only(const SandboxPass *p) {
  bool any = false;
  for (size_t i = 0; i < N_STEPS; i++) {
    if (p->failed[i].kind != ERROR_NONE && !is_final(&p->failed[i]))
      return false;
    any |= p->failed[i].kind != ERROR_NONE;
  }
  return any;
}

static json_int_t generation_of(const json_t *sandbox) {
  return kube_int(sandbox, "metadata.generation", 0);
}

void sandbox_refusals_recall(SandboxPass *p, const json_t *sandbox) {
  const json_t *refused = json_object_get(p->refused, kube_uid(sandbox));
  if (!refused || kube_int(refused, "generation", -1) != generation_of(sandbox) ||
      kube_int(refused, "until", 0) <= loop_now_ms(p->pass.c->loop))
    return;
  /* the status is tried each time: it may say more than last time */
  for (size_t i = 0; i < STEP_REST; i++) {
    const char *message = json_string_value(json_array_get(json_object_get(refused, "messages"), i));
    if (str_empty(message))
      continue;
    error_set(&p->failed[i], ERROR_INVALID_ARGUMENT, "%s", message);
    p->recalled |= 1u << i;
  }
}

int64_t sandbox_refusals_keep(SandboxPass *p, const json_t *sandbox) {
  if (!p->looked)
    return 0;
  const char *uid = kube_uid(sandbox);
  bool any = false;
  for (size_t i = 0; i < N_STEPS; i++)
    any |= is_final(&p->failed[i]);
  if (!any) {
    json_object_del(p->refused, uid);
    return 0;
  }
  json_t *messages = json_array();
  int64_t now = loop_now_ms(p->pass.c->loop), until = 0;
  for (size_t i = 0; i < N_STEPS; i++) {
    bool refused = is_final(&p->failed[i]);
    if (refused && !(p->recalled & 1u << i))
      until = now + TRY_AGAIN_MS;
    else if (refused && until == 0)
      until = kube_int(json_object_get(p->refused, uid), "until", now + TRY_AGAIN_MS);
    /* a message of bytes that are no text is no string of jansson's */
    json_array_append_new(messages,
                          json_stringn_nocheck(p->failed[i].message, refused ? strlen(p->failed[i].message) : 0));
  }
  json_object_set_new(p->refused, uid,
                      json_pack("{s:I,s:I,s:o}", "generation", generation_of(sandbox), "until", (json_int_t)until,
                                "messages", messages));
  return until > now ? until - now : 1;
}
