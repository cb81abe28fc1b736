/* The head of an answer made one that fits where the client sees the sandbox: below a path, or on a host of its own.
 *
 * By path, Location and the Path of cookies get the folder before them that the program does not know. Either way a
 * cookie loses its Domain, so that it stays with the sandbox, and one that has the name of the router's own is left
 * out. By path all sandboxes share one origin: what a program says of the whole of it is left out as well. Pure.
 */
#ifndef SANDPLANE_SERVICES_ROUTER_ROUTE_ANSWER_REWRITE_H_
#define SANDPLANE_SERVICES_ROUTER_ROUTE_ANSWER_REWRITE_H_

#include "lib/base/buf.h"
#include "lib/http/http_reader.h"
#include "services/router/target.h"

typedef struct AnswerRewrite {
  HttpHead head;
  HttpHeader fields[HTTP_MAX_HEADERS];
  Buf text;
} AnswerRewrite;

/* routing: its prefix and keeps_answers. cookie: name of the router's own; NULL: none. Returns head where nothing of
 * the kind is to be done, ret->head otherwise, which is good as long as head and ret are. */
const HttpHead *answer_rewrite(const Routing *routing, const Target *target, const char *cookie, const HttpHead *head,
                               AnswerRewrite *ret);
void answer_rewrite_deinit(AnswerRewrite *rewrite);

#endif
