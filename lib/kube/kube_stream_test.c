/* Streams of lines: however they are cut on their way, and whatever a callback does. */
#include "lib/kube/kube_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/kube/testing/stub_server_fixture.h"

enum { LINES_MAX = 32 };

typedef struct Fixture {
  Loop *loop;
  StubServer *server;
  KubeClient *client;
  KubeCall *call;
  int n, n_ends;
  int64_t lines[LINES_MAX];
  size_t longest;
  int cancel_at; /* this many lines; 0: never */
  Error err;
  bool failed;
} Fixture;

static void on_line(void *arg, json_t *value) {
  Fixture *f = arg;
  assert_true(f->n < LINES_MAX);
  f->lines[f->n++] = kube_int(value, "n", -1);
  size_t n = json_string_length(json_object_get(value, "long"));
  if (n > f->longest)
    f->longest = n;
  if (f->n == f->cancel_at) {
    kube_stream_cancel(f->call);
    f->call = NULL;
  }
  stub_wake(f->server);
}

static void on_end(void *arg, const Error *err) {
  Fixture *f = arg;
  f->n_ends++;
  f->call = NULL;
  f->failed = err != NULL;
  if (err)
    f->err = *err;
  stub_wake(f->server);
}

static const KubeStreamEvents EVENTS = {on_line, on_end};

static void begin(Fixture *f) {
  memset(f, 0, sizeof *f);
  f->loop = loop_new();
  f->server = stub_server_new(f->loop);
  Error err = {0};
  f->client = kube_client_new(f->loop, stub_server_config(f->server), &(KubeOptions){.user_agent = "u"}, &err);
  assert_non_null(f->client);
}

static void end(Fixture *f) {
  kube_client_free(f->client);
  stub_server_free(f->server);
  loop_free(f->loop);
}

static StubRequest *open_stream(Fixture *f) {
  f->call = kube_stream(f->client, "/w?watch=true", &EVENTS, f);
  StubRequest *r = stub_expect(f->server, "GET", "/w?watch=true");
  stub_begin(r, 200);
  return r;
}

static void test_lines_in_pieces_and_several_in_one(void **s) {
  Fixture f;
  begin(&f);
  StubRequest *r = open_stream(&f);
  const char *text = "{\"n\":1}\n{\"n\":2,\"a\":\"\xc3\xa9\"}\n";
  for (; *text; text++) {
    stub_send(r, (char[]){*text, 0});
    stub_run_for(f.server, 1);
  }
  STUB_UNTIL(f.server, f.n == 2);
  stub_send(r, "{\"n\":3}\n\n{\"n\":4}\r\nrubbish\n{\"n\":5}\n{\"n\":");
  STUB_UNTIL(f.server, f.n == 5);
  stub_send(r, "6}\n{\"n\":7}");
  STUB_UNTIL(f.server, f.n == 6);
  for (int i = 0; i < 6; i++)
    assert_int_equal(f.lines[i], i + 1);
  stub_end(r);
  STUB_UNTIL(f.server, f.n_ends == 1);
  assert_false(f.failed);
  assert_int_equal(f.n, 6); /* half a line at the end is none */
  end(&f);
}

static void test_the_last_lines_come_before_the_end(void **s) {
  Fixture f;
  begin(&f);
  StubRequest *r = open_stream(&f);
  stub_send(r, "{\"n\":1}\n{\"n\":2}\n");
  stub_end(r);
  STUB_UNTIL(f.server, f.n_ends == 1);
  assert_int_equal(f.n, 2);
  assert_false(f.failed);
  end(&f);
}

static void test_a_line_of_five_megabytes(void **s) {
  Fixture f;
  begin(&f);
  StubRequest *r = open_stream(&f);
  size_t n = 5 << 20;
  char *text = malloc(n + 1);
  memset(text, 'x', n);
  text[n] = 0;
  stub_send(r, "{\"n\":1,\"long\":\"");
  stub_send(r, text);
  stub_send(r, "\"}\n{\"n\":2}\n");
  free(text);
  STUB_UNTIL(f.server, f.n == 2);
  assert_int_equal(f.longest, n);
  kube_stream_cancel(f.call);
  end(&f);
}

static void test_a_line_without_end_ends_the_stream(void **s) {
  Fixture f;
  begin(&f);
  StubRequest *r = open_stream(&f);
  size_t n = KUBE_LINE_MAX + 65536;
  char *text = malloc(n + 1);
  memset(text, ' ', n);
  text[n] = 0;
  stub_send(r, text);
  free(text);
  STUB_UNTIL(f.server, f.n_ends == 1);
  assert_true(f.failed);
  assert_int_equal(f.err.kind, ERROR_UNAVAILABLE);
  assert_contains(f.err.message, "too large");
  end(&f);
}

