/* See admit.h. /healthz comes before all that asks for headers: probes have none. */
#include "services/router/http/admit.h"

#include <string.h>

#include "services/router/http/forward.h"

/* All but CONNECT and TRACE, which would lead past the router or mirror what it adds. */
#define ALLOWED "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"

static bool is_health(const char *path) {
  return strncmp(path, "/healthz", 8) == 0 && (path[8] == 0 || path[8] == '?');
}

static Admission judge(AccessDenial denial) {
  return (Admission){.status = denial.status, .detail = denial.detail, .judged = true};
}

Admission admit(const Access *access, const HttpHead *head, int64_t max_timeout_ms, int64_t now_s, Target *ret_target) {
  if (strcmp(head->method, "CONNECT") == 0 || strcmp(head->method, "TRACE") == 0)
    return (Admission){.status = 405, .detail = "Method Not Allowed", .allow = ALLOWED, .close = true};
  if (!forward_path(head))
    return (Admission){.status = 400, .detail = "Invalid request target.", .close = true};
  if (http_head_count(head, "Host") > 1 || (head->minor_version >= 1 && !http_head_get(head, "Host")))
    return (Admission){.status = 400, .detail = "Missing or repeated Host header.", .close = true};
  if (is_health(forward_path(head)))
    return (Admission){.status = 200};
  AccessDenial denial = access_check_caller(access, head, now_s);
  if (denial.status)
    return judge(denial);
  const char *detail = target_parse(head, max_timeout_ms, ret_target);
  if (detail)
    return (Admission){.status = 400, .detail = detail};
  return judge(access_check_target(access, head, now_s, ret_target));
}
