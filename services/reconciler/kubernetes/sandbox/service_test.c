#include "services/reconciler/kubernetes/sandbox/service.h"

#include "services/reconciler/kubernetes/testing/objects_fixture.h"

#define HASH "'agents.x-k8s.io/sandbox-name-hash':'374de8f5'"
#define PORTS "'ports':[{'name':'http','protocol':'TCP','port':8888,'targetPort':8888}]"
#define CONTENT "'labels':{" HASH "},'ownerReferences':[" FIXTURE_OWNER "]"

/* wanted: text of the field spec.service, or "" for unset. */
static json_t *my_sandbox(const char *wanted, const char *containers) {
  return quoted("{'metadata':{'name':'my-sandbox','namespace':'ns','uid':'u1'},"
                "'spec':{%s'podTemplate':{'spec':{%s}}}}",
                wanted, containers);
}

#define WANTED "'service':true,"
#define UNSET ""
#define UNWANTED "'service':false,"
#define ONE_PORT "'containers':[{'name':'c','ports':[{'name':'http','containerPort':8888}]}]"

static void test_build(void **s) {
  KUBE_OWNED json_t *sandbox = my_sandbox(WANTED, ONE_PORT);
  KUBE_OWNED json_t *service = service_build(sandbox);
  assert_json(service, "{'apiVersion':'v1','kind':'Service','metadata':{'name':'my-sandbox','namespace':'ns'," CONTENT
                       "},'spec':{'clusterIP':'None','selector':{" HASH "}," PORTS "}}");
}

static void test_build_without_ports(void **s) {
  KUBE_OWNED json_t *sandbox = my_sandbox(WANTED, "'containers':[{'name':'c'}]");
  KUBE_OWNED json_t *service = service_build(sandbox);
  assert_json(service, "{'apiVersion':'v1','kind':'Service','metadata':{'name':'my-sandbox','namespace':'ns'," CONTENT
                       "},'spec':{'clusterIP':'None','selector':{" HASH "}}}");
}

static void test_ports(void **s) {
  static const struct {
    const char *spec, *want; /* name/port/protocol, ... */
  } CASES[] = {
      {"'containers':[]", ""},
      {"'containers':[{'ports':[{'containerPort':0,'name':'zero'}]}]", ""},
      {"'containers':[{'ports':[{'containerPort':80}]}]", "p-80-tcp/80/TCP"},
      {"'containers':[{'ports':[{'containerPort':80,'protocol':''}]}]", "p-80-tcp/80/TCP"},
      {"'containers':[{'ports':[{'containerPort':53,'protocol':'UDP'}]}]", "p-53-udp/53/UDP"},
      /* by port, then by protocol */
      {"'containers':[{'ports':[{'containerPort':90},{'containerPort':53,'protocol':'UDP'},{'containerPort':53}]}]",
       "p-53-tcp/53/TCP,p-53-udp/53/UDP,p-90-tcp/90/TCP"},
      /* one pair in two containers */
      {"'containers':[{'ports':[{'containerPort':80}]},{'ports':[{'containerPort':80,'name':'web'}]}]", "web/80/TCP"},
      {"'containers':[{'ports':[{'containerPort':80,'name':'a'}]},{'ports':[{'containerPort':80,'name':'b'}]}]",
       "a/80/TCP"},
      /* a name taken by an earlier pair, which sorts later */
      {"'containers':[{'ports':[{'containerPort':90,'name':'web'}]},{'ports':[{'containerPort':80,'name':'web'}]}]",
       "p-80-tcp/80/TCP,web/90/TCP"},
      /* invented names that are taken */
      {"'containers':[{'ports':[{'containerPort':90,'name':'p-80-tcp'},{'containerPort':80}]}]",
       "p-80-tcp-2/80/TCP,p-80-tcp/90/TCP"},
      {"'containers':[{'ports':[{'containerPort':90,'name':'p-80-tcp'},{'containerPort':91,'name':'p-80-tcp-2'},"
       "{'containerPort':80}]}]",
       "p-80-tcp-3/80/TCP,p-80-tcp/90/TCP,p-80-tcp-2/91/TCP"},
      /* init containers that stay, and those that end; regular ones come first */
      {"'containers':[{'ports':[{'containerPort':80,'name':'web'}]}],'initContainers':["
       "{'restartPolicy':'Always','ports':[{'containerPort':70,'name':'web'},{'containerPort':71,'name':'side'}]},"
       "{'ports':[{'containerPort':60}]},{'restartPolicy':'OnFailure','ports':[{'containerPort':61}]}]",
       "p-70-tcp/70/TCP,side/71/TCP,web/80/TCP"},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *sandbox = my_sandbox(WANTED, CASES[i].spec);
    KUBE_OWNED json_t *ports = service_ports(sandbox);
    Buf got = {0};
    size_t k;
    json_t *p;
    json_array_foreach(ports, k, p) {
      assert_int_equal(kube_int(p, "port", -1), kube_int(p, "targetPort", -2));
      assert_int_equal(buf_printf(&got, "%s%s/%d/%s", k ? "," : "", kube_text(p, "name"), (int)kube_int(p, "port", 0),
                                  kube_text(p, "protocol")),
                       0);
    }
    assert_string_equal(buf_str(&got), CASES[i].want);
    buf_deinit(&got);
  }
}

