/* Heads of gRPC on their way through the router, and the answers that are its own. No I/O. */
#ifndef SANDPLANE_SERVICES_ROUTER_HTTP_GRPC_FORM_H_
#define SANDPLANE_SERVICES_ROUTER_HTTP_GRPC_FORM_H_

#include "lib/base/error.h"
#include "lib/http2/http2_request.h"

typedef struct GrpcForm {
  char *text; /* all below points into it */
  const char *path;
  Http2Field *fields; /* with room for one more */
  size_t n_fields;
} GrpcForm;

/* head: of a request of HTTP/1.1 as forward_request writes it, whose framing is left out; grpc-timeout is, too, and
 * returned: in milliseconds, INT64_MAX when there is none that can be read. */
int64_t grpc_form_read(const char *head, GrpcForm *ret_form);
void grpc_form_deinit(GrpcForm *form);
/* Of an answer, what is passed on, all but fields of one connection; out: room for n. How many. */
size_t grpc_form_answer(const Http2Field *fields, size_t n, Http2Field *out);
/* The values of grpc-timeout: at most eight digits and a unit; -1: it is none. */
int64_t grpc_form_timeout_ms(const char *value);

enum { GRPC_FORM_STATUS_HEAD = 3 };

/* A status as the fields that say it: the type first, for an answer that has nothing else. */
typedef struct GrpcStatusFields {
  Http2Field head[GRPC_FORM_STATUS_HEAD];
  char number[4];
  char message[3 * sizeof((Error *)0)->message]; /* percent-encoded */
} GrpcStatusFields;

void grpc_form_status(const Error *err, GrpcStatusFields *ret);
/* The status of gRPC for what the router says with this one of HTTP, as in the Agent Sandbox router. */
ErrorKind grpc_form_kind(int http_status);

#endif
