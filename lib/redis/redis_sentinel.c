/* See redis_sentinel.h. */
#include "lib/redis/redis_sentinel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/redis/redis_config.h"
#include "lib/redis/redis_conn.h"
#include "lib/redis/redis_subscriber.h"

#define ASK_MS 1000
/* Questions without an answer, after which another Sentinel is asked: one that hangs keeps its connection. */
#define UNANSWERED_MAX 3

struct RedisSentinel {
  const char *master_name;
  RedisConn *conn;
  RedisSubscriber *switches;
  LoopTimer *timer;
  int unanswered;
  void (*on_master)(void *arg, const char *address);
  void *arg;
};

static void ask(RedisSentinel *s) {
  if (!redis_conn_open(s->conn))
    return;
  if (s->unanswered >= UNANSWERED_MAX)
    return redis_conn_drop(s->conn, "the Sentinel does not answer");
  redis_conn_send(s->conn, 3, (const char *[]){"SENTINEL", "GET-MASTER-ADDR-BY-NAME", s->master_name}, NULL, false);
  s->unanswered++;
}

static void on_timer(void *arg) {
  RedisSentinel *s = arg;
  loop_timer_start(s->timer, ASK_MS);
  ask(s);
}

static void on_open(void *arg) {
  RedisSentinel *s = arg;
  s->unanswered = 0;
  ask(s);
}

static void on_reply(void *arg, const RedisReply *r) {
  RedisSentinel *s = arg;
  s->unanswered = 0;
  if (r->type == REDIS_ERROR)
    return redis_conn_drop(s->conn, r->str);
  if (r->type != REDIS_ARRAY || r->n_items != 2 || r->items[0]->type != REDIS_STRING ||
      r->items[1]->type != REDIS_STRING)
    return redis_conn_drop(s->conn, "the Sentinel does not know the master's name");
  char address[REDIS_ADDRESS_MAX];
  bool v6 = strchr(r->items[0]->str, ':') != NULL;
  snprintf(address, sizeof address, v6 ? "[%s]:%s" : "%s:%s", r->items[0]->str, r->items[1]->str);
  s->on_master(s->arg, address);
}

/* "NAME OLD-IP OLD-PORT NEW-IP NEW-PORT"; the answer to a question says it as well. */
static void on_switch(void *arg, const char *message, size_t len) {
  ask(arg);
}

static const RedisConnHandlers HANDLERS = {.on_open = on_open, .on_reply = on_reply};

RedisSentinel *redis_sentinel_new(RedisShared *shared, void (*on_master)(void *arg, const char *address), void *arg) {
  RedisSentinel *s = new0(RedisSentinel);
  const RedisConfig *config = &shared->config;
  *s = (RedisSentinel){.master_name = config->master_name, .on_master = on_master, .arg = arg};
  s->timer = loop_timer_new(shared->loop, on_timer, s);
  s->conn = redis_conn_new(shared, REDIS_PEER_SENTINEL, config->sentinels, &HANDLERS, s);
  s->switches = redis_subscriber_new(shared, REDIS_PEER_SENTINEL, config->sentinels);
  redis_subscriber_add(s->switches, "+switch-master", on_switch, s);
  loop_timer_start(s->timer, ASK_MS);
  return s;
}

const char *redis_sentinel_trouble(const RedisSentinel *s) {
  return redis_conn_trouble(s->conn);
}

void redis_sentinel_free(RedisSentinel *s) {
  if (!s)
    return;
  redis_conn_free(s->conn);
  redis_subscriber_free(s->switches);
  loop_timer_free(s->timer);
  free(s);
}