static void test_a_refused_stream_has_no_lines(void **s) {
  Fixture f;
  begin(&f);
  f.call = kube_stream(f.client, "/w", &EVENTS, &f);
  stub_answer(stub_next(f.server), 403, NULL, "{\"kind\":\"Status\",\"message\":\"no watch for you\"}\n");
  STUB_UNTIL(f.server, f.n_ends == 1);
  assert_int_equal(f.n, 0);
  assert_int_equal(f.err.kind, ERROR_PERMISSION_DENIED);
  assert_string_equal(f.err.message, "no watch for you");

  f.call = kube_stream(f.client, "/w", &EVENTS, &f);
  stub_answer(stub_next(f.server), 429, NULL, "{\"message\":\"m\",\"details\":{\"retryAfterSeconds\":2}}\n");
  STUB_UNTIL(f.server, f.n_ends == 2);
  assert_int_equal(f.n, 0);
  assert_int_equal(f.err.kind, ERROR_RESOURCE_EXHAUSTED);
  assert_int_equal(f.err.retry_after_ms, 2000);
  end(&f);
}

static void test_cancel_inside_a_line(void **s) {
  Fixture f;
  begin(&f);
  f.cancel_at = 2;
  StubRequest *r = open_stream(&f);
  stub_send(r, "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
  STUB_UNTIL(f.server, r->closed);
  assert_int_equal(f.n, 2);
  assert_int_equal(f.n_ends, 0);
  end(&f);
}

static void test_cancel_from_outside(void **s) {
  Fixture f;
  begin(&f);
  StubRequest *r = open_stream(&f);
  kube_stream_cancel(f.call);
  STUB_UNTIL(f.server, r->closed);
  f.call = kube_stream(f.client, "/w", &EVENTS, &f);
  kube_stream_cancel(f.call); /* before it was sent */
  kube_stream_cancel(NULL);
  stub_run_for(f.server, 10);
  assert_int_equal(f.n_ends, 0);
  end(&f);
}

/* Two streams with lines at the same time; a line of either cancels both. */
typedef struct Pair {
  StubServer *server;
  KubeCall *calls[2];
  int n;
} Pair;

static void on_pair_line(void *arg, json_t *value) {
  Pair *p = arg;
  p->n++;
  for (int i = 0; i < 2; i++) {
    kube_stream_cancel(p->calls[i]);
    p->calls[i] = NULL;
  }
  stub_wake(p->server);
}

static void on_pair_end(void *arg, const Error *err) {
  fail();
}

static void test_one_line_cancels_another_stream(void **s) {
  static const KubeStreamEvents events = {on_pair_line, on_pair_end};
  Fixture f;
  begin(&f);
  Pair p = {.server = f.server};
  StubRequest *r[2];
  for (int i = 0; i < 2; i++) {
    p.calls[i] = kube_stream(f.client, "/w", &events, &p);
    r[i] = stub_next(f.server);
    stub_begin(r[i], 200);
    stub_run_for(f.server, 5);
  }
  for (int i = 0; i < 2; i++)
    stub_send(r[i], "{}\n{}\n{}\n");
  STUB_UNTIL(f.server, r[0]->closed && r[1]->closed);
  assert_int_equal(p.n, 1);
  end(&f);
}

static void test_the_end_of_the_client(void **s) {
  Fixture f;
  begin(&f);
  StubRequest *r = open_stream(&f);
  stub_send(r, "{\"n\":1}\n");
  STUB_UNTIL(f.server, f.n == 1);
  kube_client_free(f.client);
  f.client = NULL;
  assert_int_equal(f.n_ends, 1);
  assert_int_equal(f.err.kind, ERROR_CANCELLED);
  STUB_UNTIL(f.server, r->closed);
  end(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lines_in_pieces_and_several_in_one),
      cmocka_unit_test(test_the_last_lines_come_before_the_end),
      cmocka_unit_test(test_a_line_of_five_megabytes),
      cmocka_unit_test(test_a_line_without_end_ends_the_stream),
      cmocka_unit_test(test_a_refused_stream_has_no_lines),
      cmocka_unit_test(test_cancel_inside_a_line),
      cmocka_unit_test(test_cancel_from_outside),
      cmocka_unit_test(test_one_line_cancels_another_stream),
      cmocka_unit_test(test_the_end_of_the_client),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
