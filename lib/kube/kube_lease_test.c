/* The election against a scripted Lease, in time that passes as the test says. */
#include "lib/kube/kube_lease.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/kube/testing/stub_server_fixture.h"

#define LIST "/apis/coordination.k8s.io/v1/namespaces/sys/leases"
#define PATH LIST "/leader"

typedef struct Fixture {
  Loop *loop;
  StubServer *server;
  KubeClient *client;
  KubeLease *lease;
  int n_begun, n_ended, n_done;
  bool leads;
} Fixture;

static void on_lead(void *arg, bool leads) {
  Fixture *f = arg;
  assert_int_not_equal(f->leads, leads); /* changes only */
  f->leads = leads;
  if (leads)
    f->n_begun++;
  else
    f->n_ended++;
  stub_wake(f->server);
}

static void on_done(void *arg) {
  Fixture *f = arg;
  f->n_done++;
  stub_wake(f->server);
}

static void begin(Fixture *f) {
  memset(f, 0, sizeof *f);
  f->loop = loop_new();
  f->server = stub_server_new(f->loop);
  Error err = {0};
  f->client = kube_client_new(f->loop, stub_server_config(f->server), &(KubeOptions){.user_agent = "u"}, &err);
  stub_hold_time(f->server, f->client);
  f->lease = kube_lease_new(f->loop, f->client, "sys", "leader", "me", on_lead, f);
}

static void end(Fixture *f) {
  kube_lease_free(f->lease);
  kube_client_free(f->client);
  stub_server_free(f->server);
  loop_free(f->loop);
}

static json_t *lease_of(const char *holder, int seconds, const char *renewed) {
  return json_pack("{s:s,s:s,s:{s:s,s:s,s:s},s:{s:s,s:i,s:s,s:s,s:i}}", "apiVersion", "coordination.k8s.io/v1", "kind",
                   "Lease", "metadata", "name", "leader", "namespace", "sys", "resourceVersion", "7", "spec",
                   "holderIdentity", holder, "leaseDurationSeconds", seconds, "renewTime", renewed, "acquireTime",
                   "2026-01-01T00:00:00.000000Z", "leaseTransitions", 4);
}

static void answer(StubRequest *r, const json_t *object) {
  char *body = json_dumps(object, 0);
  stub_answer(r, 200, NULL, body);
  free(body);
}

static void serve(Fixture *f, const char *holder, int seconds, const char *renewed) {
  KUBE_OWNED json_t *lease = lease_of(holder, seconds, renewed);
  answer(stub_expect(f->server, "GET", PATH), lease);
}

/* A write: checked to be ours, answered as written. New reference: what was written. */
static json_t *accept_write(Fixture *f, const char *method, const char *path, const char *holder) {
  StubRequest *r = stub_expect(f->server, method, path);
  json_t *o = json_loads(r->body, 0, NULL);
  assert_non_null(o);
  assert_string_equal(kube_text(o, "apiVersion"), "coordination.k8s.io/v1");
  assert_string_equal(kube_text(o, "kind"), "Lease");
  assert_string_equal(kube_name(o), "leader");
  assert_string_equal(kube_namespace(o), "sys");
  assert_string_equal(kube_text(o, "spec.holderIdentity"), holder);
  answer(r, o);
  return o;
}

static void assert_fresh(const json_t *o, const char *path) {
  const char *text = kube_text(o, path);
  assert_int_equal(strlen(text), strlen("2026-01-01T00:00:00.000000Z"));
  int64_t age = clock_wall_ms() - kube_parse_time(text);
  assert_true(age >= 0 && age < 600000);
}

