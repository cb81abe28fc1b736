/* What can go wrong between the router and a program in a sandbox, and how each is told: as a status, as words for the
 * caller, and as labels that do not grow. No I/O. */
#ifndef SANDPLANE_SERVICES_ROUTER_HTTP_FAILURE_H_
#define SANDPLANE_SERVICES_ROUTER_HTTP_FAILURE_H_

#include "lib/base/buf.h"
#include "lib/base/compiler.h"

typedef enum Failure {
  FAILURE_NO_SANDBOX,
  FAILURE_FORBIDDEN, /* what let the caller in does not cover this one */
  FAILURE_NOT_CLAIMED,
  FAILURE_ENDED,
  FAILURE_UNREACHABLE, /* its runtime, or its Pod's address, does not answer */
  FAILURE_REFUSED,     /* its runtime does, and takes no connection of this claim */
  FAILURE_PORT_CLOSED, /* nobody listens */
  FAILURE_NO_ANSWER,   /* the program closed or reset the connection before it had answered */
  FAILURE_NOT_HTTP,
  FAILURE_CUT,             /* the answer ended in its midst: the caller has the status already */
  FAILURE_CONNECT_TIMEOUT, /* nobody took the connection in time */
  FAILURE_TIMEOUT,         /* nothing came for as long as the caller wanted to wait */
  FAILURE_NO_STATE,        /* the state store did not answer */
  FAILURE_N,
} Failure;

typedef struct FailureKind {
  /* In the access log, and "reason" of the answer. */
  const char *label;
  /* Label `reason` of sandbox_router_upstream_errors_total, one of those of the Agent Sandbox router. */
  const char *upstream;
  int status;
  /* The answer's detail is this, ": ", the sandbox's name, ": " and what is known. */
  const char *opening;
} FailureKind;

extern const FailureKind FAILURES[FAILURE_N];

/* Of a request that no exchange was begun for, as there are --max-requests: 503. */
#define BUSY_LABEL "busy"
#define BUSY_DETAIL "Too many requests are under way, try again."

#endif
