/* JSON for tests, written with single quotes. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_TESTING_OBJECTS_FIXTURE_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_TESTING_OBJECTS_FIXTURE_H_

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/kube/kube_object.h"

/* New reference: the text made by fmt, its single quotes taken as double ones. */
PRINTF_LIKE(1, 2) static inline json_t *quoted(const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  CLEANUP(str_freep) char *text = NULL;
  if (vasprintf(&text, fmt, ap) < 0)
    abort();
  va_end(ap);
  for (char *c = text; *c; c++) {
    if (*c == '\'')
      *c = '"';
  }
  json_error_t e;
  json_t *v = json_loads(text, JSON_DECODE_ANY, &e);
  if (!v)
    fail_msg("%s at %d: %s", e.text, e.position, text);
  return v;
}

/* want NULL: got is NULL too. */
static inline void assert_json(const json_t *got, const char *want) {
  KUBE_OWNED json_t *w = want ? quoted("%s", want) : NULL;
  if (w ? json_equal(got, w) : got == NULL)
    return;
  CLEANUP(str_freep) char *text = got ? json_dumps(got, JSON_ENCODE_ANY | JSON_SORT_KEYS) : NULL;
  fail_msg("got  %s\nwant %s", text ? text : "nothing", want ? want : "nothing");
}

/* Of the Sandbox "my-sandbox" with UID "u1", whose name hash is 374de8f5. */
#define FIXTURE_OWNER                                                                        \
  "{'apiVersion':'agents.x-k8s.io/v1beta1','kind':'Sandbox','name':'my-sandbox','uid':'u1'," \
  "'controller':true,'blockOwnerDeletion':true}"
#define FIXTURE_FOREIGN "{'apiVersion':'apps/v1','kind':'ReplicaSet','name':'rs','uid':'u9','controller':true}"

#endif
