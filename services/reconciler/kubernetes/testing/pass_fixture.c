/* See pass_fixture.h. */
#include "services/reconciler/kubernetes/testing/pass_fixture.h"

#include <string.h>

#include "lib/base/str.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/pool/member.h"
#include "services/reconciler/kubernetes/testing/objects_fixture.h"

/* Passes that fail are repeated after 5 ms, 10, 20, ...; whatever else waits looks again within a second. */
enum { SETTLE_MS = 3000 };

static void on_change(Cluster *c, ClusterResource r, const json_t *before, const json_t *after) {
  PassFixture *f = (PassFixture *)c;
  if (!f->sandboxes)
    return;
  controller_change(f->sandboxes, r, before, after);
  controller_change(f->claims, r, before, after);
}

static void controllers_begin(PassFixture *f) {
  Cluster *c = &f->cluster.c;
  f->binder = runtime_binder_new(c->loop, &f->events, f, false);
  f->sandboxes = sandbox_controller_new(c);
  f->claims = claim_controller_new(c, f->binder);
  controller_lead(f->sandboxes, true);
  controller_lead(f->claims, true);
}

static void controllers_end(PassFixture *f) {
  fake_cluster_disconnect(&f->cluster);
  fake_state_disconnect(&f->state);
  controller_free(f->claims);
  controller_free(f->sandboxes);
  runtime_binder_free(f->binder);
  f->claims = NULL;
  f->sandboxes = NULL;
}

void pass_fixture_init(PassFixture *f) {
  memset(f, 0, sizeof *f);
  fake_cluster_init(&f->cluster);
  fake_state_init(&f->state, f->cluster.loop);
  Cluster *c = &f->cluster.c;
  c->state = fake_state_of(&f->state);
  snprintf(c->epoch, sizeof c->epoch, "e1");
  c->on_change = on_change;
  controllers_begin(f);
  fake_cluster_put(&f->cluster, CLUSTER_TEMPLATE,
                   quoted("{'metadata':{'name':'t'},'spec':{'podTemplate':{'spec':{'containers':"
                          "[{'name':'main','image':'i'}]}}}}"));
  fake_cluster_put(&f->cluster, CLUSTER_POOL,
                   quoted("{'metadata':{'name':'p','uid':'pool-uid'},'spec':{'replicas':1,"
                          "'sandboxTemplateRef':{'name':'t'}}}"));
  pass_fixture_settle(f);
}

void pass_fixture_deinit(PassFixture *f) {
  controllers_end(f);
  fake_state_deinit(&f->state);
  fake_cluster_deinit(&f->cluster);
}

void pass_fixture_settle(PassFixture *f) {
  fake_cluster_pass(&f->cluster, SETTLE_MS);
  if (!f->cluster.dead)
    return;
  controllers_end(f);
  fake_cluster_restart(&f->cluster);
  controllers_begin(f);
  fake_cluster_pass(&f->cluster, SETTLE_MS);
}

void pass_fixture_fail(PassFixture *f, int at, int way) {
  static const struct {
    const char *what;
    FakeFault fault;
    int status;
  } WAYS[PASS_FIXTURE_FAULTS] = {
      {"is refused with 500", FAKE_REFUSED, 500},         {"is refused with 409", FAKE_REFUSED, 409},
      {"is refused with 403", FAKE_REFUSED, 403},         {"loses its answer", FAKE_ANSWER_LOST, 0},
      {"is not sent, and all ends", FAKE_DEAD_BEFORE, 0}, {"is the last one", FAKE_DEAD_AFTER, 0},
  };
  if (at == 0)
    return;
  print_message("write %d %s\n", at, WAYS[way].what);
  f->cluster.fault_at = f->cluster.n_writes + at;
  f->cluster.fault = WAYS[way].fault;
  f->cluster.status = WAYS[way].status;
}

void pass_fixture_pod_ready(PassFixture *f, const char *pod) {
  fake_cluster_change(&f->cluster, CLUSTER_POD, pod, "status",
                      quoted("{'status':{'phase':'Running','podIP':'10.0.0.1','podIPs':[{'ip':'10.0.0.1'}],"
                             "'conditions':[{'type':'Ready','status':'True'}]}}"));
}

void pass_fixture_member(PassFixture *f, const char *id, bool is_ready) {
  /* as the backend makes it */
  json_t *member = member_build(fake_cluster_get(&f->cluster, CLUSTER_POOL, "p"),
                                fake_cluster_get(&f->cluster, CLUSTER_TEMPLATE, "t"), id, false);
  kube_set_annotation(member, ANNOTATION_EPOCH, "e1");
  kube_set_annotation(member, ANNOTATION_POD_NAME, id);
  fake_cluster_put(&f->cluster, CLUSTER_SANDBOX, member);
  pass_fixture_settle(f);
  if (!is_ready)
    return;
  pass_fixture_pod_ready(f, id);
  json_object_set_new(f->state.members, id, json_string(""));
  pass_fixture_settle(f);
}

void pass_fixture_claim(PassFixture *f, const char *name, const char *pool) {
  fake_cluster_put(&f->cluster, CLUSTER_CLAIM,
                   quoted("{'apiVersion':'" EXTENSIONS_V1BETA1
                          "','kind':'SandboxClaim','metadata':{'name':'%s','uid':'%s-uid-'},'spec':{'warmPoolRef':"
                          "{'name':'%s'}}}",
                          name, name, pool));
}

const char *pass_fixture_ready(PassFixture *f, ClusterResource r, const char *name, const char *field) {
  const json_t *object = fake_cluster_get(&f->cluster, r, name);
  return kube_text(kube_condition(kube_get(object, "status.conditions"), "Ready"), field);
}

size_t pass_fixture_held(PassFixture *f, const char *claim) {
  const char *uid = kube_uid(fake_cluster_get(&f->cluster, CLUSTER_CLAIM, claim)), *key;
  json_t *sandbox;
  size_t n = 0;
  json_object_foreach(f->cluster.objects[CLUSTER_SANDBOX], key, sandbox) n += kube_is_controlled_by(sandbox, uid);
  return n;
}