static void test_a_new_lease_is_made_and_renewed_and_lost(void **s) {
  Fixture f;
  begin(&f);
  stub_answer(stub_expect(f.server, "GET", PATH), 404, NULL, "{\"reason\":\"NotFound\"}");
  KUBE_OWNED json_t *made = accept_write(&f, "POST", LIST, "me");
  assert_int_equal(kube_int(made, "spec.leaseDurationSeconds", 0), 15);
  assert_int_equal(kube_int(made, "spec.leaseTransitions", -1), 0);
  assert_null(kube_text(made, "metadata.resourceVersion"));
  assert_fresh(made, "spec.renewTime");
  assert_fresh(made, "spec.acquireTime");
  STUB_UNTIL(f.server, f.leads);

  kube_set(made, "metadata.resourceVersion", json_string("9"));
  kube_set(made, "metadata.labels", json_pack("{s:s}", "kept", "yes"));
  answer(stub_expect(f.server, "GET", PATH), made);
  KUBE_OWNED json_t *renewed = accept_write(&f, "PUT", PATH, "me");
  assert_string_equal(kube_text(renewed, "metadata.resourceVersion"), "9");
  assert_string_equal(kube_label(renewed, "kept"), "yes");
  assert_string_equal(kube_text(renewed, "spec.acquireTime"), kube_text(made, "spec.acquireTime"));
  assert_string_not_equal(kube_text(renewed, "spec.renewTime"), kube_text(made, "spec.renewTime"));
  assert_int_equal(kube_int(renewed, "spec.leaseTransitions", -1), 0);

  serve(&f, "other", 15, "x"); /* somebody took it */
  STUB_UNTIL(f.server, !f.leads);
  assert_int_equal(f.n_begun, 1);
  end(&f);
  assert_int_equal(f.n_ended, 1);
}

static void test_another_s_lease_is_taken_when_it_did_not_change_for_its_time(void **s) {
  Fixture f;
  begin(&f);
  int64_t start = loop_now_ms(f.loop);
  /* its time says nothing: only that it does not change */
  serve(&f, "other", 1, "2001-01-01T00:00:00.000000Z");
  serve(&f, "other", 1, "2001-01-01T00:00:01.000000Z");
  assert_false(f.leads);
  serve(&f, "other", 1, "2001-01-01T00:00:01.000000Z");
  KUBE_OWNED json_t *taken = accept_write(&f, "PUT", PATH, "me");
  assert_int_equal(loop_now_ms(f.loop) - start, 2 * KUBE_LEASE_RETRY_MS);
  assert_int_equal(kube_int(taken, "spec.leaseTransitions", -1), 5);
  assert_int_equal(kube_int(taken, "spec.leaseDurationSeconds", 0), 15);
  assert_fresh(taken, "spec.acquireTime");
  assert_string_equal(kube_text(taken, "metadata.resourceVersion"), "7");
  STUB_UNTIL(f.server, f.leads);
  end(&f);
}

static void test_a_conflict_is_no_leadership(void **s) {
  Fixture f;
  begin(&f);
  serve(&f, "", 1, "x"); /* given back: free at once */
  stub_answer(stub_expect(f.server, "PUT", PATH), 409, NULL, "{\"reason\":\"Conflict\"}");
  serve(&f, "other", 15, "y");
  stub_run_for(f.server, 20);
  assert_int_equal(f.n_begun, 0);
  end(&f);
}

static void test_one_s_own_lease_is_taken_at_once(void **s) {
  Fixture f;
  begin(&f);
  serve(&f, "me", 15, "x");
  KUBE_OWNED json_t *o = accept_write(&f, "PUT", PATH, "me");
  assert_int_equal(kube_int(o, "spec.leaseTransitions", -1), 4);
  STUB_UNTIL(f.server, f.leads);
  end(&f);
}

static void on_nothing(void *arg, json_t *object, const Error *err) {}

static void test_it_does_not_wait_behind_other_requests(void **s) {
  Fixture f;
  begin(&f);
  serve(&f, "other", 15, "x");
  stub_run_for(f.server, 20);
  for (int i = 0; i < 2 * KUBE_IN_FLIGHT; i++)
    kube_request(f.client, &(KubeRequest){.method = "GET", .path = "/hangs"}, on_nothing, NULL);
  loop_pass_time(f.loop, KUBE_LEASE_RETRY_MS);
  StubRequest *r;
  while (strcmp((r = stub_next(f.server))->path, "/hangs") == 0)
    continue;
  assert_string_equal(r->path, PATH);
  end(&f);
}

static void test_leadership_ends_when_it_cannot_be_renewed(void **s) {
  Fixture f;
  begin(&f);
  serve(&f, "me", 15, "x");
  int64_t asked = loop_now_ms(f.loop);
  KUBE_OWNED json_t *o = accept_write(&f, "PUT", PATH, "me");
  STUB_UNTIL(f.server, f.leads);
  while (f.leads) {
    if (stub_waiting(f.server))
      stub_answer(stub_next(f.server), 500, NULL, "{}");
    else
      stub_turn(f.server);
  }
  assert_int_equal(loop_now_ms(f.loop) - asked, KUBE_LEASE_RENEW_MS);
  /* and begins again when it can be */
  while (!f.leads) {
    if (!stub_waiting(f.server)) {
      stub_turn(f.server);
      continue;
    }
    StubRequest *r = stub_next(f.server);
    answer(r, o);
  }
  assert_int_equal(f.n_begun, 2);
  end(&f);
}

