/* TemplateService and PoolService: what is declared comes back, lists page, bad input names its field. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "services/pools/pools_fixture.h"

static void apply(World *w, ServiceCall *call, char *manifest) {
  Sandplane__V1__ApplyTemplateRequest request = SANDPLANE__V1__APPLY_TEMPLATE_REQUEST__INIT;
  Template template_ = SANDPLANE__V1__TEMPLATE__INIT;
  template_.manifest = manifest;
  request.template_ = &template_;
  call_pool(w, call, "ApplyTemplate", &request.base, &sandplane__v1__template__descriptor);
}

static void templates(void **state) {
  World *w = *state;
  ServiceCall call;
  for (int i = 0; i < 2; i++) {
    apply(w, &call, "tpl aaaaaaaa");
    assert_kind(&call, ERROR_NONE);
    const Template *t = call.answer;
    assert_string_equal(t->name, NS "/templates/tpl");
    assert_string_equal(t->hash, "aaaaaaaa");
    assert_int_equal(t->generation, 1);
    assert_string_equal(t->runtime_class, "gvisor");
    assert_string_equal(t->image, "image:v1");
    service_call_free(&call);
  }
  apply(w, &call, "tpl bbbbbbbb");
  assert_kind(&call, ERROR_NONE);
  assert_int_equal(((Template *)call.answer)->generation, 2);
  service_call_free(&call);

  apply(w, &call, "refused");
  assert_kind(&call, ERROR_FAILED_PRECONDITION);
  assert_string_equal(call.status.field, "spec.podTemplate.spec.runtimeClassName");
  service_call_free(&call);
  apply(w, &call, "");
  assert_kind(&call, ERROR_INVALID_ARGUMENT);
  assert_string_equal(call.status.field, "template.manifest");
  service_call_free(&call);
  CLEANUP(str_freep) char *huge = calloc(1, (256 << 10) + 2);
  assert_non_null(huge);
  memset(huge, 'x', (256 << 10) + 1);
  apply(w, &call, huge);
  assert_kind(&call, ERROR_INVALID_ARGUMENT);
  service_call_free(&call);

  Sandplane__V1__GetTemplateRequest get = SANDPLANE__V1__GET_TEMPLATE_REQUEST__INIT;
  get.name = NS "/templates/tpl";
  call_pool(w, &call, "GetTemplate", &get.base, &sandplane__v1__template__descriptor);
  assert_kind(&call, ERROR_NONE);
  assert_string_equal(((Template *)call.answer)->manifest, "tpl bbbbbbbb");
  service_call_free(&call);
  Sandplane__V1__DeleteTemplateRequest del = SANDPLANE__V1__DELETE_TEMPLATE_REQUEST__INIT;
  del.name = get.name;
  for (int i = 0; i < 2; i++) {
    call_pool(w, &call, "DeleteTemplate", &del.base, &google__protobuf__empty__descriptor);
    assert_kind(&call, ERROR_NONE);
    service_call_free(&call);
  }
  call_pool(w, &call, "GetTemplate", &get.base, &sandplane__v1__template__descriptor);
  assert_kind(&call, ERROR_NOT_FOUND);
  service_call_free(&call);
}

static void lists_page(void **state) {
  World *w = *state;
  apply_template(w, "l1 h1");
  apply_template(w, "l2 h1");
  for (int i = 0; i < 5; i++) {
    char name[16];
    snprintf(name, sizeof name, "page-%d", i);
    apply_pool(w, name, "l1", 0, 2);
  }
  char seen[256] = "";
  CLEANUP(str_freep) char *token = str_dup("");
  do {
    Sandplane__V1__ListPoolsRequest request = SANDPLANE__V1__LIST_POOLS_REQUEST__INIT;
    request.parent = "namespaces/-";
    request.page_size = 2;
    request.page_token = token;
    ServiceCall call;
    call_pool(w, &call, "ListPools", &request.base, &sandplane__v1__list_pools_response__descriptor);
    assert_kind(&call, ERROR_NONE);
    const Sandplane__V1__ListPoolsResponse *response = call.answer;
    assert_true(response->n_pools <= 2);
    for (size_t i = 0; i < response->n_pools; i++) {
      assert_int_equal(response->pools[i]->update_strategy, 2);
      snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s ", strrchr(response->pools[i]->name, '/') + 1);
    }
    str_freep(&token);
    token = str_dup(response->next_page_token);
    service_call_free(&call);
  } while (*token);
  assert_string_equal(seen, "page-0 page-1 page-2 page-3 page-4 ");

  Sandplane__V1__ListTemplatesRequest request = SANDPLANE__V1__LIST_TEMPLATES_REQUEST__INIT;
  request.parent = NS;
  request.page_size = 1;
  ServiceCall call;
  call_pool(w, &call, "ListTemplates", &request.base, &sandplane__v1__list_templates_response__descriptor);
  assert_kind(&call, ERROR_NONE);
  const Sandplane__V1__ListTemplatesResponse *templates = call.answer;
  assert_int_equal(templates->n_templates, 1);
  assert_string_equal(templates->templates[0]->name, NS "/templates/l1");
  /* A token of one list does not fit the other. */
  Sandplane__V1__ListPoolsRequest pools = SANDPLANE__V1__LIST_POOLS_REQUEST__INIT;
  pools.parent = NS;
  pools.page_token = templates->next_page_token;
  ServiceCall other;
  call_pool(w, &other, "ListPools", &pools.base, &sandplane__v1__list_pools_response__descriptor);
  assert_kind(&other, ERROR_INVALID_ARGUMENT);
  assert_string_equal(other.status.field, "page_token");
  service_call_free(&other);
  service_call_free(&call);
}

