/* What is not one sandbox: templates, indexes, hints, leases, the epoch. */
#include <stdio.h>
#include <string.h>

#include "lib/base/test.h"
#include "lib/state/state_address.h"
#include "lib/state/state_claim.h"
#include "lib/state/state_events.h"
#include "lib/state/state_fixture.h"
#include "lib/state/state_lease.h"
#include "lib/state/state_pool.h"
#include "lib/state/state_sandbox.h"
#include "lib/state/state_template.h"

static int setup(void **state) {
  *state = fixture_new("r1", true);
  return 0;
}

static int teardown(void **state) {
  fixture_free(*state);
  return 0;
}

static void on_template(void *arg, const TemplateRecord *t, const Error *err) {
  Fixture *f = arg;
  *f->text = 0;
  if (t) {
    snprintf(f->text, sizeof f->text, "%s/%s %s %s %s %s", t->ns, t->name, t->manifest, t->hash, t->runtime_class,
             t->image);
    f->number = t->generation;
  }
  fixture_done(f, err);
}

static void apply_template(Fixture *f, const char *ns, const char *name, const char *manifest) {
  TemplateRecord t = {
      .ns = ns, .name = name, .manifest = manifest, .hash = "h1", .runtime_class = "gvisor", .image = "img"};
  state_template_apply(f->state, &t, on_template, f);
  fixture_wait(f);
}

static void on_names(void *arg, const StateNames *n, const Error *err) {
  Fixture *f = arg;
  *f->text = 0;
  for (size_t i = 0; n && i < n->n_names; i++)
    snprintf(f->text + strlen(f->text), sizeof f->text - strlen(f->text), "%s ", n->names[i]);
  fixture_done(f, err);
}

static const char *template_names(Fixture *f, const char *ns, const char *after, size_t limit) {
  state_template_names(f->state, ns, after, limit, on_names, f);
  fixture_wait(f);
  return f->text;
}

static void templates(void **state) {
  Fixture *f = *state;
  apply_template(f, "a", "t1", "{\"x\":1}");
  assert_string_equal(f->text, "a/t1 {\"x\":1} h1 gvisor img");
  assert_int_equal(f->number, 1);
  apply_template(f, "a", "t1", "{\"x\":1}");
  assert_int_equal(f->number, 1);
  apply_template(f, "a", "t1", "{\"x\":2}");
  assert_int_equal(f->number, 2);
  apply_template(f, "a", "t2", "{}");
  apply_template(f, "a-b", "t1", "{}");
  assert_string_equal(template_names(f, "a", "", 0), "a/t1 a/t2 ");
  assert_string_equal(template_names(f, "a", "a/t1", 0), "a/t2 ");
  assert_string_equal(template_names(f, "a", "", 1), "a/t1 ");
  assert_string_equal(template_names(f, "", "", 0), "a-b/t1 a/t1 a/t2 ");
  state_template_delete(f->state, "a", "t1", fixture_done, f);
  fixture_wait(f);
  state_template_get(f->state, "a", "t1", on_template, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_NOT_FOUND);
  assert_string_equal(template_names(f, "a", "", 0), "a/t2 ");
}

static void scaling_alone(void **state) {
  Fixture *f = *state;
  PoolRecord p = {.ns = "default", .name = "p", .replicas = 7};
  state_pool_apply(f->state, &p, fixture_pool, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_NOT_FOUND);
  fixture_make_pool(f, 1);
  state_pool_apply(f->state, &p, fixture_pool, f);
  fixture_wait(f);
  assert_int_equal(f->pool.replicas, 7);
  assert_int_equal(f->pool.generation, 2);
  state_pool_names(f->state, "default", "", 0, on_names, f);
  fixture_wait(f);
  assert_string_equal(f->text, "default/p ");
}

static void on_flag(void *arg, bool flag, const Error *err) {
  ((Fixture *)arg)->flag = flag;
  fixture_done(arg, err);
}

static bool lease(Fixture *f, int64_t ttl_ms) {
  state_lease(f->state, "pools", ttl_ms, on_flag, f);
  fixture_wait(f);
  return f->flag;
}

static void one_leads(void **state) {
  Fixture *f = *state, *other = fixture_new("r2", false);
  assert_true(lease(f, 60000));
  assert_true(lease(f, 60000));
  assert_false(lease(other, 60000));
  state_lease_release(other->state, "pools", fixture_done, other);
  fixture_wait(other);
  assert_false(lease(other, 60000)); /* not its own to give back */
  state_lease_release(f->state, "pools", fixture_done, f);
  fixture_wait(f);
  assert_true(lease(other, 1));
  while (!lease(f, 60000))
    continue; /* it ran out */
  fixture_free(other);
}

static void on_epoch(void *arg, bool same, const char *epoch, const Error *err) {
  Fixture *f = arg;
  f->flag = same;
  snprintf(f->text, sizeof f->text, "%s", epoch);
  fixture_done(f, err);
}

