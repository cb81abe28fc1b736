/* The kept copy against a model: whatever is lost on the way, and however one's own writes overtake the watch, in the
 * end it holds what the server holds, and what was told adds up to it. The seed is printed with a failure. */
#include "lib/kube/kube_informer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/kube/testing/stub_server_fixture.h"

enum { NAMES = 6, LOG_MAX = 4000, ROUNDS = 25, SENTINEL = NAMES };

typedef struct Object {
  int version, uid; /* version 0: there is none */
} Object;

typedef struct Event {
  const char *type;
  int name, version;
  Object object;
} Event;

typedef struct Model {
  Loop *loop;
  StubServer *server;
  KubeClient *client;
  KubeInformer *informer;
  StubRequest *watch;
  unsigned random;
  int version, uid;
  Object objects[NAMES + 1]; /* of the server */
  Object told[NAMES + 1];
  Event log[LOG_MAX];
  int n_log, n_sent;
  Event own; /* a write of ours whose answer may come late */
} Model;

static int below(Model *m, int n) {
  return (int)(rand_r(&m->random) % (unsigned)n);
}

static int number(const char *text) {
  return (int)str_leading_int64(text, -1);
}

static Object object_in(const json_t *o) {
  if (!o)
    return (Object){0};
  return (Object){number(kube_text(o, "metadata.resourceVersion")), number(kube_uid(o))};
}

static char *text_of(int name, Object o, int version) {
  return str_printf("{\"metadata\":{\"namespace\":\"ns\",\"name\":\"%d\",\"uid\":\"%d\",\"resourceVersion\":\"%d\"}}",
                    name, o.uid, version);
}

static void on_change(void *arg, const json_t *before, const json_t *after) {
  Model *m = arg;
  Object *told = &m->told[number(kube_name(after ? after : before))];
  Object was = object_in(before);
  assert_int_equal(was.version, told->version); /* each tale goes on where the last one ended */
  assert_int_equal(was.uid, told->uid);
  *told = object_in(after);
  /* never back in time, and never gone without a deletion: one's own writes are not taken back */
  if (after)
    assert_true(told->version > was.version);
  else
    assert_int_not_equal(m->objects[number(kube_name(before))].uid, was.uid);
  stub_wake(m->server);
}

static void put(Model *m, Event e) {
  CLEANUP(str_freep) char *text = text_of(e.name, e.object, e.object.version);
  KUBE_OWNED json_t *o = json_loads(text, 0, NULL);
  kube_informer_put(m->informer, o);
}

/* One change on the server; perhaps our own, then its answer comes now or later. */
static void change(Model *m, int name) {
  Object *o = &m->objects[name];
  Event e = {.name = name, .version = ++m->version};
  assert_true(m->n_log < LOG_MAX);
  if (!o->version) {
    e.type = "ADDED";
    o->uid = ++m->uid;
  } else {
    e.type = name != SENTINEL && below(m, 3) == 0 ? "DELETED" : "MODIFIED";
  }
  o->version = m->version;
  e.object = *o;
  if (strcmp(e.type, "DELETED") == 0)
    *o = (Object){0};
  else if (below(m, 3) == 0)
    put(m, e);
  else if (below(m, 3) == 0)
    m->own = e;
  m->log[m->n_log++] = e;
  if (m->own.type && below(m, 4) == 0)
    put(m, m->own);
}

static void send_one(Model *m) {
  Event e = m->log[m->n_sent++];
  CLEANUP(str_freep) char *text = text_of(e.name, e.object, e.version);
  CLEANUP(str_freep) char *line = str_printf("{\"type\":\"%s\",\"object\":%s}\n", e.type, text);
  stub_send(m->watch, line);
}

static void open_watch(Model *m) {
  m->watch = stub_expect(m->server, "GET", "/x?watch=true");
  const char *from = strstr(m->watch->path, "resourceVersion=");
  assert_non_null(from);
  int version = number(from + strlen("resourceVersion="));
  for (m->n_sent = 0; m->n_sent < m->n_log && m->log[m->n_sent].version <= version;)
    m->n_sent++;
  stub_begin(m->watch, 200);
}