#define NAMED "'name':'my-sandbox',"
#define GOOD_SPEC "'spec':{'clusterIP':'None','selector':{" HASH "}," PORTS "}"
#define GOOD "{'metadata':{" NAMED CONTENT "}," GOOD_SPEC "}"
/* ours, with others' label, selector and ports on it */
#define DRIFTED                                                                      \
  "{'metadata':{" NAMED "'labels':{'x':'y'},'ownerReferences':[" FIXTURE_OWNER "]}," \
  "'spec':{'clusterIP':'None','selector':{'x':'y'},'ports':[{'name':'other','port':1}]}}"
#define WRONG_PORTS                                                              \
  "{'metadata':{" NAMED CONTENT "},'spec':{'clusterIP':'None','selector':{" HASH \
  "},'ports':[{'name':'other','port':1}]}}"
#define FOREIGN "{'metadata':{" NAMED "'ownerReferences':[" FIXTURE_FOREIGN "]},'spec':{'clusterIP':'None'}}"
#define UNOWNED "{'metadata':{" NAMED "'labels':{'x':'y'}},'spec':{'clusterIP':'None'}}"
#define ADOPTABLE(ip)                                                                                      \
  "{'metadata':{" NAMED "'resourceVersion':'7','labels':{'agents.x-k8s.io/adoptable':'true'}},'spec':{" ip \
  "'selector':{'x':'y'}}}"
#define HASHED "{'metadata':{" NAMED "'labels':{" HASH "}},'spec':{'clusterIP':'None'}}"
#define ADOPTED(ip)                                                                                     \
  "{'metadata':{" NAMED "'resourceVersion':'7','labels':{'agents.x-k8s.io/adoptable':'true'," HASH "}," \
  "'ownerReferences':[" FIXTURE_OWNER "]},'spec':{" ip "'selector':{" HASH "}," PORTS "}}"
#define REPAIR_LABEL_SELECTOR "'metadata':{'labels':{" HASH "}},'spec':{'selector':{" HASH ",'x':null}"

