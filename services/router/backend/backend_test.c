/* Calls to replicas that answer, refuse, leave and die. */
#include "services/router/backend/backend.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/test.h"
#include "services/router/backend/backend_fixture.h"
#include "services/router/backend/grpc_wire.h"

enum { PEERS = 2 };

typedef struct World {
  Turns turns;
  Peer peers[PEERS];
  Backend *backend;
  Call call;
} World;

static int requests(const World *w) {
  return w->peers[0].requests + w->peers[1].requests;
}

static void ask(World *w, ErrorKind kind) {
  call_clear(&w->call);
  call_start(&w->call, w->backend, "hello", 0);
  turns_until(&w->turns, &w->call.done);
  if (w->call.status.kind != kind)
    fail_msg("%s: %s", error_kind_name(w->call.status.kind), w->call.status.message);
}

/* Both replicas are connected, and none has been asked. */
static int setup(void **state) {
  World *w = *state = new0(World);
  char targets[64];
  turns_start(&w->turns);
  for (int i = 0; i < PEERS; i++)
    peer_start(&w->peers[i], w->turns.loop, 0, PEER_ECHO);
  snprintf(targets, sizeof targets, "127.0.0.1:%d,localhost:%d", w->peers[0].port, w->peers[1].port);
  w->backend = backend_new(w->turns.loop, targets, NULL);
  while (w->peers[0].requests == 0 || w->peers[1].requests == 0)
    ask(w, ERROR_NONE);
  w->peers[0].requests = w->peers[1].requests = 0;
  return 0;
}

static int teardown(void **state) {
  World *w = *state;
  backend_free(w->backend);
  call_clear(&w->call);
  for (int i = 0; i < PEERS; i++)
    peer_kill(&w->peers[i]);
  turns_end(&w->turns);
  free(w);
  return 0;
}

static void set_mode(World *w, PeerMode mode) {
  for (int i = 0; i < PEERS; i++)
    w->peers[i].mode = mode;
}

/* ---- One call ---- */

static void test_unary(void **state) {
  World *w = *state;
  char expected[512], first[32];
  call_clear(&w->call);
  call_start(&w->call, w->backend, "hello", 5000);
  turns_until(&w->turns, &w->call.done);
  assert_int_equal(w->call.status.kind, ERROR_NONE);
  assert_string_equal(buf_str(&w->call.got), "hello");
  const Peer *peer = &w->peers[w->peers[0].requests ? 0 : 1];
  snprintf(first, sizeof first, "127.0.0.1:%d|", peer->port);
  assert_contains(peer->head, first);
  assert_contains(peer->head, "/s/M ");
  assert_contains(peer->head, "grpc-timeout: ");
  ask(w, ERROR_NONE);
  assert_int_equal(requests(w), 2);
  /* in turn */
  assert_int_equal(w->peers[0].requests, 1);
  peer = &w->peers[peer == &w->peers[0] ? 1 : 0];
  snprintf(expected, sizeof expected,
           "/s/M 127.0.0.1:%d|te: trailers|content-type: application/grpc|user-agent: sandplane-router|"
           "x-request-id: me|",
           peer->port);
  assert_string_equal(peer->head, expected);
}

static void test_statuses(void **state) {
  static const struct {
    PeerMode mode;
    ErrorKind kind;
    const char *part;
  } CASES[] = {
      {PEER_FAIL, ERROR_NOT_FOUND, "no!"},
      {PEER_NO_GRPC, ERROR_UNAVAILABLE, "503"},
      {PEER_HUGE, ERROR_RESOURCE_EXHAUSTED, "16777216"},
      {PEER_HALF, ERROR_INTERNAL, "within a message"},
      {PEER_CANCELLED, ERROR_UNAVAILABLE, "gave the call up"},
  };
  World *w = *state;
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    set_mode(w, CASES[i].mode);
    ask(w, CASES[i].kind);
    assert_contains(w->call.status.message, CASES[i].part);
    assert_int_equal(w->call.details_len, CASES[i].mode == PEER_FAIL ? 2 : 0);
    assert_int_equal(requests(w), i + 1);
  }
  /* none of it costs the connection */
  assert_int_equal(w->peers[0].accepted + w->peers[1].accepted, 2);
}

static void test_largest_message(void **state) {
  World *w = *state;
  char *text = xmalloc(GRPC_WIRE_MAX + 1);
  memset(text, 'x', GRPC_WIRE_MAX);
  text[GRPC_WIRE_MAX] = 0;
  call_clear(&w->call);
  call_start(&w->call, w->backend, text, 0);
  assert_true(backend_is_full(w->call.call));
  turns_until(&w->turns, &w->call.done);
  assert_int_equal(w->call.status.kind, ERROR_NONE);
  assert_int_equal(w->call.got.len, GRPC_WIRE_MAX);
  assert_int_equal(w->call.drains, 1);
  free(text);
}

