/* Requests: what is sent, what each answer means, the limits, and the end of a client with calls under way. */
#include "lib/kube/kube_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/kube/kube_status.h"
#include "lib/kube/testing/stub_server_fixture.h"

typedef struct Answer {
  StubServer *server;
  int n;
  json_t *object;
  Error err;
} Answer;

typedef struct Fixture {
  Loop *loop;
  StubServer *server;
  KubeClient *client;
  int n_counted;
  long counted_status;
  char counted[64];
} Fixture;

static void on_counted(void *arg, const char *method, const char *path, long status, int64_t took_us) {
  Fixture *f = arg;
  f->n_counted++;
  f->counted_status = status;
  snprintf(f->counted, sizeof f->counted, "%s %s", method, path);
  assert_true(took_us >= 0);
}

static void begin(Fixture *f, KubeOptions options) {
  memset(f, 0, sizeof *f);
  f->loop = loop_new();
  f->server = stub_server_new(f->loop);
  options.user_agent = "kube-test/1";
  options.on_done = on_counted;
  options.arg = f;
  Error err = {0};
  f->client = kube_client_new(f->loop, stub_server_config(f->server), &options, &err);
  assert_non_null(f->client);
}

static void end(Fixture *f) {
  kube_client_free(f->client);
  stub_server_free(f->server);
  loop_free(f->loop);
}

static void on_answer(void *arg, json_t *object, const Error *err) {
  Answer *a = arg;
  a->n++;
  assert_true(!object != !err);
  a->object = json_incref(object);
  if (err)
    a->err = *err;
  stub_wake(a->server);
}

static void ask(Fixture *f, Answer *a, const char *method, const char *path, const json_t *body) {
  *a = (Answer){.server = f->server};
  kube_request(f->client, &(KubeRequest){.method = method, .path = path, .body = body}, on_answer, a);
  assert_int_equal(a->n, 0);
}

static void settle(Fixture *f, Answer *a) {
  STUB_UNTIL(f->server, a->n > 0);
  assert_int_equal(a->n, 1);
}

static void test_requests_as_they_arrive(void **s) {
  Fixture f;
  Answer a;
  begin(&f, (KubeOptions){0});
  KUBE_OWNED json_t *body = json_pack("{s:s}", "a", "b");
  static const struct {
    const char *method, *type;
    bool has_body;
  } CASES[] = {{"GET", NULL, false},
               {"POST", "application/json", true},
               {"PUT", "application/json", true},
               {"PATCH", "application/merge-patch+json", true},
               {"DELETE", "application/json", true},
               {"DELETE", NULL, false}};
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    ask(&f, &a, CASES[i].method, "/api/v1/pods?limit=1", CASES[i].has_body ? body : NULL);
    StubRequest *r = stub_next(f.server);
    assert_string_equal(r->method, CASES[i].method);
    assert_string_equal(r->path, "/api/v1/pods?limit=1");
    assert_string_equal(r->body, CASES[i].has_body ? "{\"a\":\"b\"}" : "");
    assert_contains(r->head, "\r\nAccept: application/json\r\n");
    assert_contains(r->head, "\r\nUser-Agent: kube-test/1\r\n");
    assert_contains(r->head, "\r\nAuthorization: Bearer t0k\r\n");
    assert_lacks(r->head, "Expect");
    if (CASES[i].type) {
      CLEANUP(str_freep) char *type = str_printf("\r\nContent-Type: %s\r\n", CASES[i].type);
      assert_contains(r->head, type);
    }
    stub_answer(r, i == 1 ? 201 : 200, NULL, "{\"metadata\":{\"name\":\"x\"}}\n");
    settle(&f, &a);
    assert_string_equal(kube_name(a.object), "x");
    json_decref(a.object);
  }
  assert_int_equal(f.n_counted, (int)ARRAY_LEN(CASES));
  assert_string_equal(f.counted, "DELETE /api/v1/pods?limit=1");
  assert_int_equal(f.counted_status, 200);
  end(&f);
}

static void test_a_body_of_another_type(void **s) {
  Fixture f;
  Answer a = {0};
  begin(&f, (KubeOptions){0});
  a.server = f.server;
  KUBE_OWNED json_t *body = json_pack("[]");
  kube_request(
      f.client,
      &(KubeRequest){.method = "PATCH", .path = "/x", .body = body, .content_type = "application/json-patch+json"},
      on_answer, &a);
  StubRequest *r = stub_expect(f.server, "PATCH", "/x");
  assert_contains(r->head, "\r\nContent-Type: application/json-patch+json\r\n");
  assert_string_equal(r->body, "[]");
  stub_answer(r, 200, NULL, "{}");
  settle(&f, &a);
  json_decref(a.object);
  end(&f);
}

