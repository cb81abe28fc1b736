/* Whether an HTTP request may go on to a sandbox, and to which; decided from its head alone. */
#ifndef SANDPLANE_SERVICES_ROUTER_HTTP_ADMIT_H_
#define SANDPLANE_SERVICES_ROUTER_HTTP_ADMIT_H_

#include "lib/base/buf.h"
#include "lib/http/http_reader.h"
#include "services/router/access/access.h"
#include "services/router/route/browser_session.h"
#include "services/router/route/routing.h"
#include "services/router/target.h"

/* What requests are held to; the same for all. */
typedef struct AdmitRules {
  const Access *access;
  Routing routing;
  BrowserSession session;
  bool trusts_proto; /* X-Forwarded-Proto is a proxy's */
  int64_t max_timeout_ms;
} AdmitRules;

typedef struct Admission {
  /* 0: it goes to the target. 200: /healthz, which the router answers. 302, 308: to location. Otherwise a refusal. */
  int status;
  const char *detail;
  const char *allow; /* value of the Allow field, or NULL */
  bool close;        /* nothing behind it on this connection can be trusted */
  bool judged;       /* authorisation was asked, and status is what it said */
  Buf location;
  Buf set_cookie;    /* empty: none */
  Buf path;          /* what the program is asked for, with its query; of a request that goes on */
  Buf prefix;        /* where that begins for the client; empty: at the root */
  const char *proto; /* "http" or "https", of the client's URL */
} Admission;

/* tls: the request came by it. */
Admission admit(const AdmitRules *rules, const HttpHead *head, bool tls, int64_t now_s, Target *ret_target);
void admission_deinit(Admission *admission);

#endif
