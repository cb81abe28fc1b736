/* See backend_lookup.h. The thread and the loop share a struct, and the last of them frees it: so neither an answer
 * that comes after the loop has gone nor a resolver that takes its time holds anything up. */
#include "services/router/backend/backend_lookup.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/base/alloc.h"

/* Addresses of one name; far above any number of replicas. glibc's resolver needs some 100 KiB of stack. */
enum { FOUND_MAX = 1024, STACK = 512 << 10 };

/* What both have. */
typedef struct Shared {
  atomic_int holders;
  int done; /* an eventfd */
  Address name;
  Address *found;
  size_t n;
  const char *why;
} Shared;

struct BackendLookup {
  Shared *shared;
  LoopFd *watch;
  BackendFound *fn;
  void *arg;
};

static void release(Shared *shared) {
  if (atomic_fetch_sub(&shared->holders, 1) > 1)
    return;
  close(shared->done);
  free(shared->found);
  free(shared);
}

static void add(Shared *shared, const struct addrinfo *a) {
  Address *at = &shared->found[shared->n];
  *at = (Address){.kind = ADDRESS_TCP, .port = shared->name.port};
  if (getnameinfo(a->ai_addr, a->ai_addrlen, at->host, sizeof at->host, NULL, 0, NI_NUMERICHOST) == 0)
    shared->n++;
}

static void look_up(Shared *shared) {
  struct addrinfo *all = NULL;
  const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
  int rc = getaddrinfo(shared->name.host, NULL, &hints, &all);
  if (rc != 0) {
    shared->why = gai_strerror(rc);
    return;
  }
  shared->found = xcalloc(FOUND_MAX, sizeof *shared->found);
  for (const struct addrinfo *a = all; a && shared->n < FOUND_MAX; a = a->ai_next)
    add(shared, a);
  freeaddrinfo(all);
  if (shared->n == 0)
    shared->why = "the name has no address";
}

static void *run(void *arg) {
  Shared *shared = arg;
  look_up(shared);
  /* an eventfd of which nobody has read takes it */
  while (eventfd_write(shared->done, 1) != 0 && errno == EINTR) {
  }
  release(shared);
  return NULL;
}

/* Signals are the loop's. */
static int start(Shared *shared) {
  pthread_t thread;
  pthread_attr_t attr;
  sigset_t all, before;
  sigfillset(&all);
  pthread_attr_init(&attr);
  pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attr, STACK);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int rc = pthread_create(&thread, &attr, run, shared);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attr);
  return rc;
}

void backend_lookup_free(BackendLookup *l) {
  if (!l)
    return;
  loop_fd_free(l->watch);
  release(l->shared);
  free(l);
}

static void on_done(int events, void *arg) {
  BackendLookup *l = arg;
  Shared *shared = l->shared;
  BackendFound *fn = l->fn;
  void *owner = l->arg;
  loop_fd_free(l->watch);
  free(l);
  fn(owner, shared->found, shared->n, shared->why);
  release(shared);
}

BackendLookup *backend_lookup(Loop *loop, const Address *name, BackendFound *fn, void *arg) {
  Shared *shared = new0(Shared);
  BackendLookup *l = new0(BackendLookup);
  shared->done = eventfd(0, EFD_CLOEXEC);
  if (shared->done < 0)
    abort();
  atomic_init(&shared->holders, 2);
  shared->name = *name;
  *l = (BackendLookup){.shared = shared, .fn = fn, .arg = arg};
  l->watch = loop_fd_new(loop, shared->done, LOOP_READ, on_done, l);
  int rc = start(shared);
  if (rc != 0) {
    shared->why = strerror(rc);
    eventfd_write(shared->done, 1);
    release(shared);
  }
  return l;
}
