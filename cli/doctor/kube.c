/* Requests to the API server that are waited for. */
#include <string.h>

#include "cli/doctor/doctor.h"
#include "lib/base/clock.h"

/* Of a page of objects: an API server answers it quickly, however many there are. */
#define PAGE "500"

typedef struct Wait {
  Loop *loop;
  json_t *answer;
  Error *err;
  bool done;
} Wait;

static void on_done(void *arg, json_t *object, const Error *err) {
  Wait *wait = arg;
  wait->done = true;
  if (err)
    *wait->err = *err;
  else
    wait->answer = json_incref(object);
  loop_stop(wait->loop);
}

json_t *doctor_send(Doctor *d, const char *method, const char *path, const json_t *body, Error *err) {
  Wait wait = {.loop = d->cli->loop, .err = err};
  kube_request(d->client,
               &(KubeRequest){.method = method, .path = path, .body = body, .timeout_ms = d->cli->timeout_ms}, on_done,
               &wait);
  if (!wait.done)
    loop_run(d->cli->loop);
  return wait.answer;
}

json_t *doctor_get(Doctor *d, const char *path, Error *err) {
  return doctor_send(d, "GET", path, NULL, err);
}

/* A token for the next page is opaque text. */
static const char *escaped(Doctor *d, const char *text) {
  static const char HEX[] = "0123456789ABCDEF";
  char *out = arena_alloc(d->cli->arena, 3 * strlen(text) + 1), *to = out;
  for (; *text; text++) {
    *to++ = '%';
    *to++ = HEX[(unsigned char)*text >> 4];
    *to++ = HEX[*text & 15];
  }
  return out;
}

static json_t *read_all(Doctor *d, const char *path, Error *err) {
  KUBE_OWNED json_t *items = json_array();
  const char *more = NULL;
  do {
    const char *query = more ? doctor_text(d, "%s?limit=" PAGE "&continue=%s", path, escaped(d, more))
                             : doctor_text(d, "%s?limit=" PAGE, path);
    KUBE_OWNED json_t *page = doctor_get(d, query, err);
    if (!page)
      return NULL;
    json_array_extend(items, json_object_get(page, "items"));
    more = kube_text(page, "metadata.continue");
    more = str_empty(more) ? NULL : arena_strdup(d->cli->arena, more);
  } while (more);
  return json_incref(items);
}

json_t *doctor_list_in(Doctor *d, const char *group, const char *ns, const char *plural, Error *err) {
  const char *path =
      ns ? doctor_text(d, "%s/namespaces/%s/%s", group, ns, plural) : doctor_text(d, "%s/%s", group, plural);
  json_t *items = json_object_get(d->lists, path);
  if (items)
    return items;
  items = read_all(d, path, err);
  if (items)
    json_object_set_new(d->lists, path, items);
  return items;
}

json_t *doctor_list(Doctor *d, const char *group, const char *plural, Error *err) {
  return doctor_list_in(d, group, d->ns, plural, err);
}

int64_t doctor_now_ms(const Doctor *d) {
  int64_t skew_ms = 0;
  if (d->client && !kube_client_skew(d->client, &skew_ms))
    skew_ms = 0;
  return clock_wall_ms() + skew_ms;
}

int64_t doctor_age_ms(const Doctor *d, const char *time) {
  int64_t at = str_empty(time) ? -1 : kube_parse_time(time), now = doctor_now_ms(d);
  return at < 0 ? -1 : at > now ? 0 : now - at;
}

const char *doctor_id(Doctor *d, const json_t *object) {
  const char *ns = kube_namespace(object), *name = kube_name(object);
  return ns ? doctor_text(d, "%s/%s", ns, name ? name : "") : name ? name : "";
}
