/* See tls_reload.h. */
#include "lib/crypto/tls_reload.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"

enum { FILES = 3 };

/* What tells one state of a file from another; all 0: it is not there. */
typedef struct Mark {
  uint64_t device, inode;
  int64_t size, modified_s, modified_ns, changed_s, changed_ns;
} Mark;

struct TlsReload {
  LoopTimer *timer;
  Tls *tls;
  TlsSource source;
  void (*loaded)(void *arg, const Error *err);
  void *arg;
  Mark in_force[FILES], seen[FILES];
};

static Mark mark_of(const char *path) {
  struct stat st;
  if (str_empty(path) || stat(path, &st) != 0)
    return (Mark){0};
  return (Mark){.device = st.st_dev,
                .inode = st.st_ino,
                .size = st.st_size,
                .modified_s = st.st_mtim.tv_sec,
                .modified_ns = st.st_mtim.tv_nsec,
                .changed_s = st.st_ctim.tv_sec,
                .changed_ns = st.st_ctim.tv_nsec};
}

static void look(const TlsReload *r, Mark marks[FILES]) {
  marks[0] = mark_of(r->source.cert);
  marks[1] = mark_of(r->source.key);
  marks[2] = mark_of(r->source.ca);
}

static void on_timer(void *arg) {
  TlsReload *r = arg;
  Mark now[FILES];
  Error err;
  look(r, now);
  bool still = memcmp(now, r->seen, sizeof now) == 0;
  memcpy(r->seen, now, sizeof now);
  loop_timer_start(r->timer, TLS_RELOAD_MS);
  if (!still || memcmp(now, r->in_force, sizeof now) == 0)
    return;
  memcpy(r->in_force, now, sizeof now);
  r->loaded(r->arg, tls_load(r->tls, &r->source, &err) ? &err : NULL);
}

TlsReload *tls_reload_new(Loop *loop, const TlsSource *source, void (*loaded)(void *arg, const Error *err), void *arg,
                          Error *err) {
  TlsReload *r = new0(TlsReload);
  *r = (TlsReload){.source = *source, .loaded = loaded, .arg = arg};
  r->timer = loop_timer_new(loop, on_timer, r);
  /* first, so that what changes meanwhile is seen */
  look(r, r->in_force);
  memcpy(r->seen, r->in_force, sizeof r->seen);
  r->tls = tls_new(TLS_SERVER, source, err);
  if (!r->tls) {
    tls_reload_free(r);
    return NULL;
  }
  loop_timer_start(r->timer, TLS_RELOAD_MS);
  return r;
}

void tls_reload_free(TlsReload *r) {
  if (!r)
    return;
  loop_timer_free(r->timer);
  tls_free(r->tls);
  free(r);
}

Tls *tls_reload_tls(const TlsReload *r) {
  return r->tls;
}