static const struct {
  const char *wanted, *service; /* NULL: none */
  ServiceAction want;
  bool owned;
  const char *patch;
} DECISIONS[] = {
    /* none */
    {WANTED, NULL, SERVICE_CREATE, true, NULL},
    {UNSET, NULL, SERVICE_NOTHING, false, NULL},
    {UNWANTED, NULL, SERVICE_NOTHING, false, NULL},
    /* owned */
    {WANTED, GOOD, SERVICE_NOTHING, true, NULL},
    {WANTED, DRIFTED, SERVICE_PATCH, true, "{" REPAIR_LABEL_SELECTOR "," PORTS "}}"},
    {WANTED, WRONG_PORTS, SERVICE_PATCH, true, "{'spec':{" PORTS "}}"},
    {UNSET, GOOD, SERVICE_NOTHING, true, NULL},
    {UNSET, DRIFTED, SERVICE_PATCH, true, "{" REPAIR_LABEL_SELECTOR "}}"},
    {UNSET, WRONG_PORTS, SERVICE_NOTHING, true, NULL},
    {UNWANTED, GOOD, SERVICE_DELETE, false, NULL},
    {UNWANTED, DRIFTED, SERVICE_DELETE, false, NULL},
    /* unowned */
    {WANTED, UNOWNED, SERVICE_ERROR, false, NULL},
    {WANTED, ADOPTABLE("'clusterIP':'None',"), SERVICE_ADOPT, true, ADOPTED("'clusterIP':'None',")},
    {WANTED, ADOPTABLE("'clusterIP':'',"), SERVICE_ADOPT, true, ADOPTED("'clusterIP':'',")},
    {WANTED, ADOPTABLE(""), SERVICE_ADOPT, true, ADOPTED("")},
    {WANTED, ADOPTABLE("'clusterIP':'10.0.0.7',"), SERVICE_ERROR, false, NULL},
    {WANTED, HASHED, SERVICE_ADOPT, true, "{'metadata':{" NAMED CONTENT "}," GOOD_SPEC "}"},
    {UNSET, UNOWNED, SERVICE_NOTHING, false, NULL},
    {UNSET, HASHED, SERVICE_NOTHING, false, NULL},
    {UNWANTED, UNOWNED, SERVICE_NOTHING, false, NULL},
    {UNWANTED, HASHED, SERVICE_NOTHING, false, NULL},
    /* owned by other */
    {WANTED, FOREIGN, SERVICE_ERROR, false, NULL},
    {UNSET, FOREIGN, SERVICE_ERROR, false, NULL},
    {UNWANTED, FOREIGN, SERVICE_NOTHING, false, NULL},
};

static void test_decide(void **s) {
  for (size_t i = 0; i < ARRAY_LEN(DECISIONS); i++) {
    KUBE_OWNED json_t *sandbox = my_sandbox(DECISIONS[i].wanted, ONE_PORT);
    KUBE_OWNED json_t *service = DECISIONS[i].service ? quoted("%s", DECISIONS[i].service) : NULL;
    KUBE_OWNED json_t *patch = NULL;
    bool owned = !DECISIONS[i].owned;
    Error err = {0};
    assert_int_equal(service_decide(sandbox, service, &patch, &owned, &err), DECISIONS[i].want);
    assert_int_equal(owned, DECISIONS[i].owned);
    assert_int_equal(err.kind != ERROR_NONE, DECISIONS[i].want == SERVICE_ERROR);
    assert_json(patch, DECISIONS[i].patch);
    /* what was read is as it was */
    if (service)
      assert_json(service, DECISIONS[i].service);
  }
}

static void test_ports_go_when_no_container_has_any(void **s) {
  KUBE_OWNED json_t *sandbox = my_sandbox(WANTED, "'containers':[{'name':'c'}]");
  KUBE_OWNED json_t *service = quoted(GOOD);
  KUBE_OWNED json_t *patch = NULL;
  bool owned = false;
  Error err = {0};
  assert_int_equal(service_decide(sandbox, service, &patch, &owned, &err), SERVICE_PATCH);
  assert_json(patch, "{'spec':{'ports':null}}");
}

static void test_errors(void **s) {
  static const struct {
    const char *service, *want;
  } CASES[] = {
      {FOREIGN, "service \"my-sandbox\" is owned by ReplicaSet/rs (UID: u9), not by sandbox \"my-sandbox\""},
      {ADOPTABLE("'clusterIP':'10.0.0.7',"), "10.0.0.7"},
      {UNOWNED, "agents.x-k8s.io/adoptable"},
  };
  KUBE_OWNED json_t *sandbox = my_sandbox(WANTED, ONE_PORT);
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *service = quoted("%s", CASES[i].service);
    KUBE_OWNED json_t *patch = NULL;
    bool owned = false;
    Error err = {0};
    assert_int_equal(service_decide(sandbox, service, &patch, &owned, &err), SERVICE_ERROR);
    assert_non_null(strstr(err.message, CASES[i].want));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_build),
      cmocka_unit_test(test_build_without_ports),
      cmocka_unit_test(test_ports),
      cmocka_unit_test(test_decide),
      cmocka_unit_test(test_ports_go_when_no_container_has_any),
      cmocka_unit_test(test_errors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