static void test_what_each_status_means(void **s) {
  static const struct {
    int status;
    const char *headers, *body;
    ErrorKind kind;
    const char *message;
    uint32_t retry_ms;
  } CASES[] = {
      {400, NULL, "{\"message\":\"bad\",\"reason\":\"BadRequest\"}", ERROR_INVALID_ARGUMENT, "bad", 0},
      {401, NULL, "{\"message\":\"who\"}", ERROR_UNAUTHENTICATED, "who", 0},
      {403, NULL, "{\"message\":\"no\"}", ERROR_PERMISSION_DENIED, "no", 0},
      {404, NULL, "{\"message\":\"pods \\\"x\\\" not found\"}", ERROR_NOT_FOUND, "pods \"x\" not found", 0},
      {404, NULL, "404 page not found\n", ERROR_NOT_FOUND, "404", 0},
      {405, NULL, "{}", ERROR_UNIMPLEMENTED, "405", 0},
      {409, NULL, "{\"message\":\"m\",\"reason\":\"AlreadyExists\"}", ERROR_ALREADY_EXISTS, "m", 0},
      {409, NULL, "{\"message\":\"m\",\"reason\":\"Conflict\"}", ERROR_ABORTED, "m", 0},
      {409, NULL, "", ERROR_ABORTED, "409", 0},
      {410, NULL, "{\"message\":\"m\",\"reason\":\"Expired\"}", ERROR_OUT_OF_RANGE, "m", 0},
      {413, NULL, "{\"message\":\"m\"}", ERROR_INVALID_ARGUMENT, "m", 0},
      {415, NULL, "{\"message\":\"m\"}", ERROR_INVALID_ARGUMENT, "m", 0},
      {422, NULL, "{\"message\":\"m\",\"reason\":\"Invalid\"}", ERROR_INVALID_ARGUMENT, "m", 0},
      {429, "Retry-After: 3\r\n", "{\"message\":\"m\"}", ERROR_RESOURCE_EXHAUSTED, "m", 3000},
      {429, NULL, "{\"message\":\"m\",\"details\":{\"retryAfterSeconds\":7}}", ERROR_RESOURCE_EXHAUSTED, "m", 7000},
      {429, NULL, "{\"message\":\"m\",\"details\":{\"retryAfterSeconds\":-7}}", ERROR_RESOURCE_EXHAUSTED, "m", 0},
      {429, "Retry-After: 99999999\r\n", "{}", ERROR_RESOURCE_EXHAUSTED, "429", 3600000},
      {500, NULL, "{\"message\":\"m\",\"details\":{\"retryAfterSeconds\":1}}", ERROR_UNAVAILABLE, "m", 1000},
      {503, "Retry-After: 1\r\n", "<html>busy</html>", ERROR_UNAVAILABLE, "503", 1000},
      {504, NULL, "{\"message\":\"m\",\"reason\":\"Timeout\"}", ERROR_UNAVAILABLE, "m", 0},
      {301, "Location: http://127.0.0.1:1/\r\n", "", ERROR_UNKNOWN, "301", 0},
      {200, NULL, "not json", ERROR_UNAVAILABLE, "not JSON", 0},
      {200, NULL, "", ERROR_UNAVAILABLE, "not JSON", 0},
      {200, NULL, "{\"cut\":", ERROR_UNAVAILABLE, "not JSON", 0},
  };
  Fixture f;
  Answer a;
  begin(&f, (KubeOptions){0});
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    ask(&f, &a, "GET", "/x", NULL);
    stub_answer(stub_next(f.server), CASES[i].status, CASES[i].headers, CASES[i].body);
    settle(&f, &a);
    assert_null(a.object);
    if (a.err.kind != CASES[i].kind || a.err.retry_after_ms != CASES[i].retry_ms ||
        !strstr(a.err.message, CASES[i].message))
      fail_msg("case %zu: %s, %u ms, %s", i, error_kind_name(a.err.kind), a.err.retry_after_ms, a.err.message);
    assert_int_equal(f.counted_status, CASES[i].status);
  }
  end(&f);
}

