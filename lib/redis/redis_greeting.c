/* See redis_greeting.h. */
#include "lib/redis/redis_greeting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/redis/redis_config.h"
#include "lib/redis/redis_info.h"
#include "lib/redis/redis_resp.h"

typedef enum Answer { ANSWER_OK, ANSWER_LINEAGE, ANSWER_AOF, ANSWER_REWRITE } Answer;

static void say(RedisGreeting *g, Buf *out, Answer answer, size_t argc, const char *const *argv) {
  if (g->n_expected == ARRAY_LEN(g->expected))
    abort();
  redis_resp_command(out, argc, argv, NULL);
  g->expected[g->n_expected++] = answer;
}

int redis_greeting_begin(RedisGreeting *g, const RedisConfig *config, RedisPeer peer, Buf *out, Error *err) {
  *g = (RedisGreeting){.peer = peer};
  CLEANUP(buf_deinit) Buf password = BUF_INIT(0);
  bool sentinel = peer == REDIS_PEER_SENTINEL;
  if (redis_config_password(config, sentinel, &password, err))
    return -1;
  const char *user = sentinel ? config->sentinel_username : config->username;
  if (password.len && !str_empty(user))
    say(g, out, ANSWER_OK, 3, (const char *[]){"AUTH", user, buf_str(&password)});
  else if (password.len)
    say(g, out, ANSWER_OK, 2, (const char *[]){"AUTH", buf_str(&password)});
  if (peer == REDIS_PEER_MASTER)
    say(g, out, ANSWER_LINEAGE, 2, (const char *[]){"INFO", "replication"});
  say(g, out, ANSWER_OK, 1, (const char *[]){"PING"});
  /* behind the PING: a server that still loads has not counted yet */
  if (peer == REDIS_PEER_MASTER)
    redis_greeting_look(g, out);
  return 0;
}

void redis_greeting_look(RedisGreeting *g, Buf *out) {
  say(g, out, ANSWER_AOF, 2, (const char *[]){"INFO", "persistence"});
}

static int take_aof(RedisGreeting *g, const RedisReply *reply, Buf *out, Error *err) {
  RedisAof state = redis_info_aof(reply);
  if (state == REDIS_AOF_CLEAN)
    return REDIS_GREET_DONE;
  if (state == REDIS_AOF_WRITING)
    return REDIS_GREET_LATER;
  if (g->asked)
    return error_set(
        err, ERROR_UNAVAILABLE,
        "state store: its append-only file must be written anew (BGREWRITEAOF) after a start, and is not: %s",
        *g->refusal ? g->refusal : "the server says that it failed");
  g->asked = true;
  say(g, out, ANSWER_REWRITE, 1, (const char *[]){"BGREWRITEAOF"});
  redis_greeting_look(g, out);
  return REDIS_GREET_MORE;
}

int redis_greeting_take(RedisGreeting *g, const RedisReply *reply, Buf *out, Error *err) {
  if (g->n_expected == 0)
    return error_set(err, ERROR_UNAVAILABLE, "state store: an answer that nothing asked for");
  Answer answer = g->expected[0];
  memmove(g->expected, g->expected + 1, --g->n_expected * sizeof *g->expected);
  bool failed = reply->type == REDIS_ERROR;
  /* another client may have been faster; how it stands is in the next answer */
  if (answer == ANSWER_REWRITE && failed)
    snprintf(g->refusal, sizeof g->refusal, "%s", reply->str);
  else if (failed)
    return error_set(err, ERROR_UNAVAILABLE, "%s", reply->str);
  if (answer == ANSWER_LINEAGE && redis_info_lineage(reply, g->lineage, err))
    return -1;
  if (answer == ANSWER_AOF)
    return take_aof(g, reply, out, err);
  return g->n_expected ? REDIS_GREET_MORE : REDIS_GREET_DONE;
}
