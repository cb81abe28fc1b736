#include "services/reconciler/kubernetes/template/blueprint_text.h"

#include "services/reconciler/kubernetes/testing/objects_fixture.h"

static void check_text(const char *value, const char *type, const char *wanted) {
  KUBE_OWNED json_t *v = quoted("%s", value);
  CLEANUP(str_freep) char *text = blueprint_text(v, type);
  assert_string_equal(text, wanted);
}

static void test_fields_stand_in_order_and_empty_ones_are_left_out(void **s) {
  check_text("{}", "Container", "{\"resources\":{}}");
  check_text("{'args':[],'resources':{'limits':{}},'tty':false,'image':'i','name':'n','workingDir':'','env':null}",
             "Container", "{\"name\":\"n\",\"image\":\"i\",\"resources\":{}}");
  check_text("{'volumeMounts':[{'mountPath':'/x','name':'v','readOnly':false}],'name':'n'}", "Container",
             "{\"name\":\"n\",\"resources\":{},\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/x\"}]}");
}

static void test_what_go_points_at_is_kept_when_empty(void **s) {
  check_text("{'securityContext':{},'automountServiceAccountToken':false,'terminationGracePeriodSeconds':0,"
             "'hostPID':false}",
             "PodSpec",
             "{\"terminationGracePeriodSeconds\":0,\"automountServiceAccountToken\":false,\"securityContext\":{}}");
  check_text("{'emptyDir':{},'name':'v'}", "Volume", "{\"name\":\"v\",\"emptyDir\":{}}");
  check_text("{'env':[{'value':'','name':'E'}]}", "Container", "{\"env\":[{\"name\":\"E\"}],\"resources\":{}}");
}

static void test_unknown_fields_follow_sorted(void **s) {
  check_text("{'zz':{'b':[1,{'d':null,'c':'x'}],'a':true},'name':'n','aa':1.5}", "Container",
             "{\"name\":\"n\",\"resources\":{},\"aa\":1.5,\"zz\":{\"a\":true,\"b\":[1,{\"c\":\"x\",\"d\":null}]}}");
}

static void test_values_of_another_shape_are_written_as_they_are(void **s) {
  check_text("{'volumes':'text','containers':{'a':1},'securityContext':[2]}", "PodSpec",
             "{\"volumes\":\"text\",\"containers\":{\"a\":1},\"securityContext\":[2]}");
}

static void test_maps_are_sorted(void **s) {
  check_text("{'labels':{'b':'2','a':'1'},'annotations':{}}", "Metadata", "{\"labels\":{\"a\":\"1\",\"b\":\"2\"}}");
}

static void test_escapes(void **s) {
  check_text("{'command':['a && b > c < d','\\u2028\\u2029\\u202a','\\t\\n\\u0001\\b','\\\\']}", "Container",
             "{\"command\":[\"a \\u0026\\u0026 b \\u003e c \\u003c d\",\"\\u2028\\u2029\xe2\x80\xaa\","
             "\"\\t\\n\\u0001\\b\",\"\\\\\"],"
             "\"resources\":{}}");
}

static void test_quantities_in_place(void **s) {
  check_text("{'limits':{'cpu':2,'memory':'1024Mi'},'requests':{'cpu':'0.5'}}", "ResourceRequirements",
             "{\"limits\":{\"cpu\":\"2\",\"memory\":\"1Gi\"},\"requests\":{\"cpu\":\"500m\"}}");
  check_text("{'sizeLimit':'2048Ki'}", "EmptyDirVolumeSource", "{\"sizeLimit\":\"2Mi\"}");
}

static void test_quantities(void **s) {
  static const char *const CASES[][2] = {
      {"0", "0"},
      {"0Gi", "0"},
      {"1", "1"},
      {"1000", "1k"},
      {"1500", "1500"},
      {"1.5", "1500m"},
      {"0.5", "500m"},
      {"250m", "250m"},
      {"1000m", "1"},
      {"1024", "1024"},
      {"1Gi", "1Gi"},
      {"1024Mi", "1Gi"},
      {"1536Mi", "1536Mi"},
      {"0.5Gi", "512Mi"},
      {"512", "512"},
      {"1e3", "1e3"},
      {"10e2", "1e3"},
      {"1E", "1E"},
      {"1000P", "1E"},
      {"-2000", "-2k"},
      {"+5", "5"},
      {"1023", "1023"},
      {"0.5Ki", "512"},
      {"100n", "100n"},
      {"1.50", "1500m"},
      {"2e0", "2"},
      {"12e-3", "12e-3"},
      {"1M", "1M"},
      {"1000k", "1M"},
      {"3Ei", "3Ei"},
      {"1.5Ki", "1536"},
      {"32.789Gi", "35206920667136m"},
      /* not quantities, or beyond what we reckon with */
      {"", ""},
      {"abc", "abc"},
      {"1Xi", "1Xi"},
      {"1 ", "1 "},
      {".", "."},
      {"1e", "1e"},
      {"99999999999999999999999999999999", "99999999999999999999999999999999"},
      {"0.0000000001", "0.0000000001"},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    CLEANUP(str_freep) char *text = blueprint_quantity(CASES[i][0]);
    assert_string_equal(text, CASES[i][1]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fields_stand_in_order_and_empty_ones_are_left_out),
      cmocka_unit_test(test_what_go_points_at_is_kept_when_empty),
      cmocka_unit_test(test_unknown_fields_follow_sorted),
      cmocka_unit_test(test_values_of_another_shape_are_written_as_they_are),
      cmocka_unit_test(test_maps_are_sorted),
      cmocka_unit_test(test_escapes),
      cmocka_unit_test(test_quantities_in_place),
      cmocka_unit_test(test_quantities),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