static void answer_list(Model *m) {
  Object now[NAMES + 1];
  memcpy(now, m->objects, sizeof now);
  int version = m->version, first = below(m, NAMES + 2);
  for (int page = 0; page < 2; page++) {
    StubRequest *r = stub_expect(m->server, "GET", "/x?limit=200");
    assert_int_equal(strstr(r->path, "&continue=next") != NULL, page);
    for (int n = below(m, 4); n > 0; n--)
      change(m, below(m, NAMES)); /* newer than what is answered */
    Buf b = {0};
    const char *comma = "";
    const char *more = page ? "" : ",\"continue\":\"next\"";
    assert_int_equal(buf_printf(&b, "{\"metadata\":{\"resourceVersion\":\"%d\"%s},\"items\":[", version, more), 0);
    for (int i = page ? first : 0; i < (page ? NAMES + 1 : first); i++) {
      if (!now[i].version)
        continue;
      CLEANUP(str_freep) char *text = text_of(i, now[i], now[i].version);
      assert_int_equal(buf_printf(&b, "%s%s", comma, text), 0);
      comma = ",";
    }
    assert_int_equal(buf_append_str(&b, "]}"), 0);
    stub_answer(r, 200, NULL, buf_str(&b));
    buf_deinit(&b);
  }
  open_watch(m);
}

static void compare(Model *m) {
  change(m, SENTINEL);
  while (m->n_sent < m->n_log)
    send_one(m);
  /* the sentinel may have been put before the watch is so far: then a last event shows that it is */
  m->objects[SENTINEL].version = ++m->version;
  m->log[m->n_log++] = (Event){"MODIFIED", SENTINEL, m->version, m->objects[SENTINEL]};
  send_one(m);
  STUB_UNTIL(m->server, m->told[SENTINEL].version == m->version);
  if (m->own.type)
    put(m, m->own); /* an answer that comes after all events */
  size_t n = 0;
  for (int i = 0; i <= NAMES; i++) {
    CLEANUP(str_freep) char *name = str_printf("%d", i);
    Object kept = object_in(kube_informer_get(m->informer, "ns", name));
    assert_int_equal(kept.version, m->objects[i].version);
    assert_int_equal(kept.uid, m->objects[i].uid);
    assert_int_equal(m->told[i].version, kept.version);
    n += kept.version != 0;
  }
  assert_int_equal(kube_informer_count(m->informer), n);
}

static void run(unsigned seed) {
  Model *m = calloc(1, sizeof *m);
  m->random = seed;
  m->version = 100;
  m->loop = loop_new();
  m->server = stub_server_new(m->loop);
  Error err = {0};
  m->client = kube_client_new(m->loop, stub_server_config(m->server), &(KubeOptions){.user_agent = "u"}, &err);
  stub_hold_time(m->server, m->client);
  m->informer =
      kube_informer_new(m->loop, m->client, &(KubeInformerSpec){.path = "/x", .on_change = on_change, .arg = m});
  answer_list(m);
  for (int round = 0; round < ROUNDS; round++) {
    for (int n = below(m, 12); n > 0; n--) {
      change(m, below(m, NAMES));
      while (m->n_sent < m->n_log && below(m, 2))
        send_one(m);
      if (below(m, 4) == 0)
        stub_run_for(m->server, 1);
    }
    if (below(m, 4) == 0) {
      stub_send(m->watch, "{\"type\":\"ERROR\",\"object\":{\"code\":410}}\n");
      answer_list(m);
    } else if (below(m, 4) == 0) {
      stub_end(m->watch);
      open_watch(m);
    } else if (below(m, 2) == 0) {
      compare(m);
    }
  }
  compare(m);
  kube_informer_free(m->informer);
  kube_client_free(m->client);
  stub_server_free(m->server);
  loop_free(m->loop);
  free(m);
}

static void test_in_the_end_it_is_what_the_server_has(void **s) {
  const char *given = getenv("KUBE_MODEL_SEED");
  for (unsigned i = 0; i < 6; i++) {
    unsigned seed = given ? (unsigned)number(given) : 1000 + i;
    print_message("seed %u\n", seed);
    run(seed);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_in_the_end_it_is_what_the_server_has)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