static void lead(Fixture *f) {
  begin(f);
  serve(f, "me", 15, "x");
  json_decref(accept_write(f, "PUT", PATH, "me"));
  STUB_UNTIL(f->server, f->leads);
}

static void test_it_is_given_back(void **s) {
  Fixture f;
  lead(&f);
  kube_lease_release(f.lease, on_done, &f);
  assert_false(f.leads); /* before the server knows */
  assert_int_equal(f.n_done, 0);
  serve(&f, "me", 15, "x");
  KUBE_OWNED json_t *o = accept_write(&f, "PUT", PATH, "");
  assert_string_equal(kube_text(o, "metadata.resourceVersion"), "7");
  STUB_UNTIL(f.server, f.n_done == 1);
  stub_run_for(f.server, KUBE_LEASE_RETRY_MS + 100);
  assert_int_equal(stub_waiting(f.server), 0); /* no more turns */
  assert_int_equal(f.n_done, 1);
  end(&f);
}

static void test_what_another_holds_is_not_given_back(void **s) {
  Fixture f;
  lead(&f);
  kube_lease_release(f.lease, on_done, &f);
  serve(&f, "other", 15, "x");
  STUB_UNTIL(f.server, f.n_done == 1);
  end(&f);

  begin(&f);
  serve(&f, "other", 15, "x");
  stub_run_for(f.server, 20);
  kube_lease_release(f.lease, on_done, &f);
  assert_int_equal(f.n_done, 1); /* nothing to do */
  assert_int_equal(f.n_ended, 0);
  end(&f);
}

static void test_a_release_that_fails_ends_too(void **s) {
  Fixture f;
  lead(&f);
  kube_lease_release(f.lease, on_done, &f);
  serve(&f, "me", 15, "x");
  stub_answer(stub_expect(f.server, "PUT", PATH), 500, NULL, "{}");
  STUB_UNTIL(f.server, f.n_done == 1);
  end(&f);
}

static void test_a_release_during_each_call(void **s) {
  Fixture f;
  begin(&f);
  StubRequest *r = stub_expect(f.server, "GET", PATH);
  kube_lease_release(f.lease, on_done, &f);
  stub_answer(r, 404, NULL, "{}");
  STUB_UNTIL(f.server, f.n_done == 1);
  end(&f);

  begin(&f);
  serve(&f, "", 1, "x");
  r = stub_expect(f.server, "PUT", PATH);
  kube_lease_release(f.lease, on_done, &f);
  assert_int_equal(f.n_done, 0);
  KUBE_OWNED json_t *o = lease_of("me", 15, "x");
  answer(r, o); /* taken, and given back at once */
  json_decref(accept_write(&f, "PUT", PATH, ""));
  STUB_UNTIL(f.server, f.n_done == 1);
  assert_int_equal(f.n_begun, 0);
  end(&f);
}

static void test_it_is_freed_during_each_call(void **s) {
  Fixture f;
  begin(&f);
  end(&f);
  begin(&f);
  stub_expect(f.server, "GET", PATH);
  end(&f);
  begin(&f);
  serve(&f, "", 1, "x");
  StubRequest *r = stub_expect(f.server, "PUT", PATH);
  kube_lease_free(f.lease);
  f.lease = NULL;
  stub_answer(r, 200, NULL, "{}"); /* the answer comes after its end */
  stub_run_for(f.server, 20);
  assert_int_equal(f.n_begun, 0);
  end(&f);
  lead(&f);
  kube_lease_release(f.lease, on_done, &f);
  end(&f);
  assert_int_equal(f.n_done, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_new_lease_is_made_and_renewed_and_lost),
      cmocka_unit_test(test_another_s_lease_is_taken_when_it_did_not_change_for_its_time),
      cmocka_unit_test(test_a_conflict_is_no_leadership),
      cmocka_unit_test(test_one_s_own_lease_is_taken_at_once),
      cmocka_unit_test(test_it_does_not_wait_behind_other_requests),
      cmocka_unit_test(test_leadership_ends_when_it_cannot_be_renewed),
      cmocka_unit_test(test_it_is_given_back),
      cmocka_unit_test(test_what_another_holds_is_not_given_back),
      cmocka_unit_test(test_a_release_that_fails_ends_too),
      cmocka_unit_test(test_a_release_during_each_call),
      cmocka_unit_test(test_it_is_freed_during_each_call),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
