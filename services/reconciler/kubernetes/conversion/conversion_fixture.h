/* Random objects of the Agent Sandbox kinds, from a seed: the same seed gives the same objects. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CONVERSION_CONVERSION_FIXTURE_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CONVERSION_CONVERSION_FIXTURE_H_

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Random {
  uint64_t state; /* not 0 */
} Random;

uint64_t random_next(Random *r);
/* 0 .. n - 1 */
uint64_t random_below(Random *r, uint64_t n);
/* True once in n times. */
bool random_once_in(Random *r, uint64_t n);

typedef enum RandomKind { RANDOM_SANDBOX, RANDOM_CLAIM, RANDOM_TEMPLATE, RANDOM_POOL, RANDOM_KINDS } RandomKind;

/* "agents.x-k8s.io/v1beta1" and so on. */
const char *random_api_version(RandomKind kind, bool hub);
/* The annotation that keeps the v1alpha1 object of the kind. */
const char *random_state_key(RandomKind kind);
/* Any JSON value up to that depth. */
json_t *random_value(Random *r, int depth);
/* An object that the version's schema allows, with any subset of its optional fields. */
json_t *random_object(Random *r, RandomKind kind, bool hub);

#endif
