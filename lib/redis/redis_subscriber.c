/* See redis_subscriber.h. Every (re)connect subscribes to all channels again; the server's confirmation tells
 * the listener to read what it may have missed. */
#include "lib/redis/redis_subscriber.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/redis/redis_conn.h"

typedef struct Channel {
  struct Channel *next;
  char *name;
  RedisMessageFn fn;
  void *arg;
} Channel;

struct RedisSubscriber {
  RedisConn *conn;
  Channel *channels;
};

static void send_subscribe(RedisSubscriber *s, const Channel *ch) {
  redis_conn_send(s->conn, 2, (const char *[]){"SUBSCRIBE", ch->name}, NULL, false);
}

static void on_open(void *arg) {
  RedisSubscriber *s = arg;
  for (Channel *ch = s->channels; ch; ch = ch->next)
    send_subscribe(s, ch);
}

static void on_reply(void *arg, const RedisReply *r) {
  RedisSubscriber *s = arg;
  if (r->type != REDIS_ARRAY || r->n_items != 3 || r->items[0]->type != REDIS_STRING ||
      r->items[1]->type != REDIS_STRING)
    return;
  bool confirmed = strcmp(r->items[0]->str, "subscribe") == 0;
  if (!confirmed && (strcmp(r->items[0]->str, "message") != 0 || r->items[2]->type != REDIS_STRING))
    return;
  for (Channel *ch = s->channels; ch; ch = ch->next)
    if (strcmp(ch->name, r->items[1]->str) == 0)
      ch->fn(ch->arg, confirmed ? NULL : r->items[2]->str, confirmed ? 0 : r->items[2]->len);
}

static const RedisConnHandlers HANDLERS = {.on_open = on_open, .on_reply = on_reply};

RedisSubscriber *redis_subscriber_new(RedisShared *shared, RedisPeer peer, const char *addresses) {
  RedisSubscriber *s = new0(RedisSubscriber);
  s->conn = redis_conn_new(shared, peer, addresses, &HANDLERS, s);
  return s;
}

void redis_subscriber_free(RedisSubscriber *s) {
  if (!s)
    return;
  redis_conn_free(s->conn);
  while (s->channels) {
    Channel *ch = s->channels;
    s->channels = ch->next;
    free(ch->name);
    free(ch);
  }
  free(s);
}

void redis_subscriber_redirect(RedisSubscriber *s, const char *addresses) {
  redis_conn_redirect(s->conn, addresses);
}

void redis_subscriber_add(RedisSubscriber *s, const char *channel, RedisMessageFn fn, void *arg) {
  Channel *ch = new0(Channel);
  *ch = (Channel){.next = s->channels, .name = str_dup(channel), .fn = fn, .arg = arg};
  s->channels = ch;
  if (redis_conn_open(s->conn))
    send_subscribe(s, ch);
}