static void the_data_set_is_marked(void **state) {
  Fixture *f = *state;
  char first[64];
  state_epoch(f->state, "", on_epoch, f);
  fixture_wait(f);
  assert_true(f->flag);
  snprintf(first, sizeof first, "%s", f->text);
  state_epoch(f->state, first, on_epoch, f);
  fixture_wait(f);
  assert_true(f->flag);
  assert_string_equal(f->text, first);
  fixture_everywhere(f, 1, (const char *[]){"FLUSHALL"});
  state_epoch(f->state, first, on_epoch, f);
  fixture_wait(f);
  assert_false(f->flag);
  assert_string_not_equal(f->text, first);
}

static void on_pinned(void *arg, const char *pool, const Error *err) {
  Fixture *f = arg;
  snprintf(f->text, sizeof f->text, "%s", pool ? pool : "");
  fixture_done(f, err);
}

static void the_first_pin_stays(void **state) {
  Fixture *f = *state;
  state_pin(f->state, "default", "t", "a", "req", "one", on_pinned, f);
  fixture_wait(f);
  assert_string_equal(f->text, "one");
  state_pin(f->state, "default", "t", "a", "req", "two", on_pinned, f);
  fixture_wait(f);
  assert_string_equal(f->text, "one");
  /* of another tenant that names its request so */
  state_pin(f->state, "default", "t", "b", "req", "two", on_pinned, f);
  fixture_wait(f);
  assert_string_equal(f->text, "two");
}

static void on_all_names(void *arg, const StateNames *n, const Error *err) {
  Fixture *f = arg;
  f->text[0] = 0;
  for (size_t i = 0; n && i < n->n_names; i++)
    snprintf(f->text + strlen(f->text), sizeof f->text - strlen(f->text), "%s;", n->names[i]);
  fixture_done(f, err);
}

static void addresses(void **state) {
  Fixture *f = *state;
  state_address_get(f->state, "ns", "hand-made", on_pinned, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_NOT_FOUND);
  state_address_set(f->state, "ns", "hand-made", "pod:10.0.0.1", fixture_done, f);
  fixture_wait(f);
  state_address_set(f->state, "ns", "hand-made", "pod:10.0.0.2", fixture_done, f);
  fixture_wait(f);
  state_address_get(f->state, "ns", "hand-made", on_pinned, f);
  fixture_wait(f);
  assert_string_equal(f->text, "pod:10.0.0.2");
  state_address_names(f->state, on_all_names, f);
  fixture_wait(f);
  assert_string_equal(f->text, "ns/hand-made;");
  state_address_set(f->state, "ns", "hand-made", NULL, fixture_done, f);
  fixture_wait(f);
  state_address_names(f->state, on_all_names, f);
  fixture_wait(f);
  assert_string_equal(f->text, "");
}

typedef struct Heard {
  Fixture *f;
  int n_reread;
  char what[256];
} Heard;

static void hear(Heard *h, const char *a, const char *b) {
  if (!a)
    h->n_reread++;
  else
    snprintf(h->what, sizeof h->what, "%s %s", a, b);
  loop_stop(h->f->loop);
}
static void on_hint(void *arg, const char *a, const char *b) {
  hear(arg, a, b);
}

static void hints(void **state) {
  Fixture *f = *state;
  Heard grant = {.f = f}, pools = {.f = f}, releasing = {.f = f}, events = {.f = f};
  state_on_grant(f->state, on_hint, &grant);
  state_on_pools(f->state, on_hint, &pools);
  state_on_releasing(f->state, on_hint, &releasing);
  state_on_events(f->state, on_hint, &events);
  while (!grant.n_reread || !pools.n_reread || !releasing.n_reread || !events.n_reread)
    fixture_wait(f);

  Fixture *other = fixture_new("r2", false);
  fixture_make_pool(other, 1);
  while (!*pools.what)
    fixture_wait(f);
  assert_string_equal(pools.what, "default p");
  fixture_claim(other, "u1", "", 0, 60000);
  fixture_make_ready(other, "p-aaaaa");
  while (!*grant.what || !*events.what)
    fixture_wait(f);
  assert_string_equal(grant.what, "u1 p-aaaaa");
  assert_string_equal(events.what, "default p");
  state_release(other->state, "default", "p-aaaaa", "", "Deleted", fixture_done, other);
  fixture_wait(other);
  while (!*releasing.what)
    fixture_wait(f);
  assert_string_equal(releasing.what, "default p");
  *grant.what = 0;
  fixture_claim(other, "u2", "", 0, 60000);
  state_pool_delete(other->state, "default", "p", fixture_done, other);
  fixture_wait(other);
  while (!*grant.what)
    fixture_wait(f);
  assert_string_equal(grant.what, "u2 "); /* sent away */
  fixture_free(other);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(templates), TEST(scaling_alone),       TEST(one_leads), TEST(the_data_set_is_marked),
      TEST(hints),     TEST(the_first_pin_stays), TEST(addresses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
