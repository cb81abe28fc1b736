/* The installation of one machine, as its public API shows it. */
#include <string.h>

#include "api/sandplane/v1/image_service.pb-c.h"
#include "api/sandplane/v1/pool_service.pb-c.h"
#include "api/sandplane/v1/sandbox_service.pb-c.h"
#include "cli/call.h"
#include "cli/doctor/doctor.h"

#define EVERYWHERE "namespaces/-"

/* ---- services ---- */

typedef struct Health {
  Doctor *d;
  Error err;
  bool serving;
} Health;

static void on_health(void *arg, const Error *status, const uint8_t *data, size_t len) {
  /* grpc.health.v1.HealthCheckResponse with field 1, SERVING: one value needs no generated code */
  static const uint8_t SERVING[] = {0x08, 0x01};
  Health *h = arg;
  h->err = *status;
  h->serving = status->kind == ERROR_NONE && len == sizeof SERVING && !memcmp(data, SERVING, len);
  loop_stop(h->d->cli->loop);
}

void doctor_local_router(Doctor *d) {
  Health h = {.d = d};
  rpc_client_unary(d->cli->channel, "/grpc.health.v1.Health/Check", d->cli->timeout_ms, (const uint8_t *)"", 0,
                   on_health, &h);
  loop_run(d->cli->loop);
  if (h.err.kind != ERROR_NONE)
    doctor_report(d, DOCTOR_PROBLEM,
                  "tools/stack status says whether a stack runs, tools/stack start starts it; --server names another "
                  "machine, "
                  "--kubeconfig a cluster",
                  "nobody answers at %s: %s (%s)", d->cli->server, h.err.message, error_kind_name(h.err.kind));
  else if (!h.serving)
    doctor_report(d, DOCTOR_PROBLEM, "tools/stack status; tools/stack logs redis",
                  "%s answers, but is not ready: Redis does not answer it", d->cli->server);
  else
    doctor_report(d, DOCTOR_OK, NULL, "%s answers and is ready", d->cli->server);
}

static void service_failed(Doctor *d, const char *service, const Error *err) {
  const char *next = doctor_text(d, "tools/stack status; tools/stack logs %s", service);
  doctor_report(d, DOCTOR_PROBLEM, next, "%s does not answer the router: %s (%s)", service, err->message,
                error_kind_name(err->kind));
}

/* Asked as somebody who has no key. */
void doctor_local_access(Doctor *d) {
  Error err = {0};
  Cli stranger = *d->cli;
  stranger.token = (RpcMetadata){0};
  Sandplane__V1__ListSandboxesRequest request = SANDPLANE__V1__LIST_SANDBOXES_REQUEST__INIT;
  request.parent = (char *)EVERYWHERE;
  request.page_size = 1;
  bool open = call_unary(&stranger, SANDBOX_SERVICE "ListSandboxes", &request,
                         &sandplane__v1__list_sandboxes_response__descriptor, &err) != NULL;
  if (open)
    doctor_report(d, DOCTOR_WARNING,
                  "sandctl keys new makes a key, and the router's --api-keys-file asks for one; docs/security.md",
                  "everybody who reaches %s may do everything there: it asks for no key", d->cli->server);
  else if (err.kind == ERROR_UNAUTHENTICATED)
    doctor_report(d, DOCTOR_OK, NULL, "the router asks for a key");
  else
    doctor_report(d, DOCTOR_SKIPPED, NULL, "not known: %s (%s)", err.message, error_kind_name(err.kind));
}

void doctor_local_claims(Doctor *d) {
  Error err = {0};
  Sandplane__V1__ListSandboxesRequest request = SANDPLANE__V1__LIST_SANDBOXES_REQUEST__INIT;
  request.parent = (char *)EVERYWHERE;
  request.page_size = 1;
  if (call_unary(d->cli, SANDBOX_SERVICE "ListSandboxes", &request, &sandplane__v1__list_sandboxes_response__descriptor,
                 &err))
    doctor_report(d, DOCTOR_OK, NULL, "claims answers, and the state behind it");
  else
    service_failed(d, "claims", &err);
}

void doctor_local_pool_service(Doctor *d) {
  Error err = {0};
  Sandplane__V1__ListPoolsRequest request = SANDPLANE__V1__LIST_POOLS_REQUEST__INIT;
  request.parent = (char *)EVERYWHERE;
  request.page_size = 1;
  if (call_unary(d->cli, POOL_SERVICE "ListPools", &request, &sandplane__v1__list_pools_response__descriptor, &err))
    doctor_report(d, DOCTOR_OK, NULL, "pools answers");
  else
    service_failed(d, "pools", &err);
}

static Sandplane__V1__ListImagesResponse *images(Doctor *d, Error *err) {
  Sandplane__V1__ListImagesRequest request = SANDPLANE__V1__LIST_IMAGES_REQUEST__INIT;
  return call_unary(d->cli, IMAGE_SERVICE "ListImages", &request, &sandplane__v1__list_images_response__descriptor,
                    err);
}

void doctor_local_reconciler(Doctor *d) {
  Error err = {0};
  Sandplane__V1__ListImagesResponse *list = images(d, &err);
  if (list)
    doctor_report(d, DOCTOR_OK, NULL, "reconciler answers, with %zu image%s", list->n_images,
                  list->n_images == 1 ? "" : "s");
  else if (err.kind == ERROR_UNIMPLEMENTED)
    doctor_report(d, DOCTOR_OK, NULL, "reconciler answers; its images are the cluster's business");
  else
    service_failed(d, "reconciler", &err);
}