/* A message is shown when it is asked for, and the end behind the last. */
static void test_messages_on_demand(void **state) {
  World *w = *state;
  call_clear(&w->call);
  w->call.hold = true;
  call_start(&w->call, w->backend, NULL, 0);
  for (int i = 0; i < 3; i++)
    backend_write(w->call.call, (const uint8_t *)"abc" + i, 1);
  backend_half_close(w->call.call);
  for (int n = 1; n <= 3; n++) {
    turns_until_int(&w->turns, &w->call.messages, n);
    if (n == 3)
      break;
    assert_false(w->call.done);
    backend_read(w->call.call);
  }
  assert_string_equal(buf_str(&w->call.got), "abc");
  turns_until(&w->turns, &w->call.done);
  assert_int_equal(w->call.status.kind, ERROR_NONE);
}

static void test_deadline_and_cancelling(void **state) {
  World *w = *state;
  set_mode(w, PEER_HOLD);
  call_clear(&w->call);
  call_start(&w->call, w->backend, "x", 30);
  turns_until(&w->turns, &w->call.done);
  assert_int_equal(w->call.status.kind, ERROR_DEADLINE_EXCEEDED);
  int before = requests(w);
  call_start(&w->call, w->backend, "x", 0);
  while (requests(w) == before)
    turns_once(&w->turns);
  backend_cancel(w->call.call);
  assert_false(w->call.done);
  turns_until(&w->turns, &w->call.done);
  assert_int_equal(w->call.status.kind, ERROR_CANCELLED);
}

static void test_metadata_that_cannot_be_sent(void **state) {
  World *w = *state;
  call_clear(&w->call);
  call_start_for(&w->call, w->backend, "a\r\nb", "x", 0);
  assert_false(w->call.done);
  turns_until(&w->turns, &w->call.done);
  assert_int_equal(w->call.status.kind, ERROR_INVALID_ARGUMENT);
  assert_contains(w->call.status.message, "x-request-id");
  assert_int_equal(requests(w), 0);
}

static void test_the_end_of_all(void **state) {
  World *w = *state;
  call_clear(&w->call);
  call_start(&w->call, w->backend, NULL, 0);
  backend_free(w->backend);
  w->backend = NULL;
  assert_true(w->call.done);
  assert_int_equal(w->call.status.kind, ERROR_CANCELLED);
}

/* ---- Replicas ---- */

static void test_the_fewest_under_way(void **state) {
  World *w = *state;
  Call calls[10] = {0};
  set_mode(w, PEER_HOLD);
  for (size_t i = 0; i < ARRAY_LEN(calls); i++)
    call_start(&calls[i], w->backend, "x", 0);
  for (int i = 0; i < PEERS; i++)
    turns_until_int(&w->turns, &w->peers[i].requests, 5);
  backend_free(w->backend);
  w->backend = NULL;
  for (size_t i = 0; i < ARRAY_LEN(calls); i++)
    assert_int_equal(calls[i].status.kind, ERROR_CANCELLED);
}

static void test_refused_is_sent_elsewhere(void **state) {
  World *w = *state;
  w->peers[0].mode = PEER_REFUSE;
  for (int i = 0; i < 10; i++)
    ask(w, ERROR_NONE);
  assert_int_equal(w->peers[1].requests, 10);
  assert_true(w->peers[0].requests > 0);
  /* but not for ever */
  w->peers[1].mode = PEER_REFUSE;
  int before = requests(w);
  ask(w, ERROR_UNAVAILABLE);
  assert_in_range(requests(w) - before, 2, 10);
}

/* As the servers of lib/rpc do every ten seconds: no call fails, and none is made twice. */
static void test_connections_that_are_left(void **state) {
  enum { ROUNDS = 20, CALLS = 5 };
  World *w = *state;
  for (int round = 0; round < ROUNDS; round++) {
    Call calls[CALLS] = {0};
    for (int i = 0; i < CALLS; i++) {
      call_start(&calls[i], w->backend, "x", 0);
      if (i == round % CALLS)
        for (int p = 0; p < PEERS; p++)
          peer_leave(&w->peers[p]);
    }
    for (int i = 0; i < CALLS; i++) {
      turns_until(&w->turns, &calls[i].done);
      assert_int_equal(calls[i].status.kind, ERROR_NONE);
      call_clear(&calls[i]);
    }
    assert_int_equal(requests(w), (round + 1) * CALLS);
  }
  assert_true(w->peers[0].accepted > 2 && w->peers[1].accepted > 2);
}

/* What has left may have been done. */
static void test_a_call_under_way_is_not_sent_twice(void **state) {
  World *w = *state;
  set_mode(w, PEER_HOLD);
  call_clear(&w->call);
  call_start(&w->call, w->backend, "x", 0);
  while (requests(w) == 0)
    turns_once(&w->turns);
  Peer *killed = &w->peers[w->peers[0].requests ? 0 : 1];
  peer_kill(killed);
  turns_until(&w->turns, &w->call.done);
  assert_int_equal(w->call.status.kind, ERROR_UNAVAILABLE);
  assert_int_equal(requests(w), 1);
  /* and the next goes to the other, whatever the pool knows by now */
  set_mode(w, PEER_ECHO);
  ask(w, ERROR_NONE);
}