static void test_connections_that_fail(void **s) {
  Fixture f;
  Answer a;
  begin(&f, (KubeOptions){.timeout_ms = 100});
  ask(&f, &a, "GET", "/x", NULL);
  stub_break(stub_next(f.server));
  settle(&f, &a);
  assert_int_equal(a.err.kind, ERROR_UNAVAILABLE);

  ask(&f, &a, "POST", "/x", NULL);
  stub_end(stub_next(f.server)); /* closed without a byte */
  settle(&f, &a);
  assert_int_equal(a.err.kind, ERROR_UNAVAILABLE);
  assert_int_equal(f.counted_status, 0);
  stub_run_for(f.server, 20);
  assert_int_equal(stub_waiting(f.server), 0); /* never asked again by itself */

  ask(&f, &a, "GET", "/slow", NULL);
  StubRequest *r = stub_next(f.server);
  settle(&f, &a);
  assert_int_equal(a.err.kind, ERROR_DEADLINE_EXCEEDED);
  assert_contains(a.err.message, "/slow");
  stub_end(r);

  ask(&f, &a, "GET", "/x", NULL); /* and the client still works */
  stub_answer(stub_next(f.server), 200, NULL, "{}");
  settle(&f, &a);
  assert_non_null(a.object);
  json_decref(a.object);
  end(&f);
}

static void test_a_write_is_never_sent_twice(void **s) {
  static const char *const METHODS[] = {"POST", "PUT", "PATCH"};
  Fixture f;
  Answer a;
  begin(&f, (KubeOptions){0});
  KUBE_OWNED json_t *body = json_pack("{s:s}", "metadata", "x");
  for (size_t i = 0; i < ARRAY_LEN(METHODS); i++) {
    ask(&f, &a, "GET", "/x", NULL);
    StubRequest *r = stub_next(f.server);
    stub_answer_and_keep(r, "{}");
    settle(&f, &a);
    json_decref(a.object);
    ask(&f, &a, METHODS[i], "/x", body);
    assert_ptr_equal(stub_expect(f.server, METHODS[i], "/x"), r); /* the same connection */
    assert_string_equal(r->body, "{\"metadata\":\"x\"}");
    stub_end(r); /* carried out perhaps, and no answer */
    settle(&f, &a);
    assert_int_equal(a.err.kind, ERROR_UNAVAILABLE);
    stub_run_for(f.server, 20);
    assert_int_equal(stub_waiting(f.server), 0);
  }
  end(&f);
}

static void test_nobody_listens(void **s) {
  Fixture f;
  Answer a;
  begin(&f, (KubeOptions){0});
  KubeConfig config = *stub_server_config(f.server);
  config.server = "http://127.0.0.1:1";
  Error err;
  kube_client_free(f.client);
  f.client = kube_client_new(f.loop, &config, &(KubeOptions){.user_agent = "u"}, &err);
  ask(&f, &a, "GET", "/x", NULL);
  settle(&f, &a);
  assert_int_equal(a.err.kind, ERROR_UNAVAILABLE);
  end(&f);
}

static void test_the_name_that_is_expected_replaces_the_host(void **s) {
  Fixture f;
  Answer a;
  begin(&f, (KubeOptions){0});
  KubeConfig config = *stub_server_config(f.server);
  config.server_name = "api.internal";
  Error err = {0};
  kube_client_free(f.client);
  f.client = kube_client_new(f.loop, &config, &(KubeOptions){.user_agent = "u"}, &err);
  assert_non_null(f.client);
  ask(&f, &a, "GET", "/x?y=1", NULL);
  StubRequest *r = stub_expect(f.server, "GET", "/x?y=1"); /* connected here all the same */
  assert_contains(r->head, "\r\nHost: api.internal:");
  stub_answer(r, 200, NULL, "{}");
  settle(&f, &a);
  json_decref(a.object);
  config.server_name = "no name";
  assert_null(kube_client_new(f.loop, &config, &(KubeOptions){.user_agent = "u"}, &err));
  assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
  end(&f);
}

static void test_a_token_file(void **s) {
  Fixture f;
  Answer a;
  begin(&f, (KubeOptions){0});
  char path[] = "/tmp/kube_client_test.XXXXXX";
  int fd = mkstemp(path);
  FILE *file = fdopen(fd, "w");
  fputs("from-file\n", file);
  fclose(file);
  stub_server_config(f.server)->token_file = path;
  ask(&f, &a, "GET", "/x", NULL);
  StubRequest *r = stub_next(f.server);
  assert_contains(r->head, "\r\nAuthorization: Bearer from-file\r\n");
  stub_answer(r, 200, NULL, "{}");
  settle(&f, &a);
  json_decref(a.object);
  remove(path);
  end(&f);
}