/* What isolates here, and how: a template of a class that does not work is refused, so that alone is no problem. */
void doctor_local_isolation(Doctor *d) {
  Error err = {0};
  Sandplane__V1__ListImagesResponse *list = images(d, &err);
  if (!list && err.kind != ERROR_UNIMPLEMENTED) {
    service_failed(d, "reconciler", &err);
    return;
  }
  for (size_t i = 0; list && i < list->n_runtime_classes; i++) {
    const Sandplane__V1__RuntimeClass *c = list->runtime_classes[i];
    if (!*c->about)
      doctor_report(d, DOCTOR_WARNING, "sandboxes of that class need it; the others do not", "%s does not work: %s",
                    c->name, c->lacks);
    else if (*c->lacks)
      doctor_report(d, DOCTOR_WARNING,
                    "tools/fetch gvisor and tools/stack start bring the newest, see docs/local-backend.md",
                    "%s: %s; %s", c->name, c->about, c->lacks);
    else
      doctor_report(d, DOCTOR_OK, NULL, "%s: %s", c->name, c->about);
  }
}

/* ---- templates ---- */

static bool has_image(const Sandplane__V1__ListImagesResponse *list, const char *reference) {
  for (size_t i = 0; list && i < list->n_images; i++)
    if (!strcmp(list->images[i]->reference, reference))
      return true;
  return !list;
}

typedef struct Templates {
  Doctor *d;
  const Sandplane__V1__ListImagesResponse *there;
  size_t n;
} Templates;

static void on_template(void *arg, const void *item) {
  Templates *all = arg;
  const Sandplane__V1__Template *t = item;
  all->n++;
  if (!has_image(all->there, t->image))
    doctor_report(all->d, DOCTOR_WARNING,
                  doctor_text(all->d, "sandctl image import FILE --reference %s; sandctl image list", t->image),
                  "%s (isolation %s): image %s is not on this machine", t->name, t->runtime_class, t->image);
}

void doctor_local_templates(Doctor *d) {
  Error err = {0};
  Templates all = {.d = d, .there = images(d, &err)};
  Sandplane__V1__ListTemplatesRequest request = SANDPLANE__V1__LIST_TEMPLATES_REQUEST__INIT;
  request.parent = d->ns ? cli_parent(d->cli) : (char *)EVERYWHERE;
  if (call_pages(d->cli, TEMPLATE_SERVICE "ListTemplates", &request.base,
                 &sandplane__v1__list_templates_response__descriptor, on_template, &all, &err) < 0)
    doctor_failed(d, "templates", &err);
  else if (!d->reported)
    doctor_report(d, DOCTOR_OK, NULL, all.there ? "%zu, and their images are there" : "%zu", all.n);
}

/* ---- pools ---- */

static const struct {
  const char *reason, *next;
} NEXT[] = {
    {"TemplateNotFound", "sandctl templates list shows what there is; sandctl apply -f brings one in"},
    {"TemplateRefused", "change the template as the message says, and apply it again"},
    {"TemplateNotSupported", "change the template as the message says, and apply it again; a runtime class must be "
                             "installed on this machine"},
    {"ImageNotFound", "sandctl image import FILE --reference NAME; sandctl image list shows what there is"},
    {"StartFailed", "tools/stack logs reconciler shows what the start printed; bwrap or runsc may not work on this "
                    "machine"},
    {"ReconcilerUnavailable", "tools/stack status; tools/stack logs reconciler"},
    {"ReconcilerError", "tools/stack logs reconciler"},
};

static void report_pool(Doctor *d, const Sandplane__V1__Pool *p) {
  const char *next = "sandctl pools get shows it; tools/stack logs pools says more";
  for (size_t i = 0; i < ARRAY_LEN(NEXT); i++)
    if (!strcmp(NEXT[i].reason, p->reason))
      next = NEXT[i].next;
  if (p->reason[0])
    doctor_report(d, DOCTOR_PROBLEM, next, "%s has %d of %d ready: %s: %s", p->name, p->ready_count, p->replicas,
                  p->reason, p->message);
  else
    doctor_report(d, DOCTOR_WARNING, "run it again in a moment; it is a problem when the number does not grow",
                  "%s has %d of %d ready, %d starting", p->name, p->ready_count, p->replicas, p->creating_count);
}

typedef struct Pools {
  Doctor *d;
  size_t n;
} Pools;

static void on_pool(void *arg, const void *item) {
  Pools *all = arg;
  const Sandplane__V1__Pool *p = item;
  all->n++;
  if (p->ready_count < p->replicas)
    report_pool(all->d, p);
}

void doctor_local_pools(Doctor *d) {
  Error err = {0};
  Pools all = {.d = d};
  Sandplane__V1__ListPoolsRequest request = SANDPLANE__V1__LIST_POOLS_REQUEST__INIT;
  request.parent = d->ns ? cli_parent(d->cli) : (char *)EVERYWHERE;
  if (call_pages(d->cli, POOL_SERVICE "ListPools", &request.base, &sandplane__v1__list_pools_response__descriptor,
                 on_pool, &all, &err) < 0)
    doctor_failed(d, "pools", &err);
  else if (!d->reported)
    doctor_report(d, DOCTOR_OK, NULL, all.n ? "all %zu pools are full" : "there are no pools", all.n);
}
