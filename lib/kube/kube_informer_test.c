/* The kept copy against scripted lists and watches: what is told, in which order, and what is asked for next. */
#include "lib/kube/kube_informer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/kube/testing/stub_server_fixture.h"

typedef struct Fixture {
  Loop *loop;
  StubServer *server;
  KubeClient *client;
  KubeInformer *informer;
  Buf told; /* "+a:1 ~a:1>2 -a:2 synced " */
  int n_errors;
  Error err;
} Fixture;

static const char *version(const json_t *o) {
  return kube_text(o, "metadata.resourceVersion");
}

static void tell(Fixture *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void tell(Fixture *f, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  assert_int_equal(buf_vprintf(&f->told, fmt, ap), 0);
  va_end(ap);
  stub_wake(f->server);
}

static void on_change(void *arg, const json_t *before, const json_t *after) {
  Fixture *f = arg;
  const json_t *some = after ? after : before;
  assert_non_null(some);
  /* what is told is what is kept */
  assert_ptr_equal(kube_informer_get(f->informer, kube_namespace(some), kube_name(some)), after);
  if (!before)
    tell(f, "+%s:%s ", kube_name(after), version(after));
  else if (!after)
    tell(f, "-%s:%s ", kube_name(before), version(before));
  else
    tell(f, "~%s:%s>%s ", kube_name(after), version(before), version(after));
}

static void on_synced(void *arg) {
  Fixture *f = arg;
  assert_true(kube_informer_synced(f->informer));
  tell(f, "synced ");
}

static void on_error(void *arg, const char *path, const Error *err) {
  Fixture *f = arg;
  assert_string_equal(path, "/api/v1/pods");
  f->n_errors++;
  f->err = *err;
  stub_wake(f->server);
}

static const char *owner(const json_t *o) {
  return kube_text(kube_controller(o), "uid");
}
static void prune(json_t *o) {
  json_object_del(o, "secret");
}

static KubeInformerSpec spec_of(Fixture *f) {
  return (KubeInformerSpec){.path = "/api/v1/pods",
                            .prune = prune,
                            .index = owner,
                            .on_change = on_change,
                            .on_synced = on_synced,
                            .on_error = on_error,
                            .arg = f};
}

static void begin(Fixture *f) {
  memset(f, 0, sizeof *f);
  f->loop = loop_new();
  f->server = stub_server_new(f->loop);
  Error err = {0};
  f->client = kube_client_new(f->loop, stub_server_config(f->server), &(KubeOptions){.user_agent = "u"}, &err);
  stub_hold_time(f->server, f->client);
  KubeInformerSpec spec = spec_of(f);
  f->informer = kube_informer_new(f->loop, f->client, &spec);
}

static void end(Fixture *f) {
  kube_informer_free(f->informer);
  kube_client_free(f->client);
  stub_server_free(f->server);
  loop_free(f->loop);
  buf_deinit(&f->told);
}

static void told(Fixture *f, const char *want) {
  STUB_UNTIL(f->server, strlen(buf_str(&f->told)) >= strlen(want));
  assert_string_equal(buf_str(&f->told), want);
  buf_deinit(&f->told);
}

/* Objects by a short form: "a:1" is a pod a at version 1 with the uid "a", "a:1:u" with another uid. */
static char *object_of(const char *form) {
  CLEANUP(str_freep) char *name = str_dup(form);
  char *rv = strchr(name, ':');
  assert_non_null(rv);
  *rv++ = 0;
  char *uid = strchr(rv, ':');
  if (uid)
    *uid++ = 0;
  else
    uid = name;
  return str_printf("{\"metadata\":{\"namespace\":\"ns\",\"name\":\"%s\",\"uid\":\"%s\",\"resourceVersion\":\"%s\","
                    "\"managedFields\":[{}],"
                    "\"ownerReferences\":[{\"uid\":\"owner-of-%s\",\"controller\":true}]},\"secret\":1}",
                    name, uid, rv, uid);
}

/* forms: separated by blanks. */
static char *list_of(const char *rv, const char *more, const char *forms) {
  Buf b = {0};
  assert_int_equal(
      buf_printf(&b, "{\"metadata\":{\"resourceVersion\":\"%s\",\"continue\":\"%s\"},\"items\":[", rv, more), 0);
  CLEANUP(str_freep) char *copy = str_dup(forms);
  const char *comma = "";
  for (char *save, *form = strtok_r(copy, " ", &save); form; form = strtok_r(NULL, " ", &save), comma = ",") {
    CLEANUP(str_freep) char *object = object_of(form);
    assert_int_equal(buf_printf(&b, "%s%s", comma, object), 0);
  }
  assert_int_equal(buf_append_str(&b, "]}"), 0);
  return (char *)b.data;
}

static StubRequest *expect_list(Fixture *f) {
  StubRequest *r = stub_expect(f->server, "GET", "/api/v1/pods?limit=200");
  assert_lacks(r->path, "watch");
  return r;
}

static void answer_list(StubRequest *r, const char *rv, const char *more, const char *forms) {
  CLEANUP(str_freep) char *body = list_of(rv, more, forms);
  stub_answer(r, 200, NULL, body);
}

static StubRequest *expect_watch(Fixture *f, const char *rv) {
  CLEANUP(str_freep)
  char *path = str_printf("/api/v1/pods?watch=true&allowWatchBookmarks=true&resourceVersion=%s&timeoutSeconds=", rv);
  return stub_expect(f->server, "GET", path);
}

static void event(StubRequest *r, const char *type, const char *form) {
  CLEANUP(str_freep) char *object = object_of(form);
  CLEANUP(str_freep) char *line = str_printf("{\"type\":\"%s\",\"object\":%s}\n", type, object);
  stub_send(r, line);
}

/* Up to an open watch. */
static StubRequest *watching(Fixture *f, const char *forms) {
  answer_list(expect_list(f), "10", "", forms);
  StubRequest *w = expect_watch(f, "10");
  stub_begin(w, 200);
  STUB_UNTIL(f->server, kube_informer_synced(f->informer));
  buf_deinit(&f->told);
  return w;
}

static void put(Fixture *f, const char *form) {
  CLEANUP(str_freep) char *text = object_of(form);
  KUBE_OWNED json_t *object = json_loads(text, 0, NULL);
  kube_informer_put(f->informer, object);
  assert_non_null(json_object_get(object, "secret")); /* the caller's own is untouched */
}

static void count(void *arg, const json_t *object) {
  ++*(int *)arg;
}

static int count_of(Fixture *f, const char *key) {
  int n = 0;
  kube_informer_each_of(f->informer, key, count, &n);
  return n;
}

static void test_pages_then_events(void **s) {
  Fixture f;
  begin(&f);
  assert_false(kube_informer_synced(f.informer));
  answer_list(expect_list(&f), "10", "next-1", "a:1 b:2");
  StubRequest *r = expect_list(&f);
  assert_contains(r->path, "&continue=next-1");
  assert_false(kube_informer_synced(f.informer));
  answer_list(r, "10", "next-2", "c:3");
  r = expect_list(&f);
  assert_contains(r->path, "&continue=next-2");
  answer_list(r, "10", "", "d:4");
  told(&f, "+a:1 +b:2 +c:3 +d:4 synced ");
  StubRequest *w = expect_watch(&f, "10");
  stub_begin(w, 200);
  event(w, "ADDED", "e:11");
  event(w, "MODIFIED", "a:12");
  event(w, "DELETED", "b:13");
  event(w, "BOOKMARK", "zzz:14");
  event(w, "STRANGE", "zzz:15");
  event(w, "MODIFIED", "a:16");
  told(&f, "+e:11 ~a:1>12 -b:2 ~a:12>16 ");
  assert_int_equal(kube_informer_count(f.informer), 4);
  const json_t *a = kube_informer_get(f.informer, "ns", "a");
  assert_string_equal(version(a), "16");
  assert_null(json_object_get(a, "secret"));
  assert_null(kube_get(a, "metadata.managedFields"));
  assert_null(kube_informer_get(f.informer, "other", "a"));
  assert_null(kube_informer_get(f.informer, NULL, "a"));
  assert_null(kube_informer_get(f.informer, "ns", "b"));
  int n = 0;
  kube_informer_each(f.informer, count, &n);
  assert_int_equal(n, 4);
  assert_int_equal(f.n_errors, 0);
  end(&f);
}

static void test_a_dropped_watch_goes_on_from_the_last_version(void **s) {
  Fixture f;
  begin(&f);
  StubRequest *w = watching(&f, "a:1");
  event(w, "MODIFIED", "a:11");
  told(&f, "~a:1>11 ");
  event(w, "BOOKMARK", "-:25");
  stub_end(w);
  w = expect_watch(&f, "25");
  stub_begin(w, 200);
  event(w, "DELETED", "a:26");
  told(&f, "-a:11 ");
  stub_end(w);
  w = expect_watch(&f, "26");
  stub_end(w); /* without an answer at all */
  w = expect_watch(&f, "26");
  assert_true(f.n_errors >= 1);
  stub_answer(w, 503, NULL, "{\"message\":\"starting\"}\n");
  w = expect_watch(&f, "26");
  assert_string_equal(f.err.message, "starting");
  stub_begin(w, 200);
  event(w, "ADDED", "b:30");
  told(&f, "+b:30 ");
  end(&f);
}

static void test_an_expired_version_is_listed_again_and_only_differences_told(void **s) {
  Fixture f;
  begin(&f);
  StubRequest *w = watching(&f, "same:1 changed:2 deleted:3 replaced:4:u1");
  stub_send(w, "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\",\"message\":"
               "\"too old\"}}\n");
  STUB_UNTIL(f.server, w->closed); /* our end */
  answer_list(expect_list(&f), "40", "", "same:1 changed:20 new:21 replaced:22:u2");
  told(&f, "~changed:2>20 +new:21 -replaced:4 +replaced:22 -deleted:3 ");
  assert_int_equal(f.n_errors, 0); /* it is in the order of things */
  w = expect_watch(&f, "40");
  stub_answer(w, 410, NULL, "{\"code\":410,\"message\":\"too old\"}\n"); /* the same as a status */
  answer_list(expect_list(&f), "50", "", "same:1");
  told(&f, "-changed:20 -new:21 -replaced:22 ");
  w = expect_watch(&f, "50");
  stub_begin(w, 200);
  /* any other error event: also a new list, but for the log */
  stub_send(
      w,
      "{\"type\":\"ERROR\",\"object\":{\"code\":500,\"message\":\"broken\"}}\n{\"type\":\"DELETED\",\"object\":{}}\n");
  answer_list(expect_list(&f), "60", "", "same:1");
  assert_int_equal(f.n_errors, 1);
  assert_string_equal(f.err.message, "broken");
  stub_begin(expect_watch(&f, "60"), 200);
  assert_string_equal(buf_str(&f.told), "");
  end(&f);
}

static void test_a_list_that_expires_between_pages_begins_anew(void **s) {
  Fixture f;
  begin(&f);
  answer_list(expect_list(&f), "10", "p2", "a:1 b:2");
  StubRequest *r = expect_list(&f);
  assert_contains(r->path, "&continue=p2");
  stub_answer(r, 410, NULL,
              "{\"code\":410,\"reason\":\"Expired\",\"message\":\"The provided continue parameter is too old\"}");
  r = expect_list(&f);
  assert_lacks(r->path, "continue");
  assert_false(kube_informer_synced(f.informer));
  answer_list(r, "20", "", "a:1 c:15");
  told(&f, "+a:1 +b:2 +c:15 -b:2 synced ");
  stub_begin(expect_watch(&f, "20"), 200);
  end(&f);
}

static void test_failed_lists_are_repeated(void **s) {
  Fixture f;
  begin(&f);
  stub_answer(expect_list(&f), 500, NULL, "{}");
  stub_answer(expect_list(&f), 200, NULL, "rubbish");
  stub_break(expect_list(&f));
  stub_answer(expect_list(&f), 403, NULL, "{\"message\":\"not yours\"}");
  StubRequest *r = expect_list(&f);
  assert_int_equal(f.n_errors, 4);
  assert_int_equal(f.err.kind, ERROR_PERMISSION_DENIED);
  answer_list(r, "1", "", "");
  told(&f, "synced ");
  end(&f);
}

static void test_what_is_no_list_takes_nothing_away(void **s) {
  Fixture f;
  begin(&f);
  StubRequest *w = watching(&f, "a:1");
  stub_send(w, "{\"type\":\"ERROR\",\"object\":{\"code\":410}}\n");
  stub_answer(expect_list(&f), 200, NULL, "{}");
  StubRequest *r = expect_list(&f);
  assert_int_equal(f.n_errors, 1);
  assert_int_equal(kube_informer_count(f.informer), 1);
  answer_list(r, "30", "", "a:1");
  stub_begin(expect_watch(&f, "30"), 200);
  assert_string_equal(buf_str(&f.told), "");
  end(&f);
}

static void test_a_watch_refused_again_and_again_is_listed_anew(void **s) {
  Fixture f;
  begin(&f);
  answer_list(expect_list(&f), "999", "", "a:1");
  /* as after the server's data went back in time */
  for (int i = 0; i < 6; i++)
    stub_answer(expect_watch(&f, "999"), 504, NULL, "{\"message\":\"Too large resource version\"}\n");
  told(&f, "+a:1 synced ");
  answer_list(expect_list(&f), "5", "", "a:1 b:3");
  told(&f, "+b:3 ");
  stub_begin(expect_watch(&f, "5"), 200);
  end(&f);
}

static void test_own_writes_are_seen_at_once(void **s) {
  Fixture f;
  begin(&f);
  put(&f, "early:5"); /* not synced: nothing to compare with */
  assert_int_equal(kube_informer_count(f.informer), 0);
  StubRequest *w = watching(&f, "a:1");
  put(&f, "a:12");
  put(&f, "new:13");
  told(&f, "~a:1>12 +new:13 ");
  put(&f, "a:12");
  put(&f, "a:9");
  put(&f, "a:1");
  event(w, "MODIFIED", "a:11"); /* older than one's own write */
  event(w, "MODIFIED", "a:12"); /* its own event */
  event(w, "ADDED", "new:13");
  event(w, "MODIFIED", "a:14");
  told(&f, "~a:12>14 ");
  event(w, "DELETED", "a:15");
  told(&f, "-a:14 ");
  put(&f, "a:14"); /* an answer that comes late: the watch is past it */
  put(&f, "gone-long-ago:15");
  assert_int_equal(kube_informer_count(f.informer), 1);
  put(&f, "a:16:again"); /* made anew */
  told(&f, "+a:16 ");
  event(w, "ADDED", "a:16:again");
  event(w, "ADDED", "last:17");
  told(&f, "+last:17 ");
  end(&f);
}

static void test_events_of_one_that_was_replaced(void **s) {
  Fixture f;
  begin(&f);
  StubRequest *w = watching(&f, "a:1:first");
  /* deleted and made again, and only our write is known of yet */
  put(&f, "a:20:second");
  told(&f, "-a:1 +a:20 ");
  event(w, "MODIFIED", "a:15:first");
  event(w, "DELETED", "a:16:first");
  event(w, "ADDED", "a:20:second");
  event(w, "MODIFIED", "a:21:second");
  told(&f, "~a:20>21 ");
  assert_int_equal(kube_informer_count(f.informer), 1);
  assert_int_equal(count_of(&f, "owner-of-first"), 0);
  assert_int_equal(count_of(&f, "owner-of-second"), 1);
  /* the same, found by a list */
  stub_send(w, "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\"}}\n");
  answer_list(expect_list(&f), "40", "", "a:30:third");
  told(&f, "-a:21 +a:30 ");
  end(&f);
}

static void test_own_writes_during_a_list_outlive_it(void **s) {
  Fixture f;
  begin(&f);
  StubRequest *w = watching(&f, "a:1 gone:2");
  stub_send(w, "{\"type\":\"ERROR\",\"object\":{\"code\":410}}\n");
  StubRequest *r = expect_list(&f);
  put(&f, "made:45");
  put(&f, "a:46");
  told(&f, "+made:45 ~a:1>46 ");
  answer_list(r, "40", "", "a:30"); /* as it was before these writes */
  told(&f, "-gone:2 ");
  w = expect_watch(&f, "40");
  stub_begin(w, 200);
  assert_string_equal(version(kube_informer_get(f.informer, "ns", "a")), "46");
  event(w, "ADDED", "made:45");
  event(w, "MODIFIED", "a:46");
  event(w, "MODIFIED", "made:47");
  told(&f, "~made:45>47 ");
  /* put before the next list is asked for: that one knows better, also with smaller versions (restored data) */
  put(&f, "made:90");
  told(&f, "~made:47>90 ");
  stub_send(w, "{\"type\":\"ERROR\",\"object\":{\"code\":410}}\n");
  answer_list(expect_list(&f), "6", "", "a:5");
  told(&f, "~a:46>5 -made:90 ");
  end(&f);
}

static void test_the_second_key_follows_its_object(void **s) {
  Fixture f;
  begin(&f);
  StubRequest *w = watching(&f, "a:1 b:2");
  assert_int_equal(count_of(&f, "owner-of-a"), 1);
  assert_int_equal(count_of(&f, "nobody"), 0);
  assert_int_equal(count_of(&f, NULL), 0);
  /* b gets a's owner, then none */
  stub_send(w, "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"namespace\":\"ns\",\"name\":\"b\",\"uid\":\"b\","
               "\"resourceVersion\":\"11\","
               "\"ownerReferences\":[{\"uid\":\"owner-of-a\",\"controller\":true}]}}}\n");
  told(&f, "~b:2>11 ");
  assert_int_equal(count_of(&f, "owner-of-a"), 2);
  assert_int_equal(count_of(&f, "owner-of-b"), 0);
  stub_send(w, "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"namespace\":\"ns\",\"name\":\"b\",\"uid\":\"b\","
               "\"resourceVersion\":\"12\"}}}\n");
  told(&f, "~b:11>12 ");
  assert_int_equal(count_of(&f, "owner-of-a"), 1);
  event(w, "DELETED", "a:13");
  told(&f, "-a:1 ");
  assert_int_equal(count_of(&f, "owner-of-a"), 0);
  end(&f);
}

static void test_a_selector_and_no_index(void **s) {
  Fixture f;
  begin(&f);
  KubeInformerSpec spec = {.path = "/apis/g/v1/xs", .selector = "a%3Db", .on_change = on_change, .arg = &f};
  kube_informer_free(f.informer); /* while its list is under way */
  f.informer = kube_informer_new(f.loop, f.client, &spec);
  StubRequest *r = stub_next(f.server);
  if (str_starts_with(r->path, "/api/v1/pods")) {
    stub_answer(r, 200, NULL, "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[{}]}");
    r = stub_next(f.server);
  }
  assert_string_equal(r->path, "/apis/g/v1/xs?limit=200&labelSelector=a%3Db");
  answer_list(r, "7", "", "a:1");
  told(&f, "+a:1 ");
  r = stub_expect(f.server, "GET", "/apis/g/v1/xs?watch=true");
  assert_contains(r->path, "&labelSelector=a%3Db");
  stub_begin(r, 200);
  event(r, "DELETED", "a:8"); /* it no longer matches */
  told(&f, "-a:1 ");
  end(&f);
}

static void test_it_is_freed_at_any_point(void **s) {
  Fixture f;
  begin(&f);
  end(&f); /* before its list was sent */
  begin(&f);
  expect_list(&f);
  end(&f);
  begin(&f);
  stub_answer(expect_list(&f), 500, NULL, "{}");
  STUB_UNTIL(f.server, f.n_errors == 1);
  end(&f); /* during the pause */
  begin(&f);
  watching(&f, "a:1 b:2");
  end(&f);
  kube_informer_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pages_then_events),
      cmocka_unit_test(test_a_dropped_watch_goes_on_from_the_last_version),
      cmocka_unit_test(test_an_expired_version_is_listed_again_and_only_differences_told),
      cmocka_unit_test(test_a_list_that_expires_between_pages_begins_anew),
      cmocka_unit_test(test_failed_lists_are_repeated),
      cmocka_unit_test(test_what_is_no_list_takes_nothing_away),
      cmocka_unit_test(test_a_watch_refused_again_and_again_is_listed_anew),
      cmocka_unit_test(test_own_writes_are_seen_at_once),
      cmocka_unit_test(test_events_of_one_that_was_replaced),
      cmocka_unit_test(test_own_writes_during_a_list_outlive_it),
      cmocka_unit_test(test_the_second_key_follows_its_object),
      cmocka_unit_test(test_a_selector_and_no_index),
      cmocka_unit_test(test_it_is_freed_at_any_point),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
