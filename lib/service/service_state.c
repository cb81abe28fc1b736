/* See service_state.h. */
#include "lib/service/service_state.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"

#define AWAY "the state store does not answer"

struct ServiceState {
  Service *service;
  RedisClient *redis;
  State *state;
  bool connected;
  ServiceState *first; /* itself, or the one beside which it is */
  /* of the first alone */
  atomic_int n_away; /* of all */
  bool (*on_connected)(void *arg);
  void *arg;
};

static void on_trouble(void *arg, const char *address, const char *why) {
  log_event(LOG_WARN, "redis_away", LOG_STR("address", address), LOG_STR("message", why));
}

static void on_back(void *arg, const char *address) {
  log_event(LOG_INFO, "redis_back", LOG_STR("address", address));
}

static void on_master(void *arg, const char *name, const char *address) {
  log_event(LOG_INFO, "redis_master", LOG_STR("name", name), LOG_STR("address", address));
}

static const RedisEvents EVENTS = {.on_trouble = on_trouble, .on_back = on_back, .on_master = on_master};

/* On the service's loop. */
static void show(void *arg) {
  ServiceState *s = arg;
  if (atomic_load(&s->n_away) > 0)
    service_set_ready(s->service, AWAY);
  else if (!s->on_connected || s->on_connected(s->arg))
    service_set_ready(s->service, NULL);
}

static void note(ServiceState *s, bool connected) {
  if (connected != s->connected)
    atomic_fetch_add(&s->first->n_away, connected ? -1 : 1);
  s->connected = connected;
}

static void on_state(void *arg, bool connected) {
  note(arg, connected);
  show(arg);
}

static void on_state_beside(void *arg, bool connected) {
  ServiceState *s = arg;
  note(s, connected);
  loop_post(s->service->loop, show, s->first);
}

static ServiceState *new_on(Service *service, Loop *loop, const RedisConfig *config, const char *replica) {
  ServiceState *s = new0(ServiceState);
  char uid[33];
  random_uid(uid);
  s->service = service;
  s->redis = redis_client_new(loop, config);
  redis_client_on_events(s->redis, &EVENTS, s);
  s->state = state_new(s->redis, replica ? replica : uid);
  return s;
}

ServiceState *service_state_new(Service *service, const RedisConfig *config, const char *replica) {
  ServiceState *s = new_on(service, service->loop, config, replica);
  s->first = s;
  atomic_init(&s->n_away, 1);
  state_count(s->state, service->metrics);
  return s;
}

ServiceState *service_state_new_beside(ServiceState *first, Loop *loop, const RedisConfig *config) {
  ServiceState *s = new_on(first->service, loop, config, NULL);
  s->first = first;
  atomic_fetch_add(&first->n_away, 1);
  state_count_with(s->state, first->state);
  redis_client_on_state(s->redis, on_state_beside, s);
  return s;
}

State *service_state_of(ServiceState *s) {
  return s->state;
}

void service_state_watch(ServiceState *s, bool (*on_connected)(void *arg), void *arg) {
  s->on_connected = on_connected;
  s->arg = arg;
  service_set_ready(s->service, AWAY);
  redis_client_on_state(s->redis, on_state, s);
}

bool service_state_connected(const ServiceState *s) {
  return redis_client_connected(s->redis);
}

void service_state_close(ServiceState *s) {
  if (!s)
    return;
  redis_client_free(s->redis);
  s->redis = NULL;
}

void service_state_free(ServiceState *s) {
  if (!s)
    return;
  service_state_close(s);
  state_free(s->state);
  free(s);
}