static void bad_pools(void **state) {
  World *w = *state;
  static const struct {
    char *name, *template_name;
    int replicas;
    const char *field;
  } rows[] = {
      {"x", NS "/templates/l1", 1, "pool.name"},
      {"", NS "/templates/l1", 1, "pool.name"},
      {NS "/pools/shadow-pool-l1", NS "/templates/l1", 1, "pool.name"},
      {NS "/pools/bad", "x", 1, "pool.template"},
      {NS "/pools/bad", NS "/templates/l1", -1, "pool.replicas"},
      {NS "/pools/bad", NS "/templates/l1", 10001, "pool.replicas"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    Sandplane__V1__ApplyPoolRequest request = SANDPLANE__V1__APPLY_POOL_REQUEST__INIT;
    Pool pool = SANDPLANE__V1__POOL__INIT;
    pool.name = rows[i].name;
    pool.template_ = rows[i].template_name;
    pool.replicas = rows[i].replicas;
    request.pool = &pool;
    ServiceCall call;
    call_pool(w, &call, "ApplyPool", &request.base, &sandplane__v1__pool__descriptor);
    assert_kind(&call, ERROR_INVALID_ARGUMENT);
    assert_string_equal(call.status.field, rows[i].field);
    service_call_free(&call);
  }
  Sandplane__V1__ApplyPoolRequest empty = SANDPLANE__V1__APPLY_POOL_REQUEST__INIT;
  ServiceCall call;
  call_pool(w, &call, "ApplyPool", &empty.base, &sandplane__v1__pool__descriptor);
  assert_kind(&call, ERROR_INVALID_ARGUMENT);
  assert_string_equal(call.status.field, "pool.name");
  service_call_free(&call);

  Sandplane__V1__ScalePoolRequest scale = SANDPLANE__V1__SCALE_POOL_REQUEST__INIT;
  scale.name = NS "/pools/nowhere";
  call_pool(w, &call, "ScalePool", &scale.base, &sandplane__v1__pool__descriptor);
  assert_kind(&call, ERROR_NOT_FOUND);
  service_call_free(&call);
  scale.replicas = -1;
  call_pool(w, &call, "ScalePool", &scale.base, &sandplane__v1__pool__descriptor);
  assert_kind(&call, ERROR_INVALID_ARGUMENT);
  assert_string_equal(call.status.field, "replicas");
  service_call_free(&call);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(templates),
      cmocka_unit_test(lists_page),
      cmocka_unit_test(bad_pools),
  };
  return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
