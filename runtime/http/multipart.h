/* multipart/form-data (RFC 7578) as it streams by: the part named "file", with a filename; of several the last counts,
 * as with the reference. Holds at most a part's head and a boundary's length of data. */
#ifndef SANDPLANE_RUNTIME_HTTP_MULTIPART_H_
#define SANDPLANE_RUNTIME_HTTP_MULTIPART_H_

#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"

/* RFC 2046 allows 70; not all senders count. */
enum { MULTIPART_BOUNDARY_MAX = 200 };

typedef struct Multipart {
  char boundary[MULTIPART_BOUNDARY_MAX + 10]; /* "\r\n--" and what the header says */
  size_t boundary_len;
  Buf pending;
  enum { MULTIPART_BETWEEN, MULTIPART_HEAD, MULTIPART_DATA, MULTIPART_DONE } state;
  bool wanted; /* this part is the file */
  bool found;
  bool nameless; /* a part "file" came that has no filename */
  /* Return -1 and err to stop. */
  int (*on_file)(void *arg, const char *filename, Error *err); /* again: the one before is not wanted */
  int (*on_data)(void *arg, const uint8_t *data, size_t len, Error *err);
  void *arg;
} Multipart;

/* content_type: the request's header; -1: not multipart/form-data, or no boundary of 1 to MULTIPART_BOUNDARY_MAX
 * characters. */
int multipart_init(Multipart *m, const char *content_type, Error *err) MUST_CHECK;
int multipart_feed(Multipart *m, const uint8_t *data, size_t len, Error *err) MUST_CHECK;
/* Whether the closing boundary was seen. */
static inline bool multipart_complete(const Multipart *m) {
  return m->state == MULTIPART_DONE;
}
void multipart_deinit(Multipart *m);

#endif
