/* What comes back from Redis, through the connection itself: a socket, hiredis' reader, our replies in the arena, and
 * the records that are read from them. Redis is ours, but what is in it was written by older versions and by hands.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/redis/redis_conn.h"
#include "lib/redis/redis_info.h"
#include "lib/redis/redis_slots.h"
#include "lib/state/state_call.h"
#include "lib/state/state_claim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Reading {
  Loop *loop;
  RedisConn *conn;
  Arena *arena;
  LoopFd *watch;
  int listener, peer;
  const uint8_t *data;
  size_t size;
} Reading;

static size_t count_bytes(const RedisReply *r, int depth) {
  size_t n = r->str ? strlen(r->str) + r->len : 0;
  if (r->type == REDIS_ARRAY && depth < 32) {
    for (size_t i = 0; i < r->n_items; i++)
      n += count_bytes(r->items[i], depth + 1);
  }
  return n;
}

static void on_range(void *arg, int first, int last, const char *address) {
  if (first < 0 || last >= REDIS_SLOTS || strlen(address) >= REDIS_ADDRESS_MAX)
    abort();
}

static void on_reply(void *arg, const RedisReply *reply) {
  Reading *x = arg;
  count_bytes(reply, 0);
  StateCall call = {.arena = x->arena, .ns = "ns", .pool = "pool"};
  SandboxRecord record;
  if (state_record_parse(&call, reply, &record)) {
    if (!record.id || !record.uid || !record.route || !record.message)
      abort();
    size_t n = 0;
    for (size_t i = 0; i < record.n_labels; i++)
      n += strlen(record.labels[i].key) + strlen(record.labels[i].value);
    for (size_t i = 0; i < record.n_env; i++)
      n += strlen(record.env[i].key) + strlen(record.env[i].value);
    if (n > x->size)
      abort(); /* no text of nowhere */
    /* what was read can be written */
    if (record.n_labels && !state_pairs_to_json(x->arena, record.labels, record.n_labels))
      abort();
  }
  QuotaRefusal refusal;
  if (state_refusal_parse(reply, &refusal) && !(refusal.limit && refusal.allowed && refusal.used))
    abort();
  QuotaRecord quota;
  bool parsed = state_quota_parse(&call, reply, &quota);
  if (parsed && (quota.live < 0 || quota.cpu_milli < 0 || quota.memory_bytes < 0))
    abort();
  char lineage[REDIS_LINEAGE_LEN + 1], address[REDIS_ADDRESS_MAX];
  if (!redis_info_lineage(reply, lineage, NULL) && strlen(lineage) != REDIS_LINEAGE_LEN)
    abort();
  if (reply->str)
    redis_slot_elsewhere(reply->str, "host:1", address);
  if (redis_slots_check(reply))
    redis_slots_each(reply, "host:1", on_range, x);
  if (reply->type == REDIS_ARRAY) {
    state_field(reply, "state");
    state_field_int(reply, "create_ms");
  }
}

static void on_open(void *arg) {
  (void)arg;
}

static void on_close(void *arg, const Error *why) {
  Reading *x = arg;
  if (!*why->message)
    abort();
  loop_stop(x->loop);
}

static void on_listener(int events, void *arg) {
  Reading *x = arg;
  x->peer = accept(x->listener, NULL, NULL);
  if (x->peer < 0)
    abort();
  loop_fd_set(x->watch, 0);
  /* the greeting's answer; the rest is the input's */
  static const char PONG[] = "+PONG\r\n";
  if (write(x->peer, PONG, sizeof PONG - 1) < 0)
    abort();
  if (x->size && write(x->peer, x->data, x->size) < 0)
    abort();
  shutdown(x->peer, SHUT_WR);
}

/* Once for all inputs. By way of the folder's descriptor: its own path may be longer than a socket's can be. */
static int listen_here(char address[64]) {
  static int fd = -1;
  static char path[48];
  if (fd < 0) {
    const char *folder = getenv("TEST_TMPDIR");
    if (!folder)
      folder = getenv("TMPDIR");
    int dir = open(folder ? folder : "/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
    snprintf(path, sizeof path, "/proc/self/fd/%d/fuzz.%d", dir, (int)getpid());
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (dir < 0 || fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 16))
      abort();
  }
  snprintf(address, 64, "unix:%s", path);
  return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > 32 << 10)
    return 0; /* fits into the socket: nobody reads while we write */
  static const RedisConnHandlers HANDLERS = {on_open, on_close, on_reply, NULL};
  char address[64];
  Reading x = {.data = data, .size = size, .arena = arena_new(), .loop = loop_new(), .peer = -1};
  x.listener = listen_here(address);
  x.watch = loop_fd_new(x.loop, x.listener, LOOP_READ, on_listener, &x);
  RedisShared *shared = redis_shared_new(x.loop, &(RedisConfig){0});
  x.conn = redis_conn_new(shared, REDIS_PEER_ANY, address, &HANDLERS, &x);
  loop_run(x.loop);
  redis_conn_free(x.conn);
  redis_shared_free(shared);
  loop_fd_free(x.watch);
  loop_free(x.loop);
  arena_free(x.arena);
  if (x.peer >= 0)
    close(x.peer);
  return 0;
}