static void test_further_requests_wait_in_order(void **s) {
  Fixture f;
  Answer a[6];
  begin(&f, (KubeOptions){.max_in_flight = 2});
  for (int i = 0; i < 6; i++) {
    CLEANUP(str_freep) char *path = str_printf("/%d", i);
    ask(&f, &a[i], "GET", path, NULL);
  }
  bool seen[6] = {false};
  for (int i = 0; i < 6; i++) {
    stub_run_for(f.server, 10);
    STUB_UNTIL(f.server, stub_waiting(f.server) >= (i == 5 ? 1 : 2));
    assert_int_equal(stub_waiting(f.server), i == 5 ? 1 : 2);
    StubRequest *r = stub_next(f.server);
    int n = (int)str_leading_int64(r->path + 1, -1);
    assert_in_range(n, 0, 5);
    assert_true(n <= i + 1); /* of the two that run */
    assert_false(seen[n]);
    seen[n] = true;
    stub_answer(r, 200, NULL, "{}");
    settle(&f, &a[n]);
    json_decref(a[n].object);
  }
  end(&f);
}

static void ask_patiently(Fixture *f, Answer *a, const char *path) {
  *a = (Answer){.server = f->server};
  kube_request(f->client, &(KubeRequest){.method = "GET", .path = path, .patient = true}, on_answer, a);
}

static void answer_next(Fixture *f, const char *path, Answer *a) {
  stub_answer(stub_expect(f->server, "GET", path), 200, NULL, "{}");
  settle(f, a);
  json_decref(a->object);
}

/* Beside another only two of the patient run; after it has ended and a moment has passed, all of them. */
static void test_what_is_patient_lets_others_go_first(void **s) {
  Fixture f;
  Answer patient[6], other[2];
  begin(&f, (KubeOptions){0});
  ask(&f, &other[0], "GET", "/other", NULL);
  STUB_UNTIL(f.server, stub_waiting(f.server) == 1);
  for (int i = 0; i < 6; i++)
    ask_patiently(&f, &patient[i], "/patient");
  stub_run_for(f.server, (int64_t)3 * KUBE_PATIENT_MS);
  assert_int_equal(stub_waiting(f.server), 1 + KUBE_PATIENT_BESIDE);
  /* another one need not wait for them */
  ask(&f, &other[1], "GET", "/late", NULL);
  STUB_UNTIL(f.server, stub_waiting(f.server) == 2 + KUBE_PATIENT_BESIDE);
  answer_next(&f, "/other", &other[0]);
  StubRequest *r[6];
  for (int i = 0; i < KUBE_PATIENT_BESIDE; i++)
    r[i] = stub_expect(f.server, "GET", "/patient");
  answer_next(&f, "/late", &other[1]);
  STUB_UNTIL(f.server, stub_waiting(f.server) == 6 - KUBE_PATIENT_BESIDE);
  for (int i = KUBE_PATIENT_BESIDE; i < 6; i++)
    r[i] = stub_expect(f.server, "GET", "/patient");
  for (int i = 0; i < 6; i++)
    stub_answer(r[i], 200, NULL, "{}");
  for (int i = 0; i < 6; i++) {
    settle(&f, &patient[i]);
    json_decref(patient[i].object);
  }
  end(&f);
}

/* Those that still wait when the client goes are told, too. */
static void test_the_patient_are_cancelled(void **s) {
  Fixture f;
  Answer other, patient[4];
  begin(&f, (KubeOptions){0});
  ask(&f, &other, "GET", "/other", NULL);
  for (int i = 0; i < 4; i++)
    ask_patiently(&f, &patient[i], "/patient");
  kube_client_free(f.client);
  f.client = NULL;
  for (int i = 0; i < 4; i++)
    assert_true(patient[i].n == 1 && patient[i].err.kind == ERROR_CANCELLED);
  end(&f);
}