static void test_nobody_there(void **state) {
  World *w = *state;
  int port = w->peers[0].port;
  for (int i = 0; i < PEERS; i++)
    peer_kill(&w->peers[i]);
  bool failed = false;
  /* the pool may hope for a moment that they are back at once */
  while (!failed) {
    call_clear(&w->call);
    call_start(&w->call, w->backend, "x", 0);
    turns_until(&w->turns, &w->call.done);
    assert_int_equal(w->call.status.kind, ERROR_UNAVAILABLE);
    failed = strstr(w->call.status.message, "Connection refused") != NULL;
  }
  peer_start(&w->peers[0], w->turns.loop, port, PEER_ECHO);
  turns_until_int(&w->turns, &w->peers[0].accepted, 1);
  ErrorKind kind = ERROR_UNAVAILABLE;
  /* accepted, and greeted a moment later */
  while (kind == ERROR_UNAVAILABLE) {
    call_clear(&w->call);
    call_start(&w->call, w->backend, "x", 0);
    turns_until(&w->turns, &w->call.done);
    kind = w->call.status.kind;
  }
  assert_int_equal(kind, ERROR_NONE);
}

/* ---- Names ---- */

/* The one lookup at a time of these tests, and its answers. */
static struct {
  Loop *loop;
  BackendFound *fn;
  void *arg;
  LoopTimer *timer;
  Address found[2];
  size_t n;
  int asked;
} book;

static void on_book(void *arg) {
  BackendFound *fn = book.fn;
  book.fn = NULL;
  fn(book.arg, book.found, book.n, book.n ? NULL : "no such name");
}

static BackendLookup *look_up(Loop *loop, const Address *name, BackendFound *fn, void *arg) {
  assert_string_equal(name->host, "claims.test");
  book.fn = fn;
  book.arg = arg;
  book.asked++;
  loop_timer_start(book.timer, 0);
  return (BackendLookup *)&book;
}

static void forget(BackendLookup *lookup) {}

static const BackendNames NAMES = {look_up, forget};

static void test_a_name_is_looked_up_again(void **state) {
  World *w = *state;
  memset(&book, 0, sizeof book);
  book.timer = loop_timer_new(w->turns.loop, on_book, NULL);
  Backend *named = backend_new(w->turns.loop, "claims.test:7401", &NAMES);
  backend_free(w->backend);
  w->backend = named;
  /* while nothing is known of it yet, calls wait */
  book.found[0] = (Address){.kind = ADDRESS_TCP, .host = "127.0.0.1", .port = (uint16_t)w->peers[0].port};
  book.n = 1;
  ask(w, ERROR_NONE);
  assert_contains(w->peers[0].head, "/s/M claims.test:7401|");
  assert_int_equal(book.asked, 1);
  /* it moves, and its connections are left */
  book.found[0] = (Address){.kind = ADDRESS_TCP, .host = "127.0.0.2", .port = (uint16_t)w->peers[1].port};
  peer_leave(&w->peers[0]);
  while (w->peers[1].requests == 0)
    ask(w, ERROR_NONE);
  assert_int_equal(book.asked, 2);
  /* no answer is no reason to leave whom it has */
  book.n = 0;
  peer_leave(&w->peers[1]);
  int before = w->peers[0].requests;
  turns_until_int(&w->turns, &book.asked, 4);
  ask(w, ERROR_NONE);
  assert_int_equal(w->peers[0].requests, before);
  backend_free(w->backend);
  w->backend = NULL;
  loop_timer_free(book.timer);
}

static void on_found(void *arg, const Address *found, size_t n, const char *why) {
  bool *done = arg;
  *done = true;
  assert_int_equal(n, 1);
  assert_null(why);
  assert_string_equal(found[0].host, "127.0.0.1");
  assert_int_equal(found[0].port, 7401);
}

static void test_lookup(void **state) {
  Turns turns;
  bool done = false, never = false;
  Address name = {.kind = ADDRESS_TCP, .host = "127.0.0.1", .port = 7401};
  turns_start(&turns);
  backend_lookup(turns.loop, &name, on_found, &done);
  backend_lookup_free(backend_lookup(turns.loop, &name, on_found, &never));
  turns_until(&turns, &done);
  assert_false(never);
  turns_end(&turns);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_unary),
      TEST(test_statuses),
      TEST(test_largest_message),
      TEST(test_messages_on_demand),
      TEST(test_deadline_and_cancelling),
      TEST(test_metadata_that_cannot_be_sent),
      TEST(test_the_end_of_all),
      TEST(test_the_fewest_under_way),
      TEST(test_refused_is_sent_elsewhere),
      TEST(test_connections_that_are_left),
      TEST(test_a_call_under_way_is_not_sent_twice),
      TEST(test_nobody_there),
      TEST(test_a_name_is_looked_up_again),
      cmocka_unit_test(test_lookup),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
