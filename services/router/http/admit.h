/* Whether an HTTP request may go on to a sandbox, and to which; decided from its head alone. */
#ifndef SANDPLANE_SERVICES_ROUTER_HTTP_ADMIT_H_
#define SANDPLANE_SERVICES_ROUTER_HTTP_ADMIT_H_

#include "lib/http/http_reader.h"
#include "services/router/access/access.h"
#include "services/router/target.h"

typedef struct Admission {
  /* 0: it goes to the target. 200: /healthz, which the router answers. Otherwise a refusal. */
  int status;
  const char *detail;
  const char *allow; /* value of the Allow field, or NULL */
  bool close;        /* nothing behind it on this connection can be trusted */
  bool judged;       /* authorisation was asked, and status is what it said */
} Admission;

Admission admit(const Access *access, const HttpHead *head, int64_t max_timeout_ms, int64_t now_s, Target *ret_target);

#endif