static void test_what_is_urgent_does_not_wait(void **s) {
  Fixture f;
  Answer a[3], urgent = {0};
  begin(&f, (KubeOptions){.max_in_flight = 1, .qps = 0.001, .burst = 2});
  urgent.server = f.server;
  for (int i = 0; i < 3; i++)
    ask(&f, &a[i], "GET", "/x", NULL);
  StubRequest *first = stub_expect(f.server, "GET", "/x");
  kube_request(f.client, &(KubeRequest){.method = "GET", .path = "/lease", .urgent = true}, on_answer, &urgent);
  stub_answer(stub_expect(f.server, "GET", "/lease"), 200, NULL, "{}");
  settle(&f, &urgent);
  json_decref(urgent.object);
  stub_answer(first, 200, NULL, "{}");
  settle(&f, &a[0]);
  json_decref(a[0].object);
  stub_answer(stub_expect(f.server, "GET", "/x"), 200, NULL, "{}"); /* those that wait go on as before */
  settle(&f, &a[1]);
  json_decref(a[1].object);
  kube_client_free(f.client); /* with the third still waiting */
  f.client = NULL;
  assert_int_equal(a[2].err.kind, ERROR_CANCELLED);
  end(&f);
}

static void test_a_time_limit_of_its_own(void **s) {
  Fixture f;
  Answer a = {0};
  begin(&f, (KubeOptions){0});
  a.server = f.server;
  kube_request(f.client, &(KubeRequest){.method = "GET", .path = "/x", .timeout_ms = 50}, on_answer, &a);
  settle(&f, &a);
  assert_int_equal(a.err.kind, ERROR_DEADLINE_EXCEEDED);
  end(&f);
}

static void test_so_many_a_second(void **s) {
  Fixture f;
  Answer a[8];
  begin(&f, (KubeOptions){.qps = 50, .burst = 3});
  int64_t start = clock_mono_ms();
  for (int i = 0; i < 8; i++)
    ask(&f, &a[i], "GET", "/x", NULL);
  for (int i = 0; i < 8; i++) {
    StubRequest *r = stub_next(f.server);
    if (i >= 3)
      assert_true(clock_mono_ms() - start >= (i - 2) * 20 - 2);
    stub_answer(r, 200, NULL, "{}");
  }
  for (int i = 0; i < 8; i++) {
    settle(&f, &a[i]);
    json_decref(a[i].object);
  }
  end(&f);
}

static void test_the_end_of_a_client_is_told_once_to_each_call(void **s) {
  Fixture f;
  Answer a[5];
  begin(&f, (KubeOptions){.max_in_flight = 2});
  for (int i = 0; i < 5; i++)
    ask(&f, &a[i], "GET", "/x", NULL);
  stub_begin(stub_next(f.server), 200); /* one has half an answer, one none, three wait */
  stub_run_for(f.server, 10);
  kube_client_free(f.client);
  f.client = NULL;
  for (int i = 0; i < 5; i++) {
    assert_int_equal(a[i].n, 1);
    assert_int_equal(a[i].err.kind, ERROR_CANCELLED);
  }
  stub_run_for(f.server, 10);
  for (int i = 0; i < 5; i++)
    assert_int_equal(a[i].n, 1);
  end(&f);
}

typedef struct Repeater {
  KubeClient *client;
  int n, cancelled;
} Repeater;

static void on_repeat(void *arg, json_t *object, const Error *err) {
  Repeater *r = arg;
  r->n++;
  if (err->kind == ERROR_CANCELLED)
    r->cancelled++;
  if (r->n < 5)
    kube_request(r->client, &(KubeRequest){.method = "GET", .path = "/again"}, on_repeat, r);
}

static void test_what_is_asked_while_it_ends_is_cancelled_too(void **s) {
  Fixture f;
  begin(&f, (KubeOptions){0});
  Repeater r = {.client = f.client};
  kube_request(f.client, &(KubeRequest){.method = "GET", .path = "/x"}, on_repeat, &r);
  kube_client_free(f.client);
  f.client = NULL;
  assert_int_equal(r.n, 5);
  assert_int_equal(r.cancelled, 5);
  end(&f);
}

static void dated(Fixture *f, int64_t ahead_ms) {
  char date[64], header[96];
  time_t at = (time_t)((clock_wall_ms() + ahead_ms) / 1000);
  struct tm tm;
  strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&at, &tm));
  snprintf(header, sizeof header, "Date: %s\r\n", date);
  Answer a;
  ask(f, &a, "GET", "/version", NULL);
  stub_answer(stub_expect(f->server, "GET", "/version"), 200, header, "{}");
  settle(f, &a);
  json_decref(a.object);
}

static void test_how_far_the_clocks_are_apart(void **s) {
  Fixture f;
  int64_t skew_ms;
  begin(&f, (KubeOptions){0});
  assert_false(kube_client_skew(f.client, &skew_ms));
  dated(&f, 0);
  assert_true(kube_client_skew(f.client, &skew_ms));
  assert_int_equal(skew_ms, 0);
  dated(&f, 100000);
  assert_true(kube_client_skew(f.client, &skew_ms));
  assert_in_range(skew_ms, 90000, 100000);
  dated(&f, -100000);
  assert_true(kube_client_skew(f.client, &skew_ms));
  assert_in_range(-skew_ms, 90000, 100000);
  end(&f);
}

static bool not_any_more(void *arg) {
  return false;
}

/* Also one that has waited: it is asked when it would go out, not when it was handed in. */
static void test_what_is_fenced_is_not_sent_without_leave(void **s) {
  Fixture f;
  Answer a = {0}, b = {0}, open;
  begin(&f, (KubeOptions){.may_write = not_any_more, .max_in_flight = 1});
  a.server = b.server = f.server;
  ask(&f, &open, "POST", "/open", NULL);
  StubRequest *first = stub_expect(f.server, "POST", "/open");
  kube_request(f.client, &(KubeRequest){.method = "POST", .path = "/fenced", .fenced = true}, on_answer, &a);
  kube_request(f.client, &(KubeRequest){.method = "PATCH", .path = "/fenced", .fenced = true}, on_answer, &b);
  assert_int_equal(a.n, 0);
  stub_answer(first, 200, NULL, "{}");
  settle(&f, &open);
  json_decref(open.object);
  settle(&f, &a);
  settle(&f, &b);
  assert_int_equal(a.err.kind, ERROR_UNAVAILABLE);
  assert_int_equal(b.err.kind, ERROR_UNAVAILABLE);
  assert_int_equal(f.n_counted, 1); /* the open one alone went out */
  a = b = (Answer){.server = f.server};
  kube_request(f.client, &(KubeRequest){.method = "POST", .path = "/fenced", .fenced = true}, on_answer, &a);
  kube_client_free(f.client); /* refused and not told yet */
  f.client = NULL;
  assert_int_equal(a.n, 1);
  assert_int_equal(a.err.kind, ERROR_CANCELLED);
  end(&f);
}

static void test_a_namespace_that_goes(void **s) {
  Error err = {0};
  KUBE_OWNED json_t *body = json_loads("{\"kind\":\"Status\",\"code\":403,\"message\":\"m\",\"details\":{\"causes\":[{"
                                       "\"reason\":\"NamespaceTerminating\"}]}}",
                                       0, NULL);
  kube_status_error(&err, 403, body, "x");
  assert_int_equal(err.kind, ERROR_PERMISSION_DENIED);
  assert_true(err.retry_after_ms >= 1000);
  err = (Error){0};
  json_object_del(json_object_get(body, "details"), "causes");
  kube_status_error(&err, 403, body, "x");
  assert_int_equal(err.retry_after_ms, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_requests_as_they_arrive),
      cmocka_unit_test(test_a_body_of_another_type),
      cmocka_unit_test(test_what_each_status_means),
      cmocka_unit_test(test_connections_that_fail),
      cmocka_unit_test(test_a_write_is_never_sent_twice),
      cmocka_unit_test(test_nobody_listens),
      cmocka_unit_test(test_the_name_that_is_expected_replaces_the_host),
      cmocka_unit_test(test_a_token_file),
      cmocka_unit_test(test_further_requests_wait_in_order),
      cmocka_unit_test(test_what_is_patient_lets_others_go_first),
      cmocka_unit_test(test_the_patient_are_cancelled),
      cmocka_unit_test(test_what_is_urgent_does_not_wait),
      cmocka_unit_test(test_what_is_fenced_is_not_sent_without_leave),
      cmocka_unit_test(test_a_namespace_that_goes),
      cmocka_unit_test(test_a_time_limit_of_its_own),
      cmocka_unit_test(test_so_many_a_second),
      cmocka_unit_test(test_the_end_of_a_client_is_told_once_to_each_call),
      cmocka_unit_test(test_what_is_asked_while_it_ends_is_cancelled_too),
      cmocka_unit_test(test_how_far_the_clocks_are_apart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
