/* The review around the conversion: who gets which answer. */
#include "services/reconciler/kubernetes/conversion/conversion.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/kube/kube_object.h"

#define REVIEW_V1 "\"apiVersion\":\"apiextensions.k8s.io/v1\",\"kind\":\"ConversionReview\""
#define SANDBOX(name)                                                                                                  \
  "{\"apiVersion\":\"agents.x-k8s.io/v1alpha1\",\"kind\":\"Sandbox\",\"metadata\":{\"name\":\"" name "\"},\"spec\":{}" \
  "}"
#define REQUEST(objects) \
  "\"request\":{\"uid\":\"u-1\",\"desiredAPIVersion\":\"agents.x-k8s.io/v1beta1\",\"objects\":" objects "}"

static json_t *review(const char *body) {
  Buf out = BUF_INIT(0);
  Error err;
  if (conversion_review(body, strlen(body), &out, &err))
    fail_msg("%s", err.message);
  json_t *answer = json_loadb(buf_str(&out), out.len, JSON_ALLOW_NUL, NULL);
  assert_non_null(answer);
  buf_deinit(&out);
  return answer;
}

static void assert_refused(const char *body, const char *part) {
  KUBE_OWNED json_t *answer = review(body);
  assert_string_equal(kube_text(answer, "response.uid"), "u-1");
  assert_string_equal(kube_text(answer, "response.result.status"), "Failed");
  assert_null(kube_get(answer, "response.convertedObjects"));
  if (!strstr(kube_text(answer, "response.result.message"), part))
    fail_msg("'%s' lacks '%s'", kube_text(answer, "response.result.message"), part);
}

static void test_converts_in_order(void **s) {
  KUBE_OWNED json_t *answer =
      review("{" REVIEW_V1 "," REQUEST("[" SANDBOX("a") "," SANDBOX("b") "," SANDBOX("c") "]") "}");
  assert_string_equal(kube_text(answer, "apiVersion"), "apiextensions.k8s.io/v1");
  assert_string_equal(kube_text(answer, "kind"), "ConversionReview");
  assert_string_equal(kube_text(answer, "response.uid"), "u-1");
  assert_string_equal(kube_text(answer, "response.result.status"), "Success");
  const json_t *list = kube_get(answer, "response.convertedObjects");
  assert_int_equal(json_array_size(list), 3);
  static const char *const NAMES[] = {"a", "b", "c"};
  for (size_t i = 0; i < 3; i++) {
    assert_string_equal(kube_name(json_array_get(list, i)), NAMES[i]);
    assert_string_equal(kube_text(json_array_get(list, i), "apiVersion"), "agents.x-k8s.io/v1beta1");
    assert_string_equal(kube_text(json_array_get(list, i), "spec.operatingMode"), "Running");
  }
  assert_null(kube_get(answer, "request"));
}

static void test_answers_in_the_version_of_the_review(void **s) {
  KUBE_OWNED json_t *answer =
      review("{\"apiVersion\":\"apiextensions.k8s.io/v1beta1\",\"kind\":\"ConversionReview\"," REQUEST("[]") "}");
  assert_string_equal(kube_text(answer, "apiVersion"), "apiextensions.k8s.io/v1beta1");
  assert_string_equal(kube_text(answer, "response.result.status"), "Success");
  assert_true(json_is_array(kube_get(answer, "response.convertedObjects")));
  assert_int_equal(json_array_size(kube_get(answer, "response.convertedObjects")), 0);
}

static void test_one_bad_object_fails_all(void **s) {
  assert_refused("{" REVIEW_V1 "," REQUEST("[" SANDBOX("a") ",{\"apiVersion\":\"v1\",\"kind\":\"Pod\","
                                                            "\"metadata\":{\"name\":\"p\",\"namespace\":\"n\"}}]") "}",
                 "object 1 (n/p): there is no conversion of kind 'Pod'");
  assert_refused("{" REVIEW_V1 "," REQUEST("[7]") "}", "object 0");
  assert_refused("{" REVIEW_V1 "," REQUEST("{}") "}", "request.objects is not a list");
  assert_refused("{" REVIEW_V1 ",\"request\":{\"uid\":\"u-1\",\"objects\":[" SANDBOX("a") "]}}", "object 0");
  assert_refused("{" REVIEW_V1 ",\"request\":{\"uid\":\"u-1\",\"desiredAPIVersion\":1,\"objects\":[]}}",
                 "desiredAPIVersion");
}

static void test_other_reviews_are_refused(void **s) {
  assert_refused("{" REQUEST("[]") "}", "not a ConversionReview");
  assert_refused("{\"apiVersion\":\"apiextensions.k8s.io/v2\",\"kind\":\"ConversionReview\"," REQUEST("[]") "}",
                 "not a ConversionReview");
  assert_refused("{\"apiVersion\":\"apiextensions.k8s.io/v1\",\"kind\":\"AdmissionReview\"," REQUEST("[]") "}",
                 "not a ConversionReview");
}

static void test_nobody_to_answer_to(void **s) {
  static const char *const BODIES[] = {
      "",
      "{",
      "null",
      "[]",
      "{}",
      "{\"request\":[]}",
      "{\"request\":{}}",
      "{\"request\":{\"uid\":7}}",
      "{\"request\":{\"uid\":\"\"}}",
      "{" REVIEW_V1 "," REQUEST("[]") "} trailing",
  };
  for (size_t i = 0; i < ARRAY_LEN(BODIES); i++) {
    Buf out = BUF_INIT(0);
    Error err = {0};
    assert_int_equal(conversion_review(BODIES[i], strlen(BODIES[i]), &out, &err), -1);
    assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
    assert_int_equal(out.len, 0);
    buf_deinit(&out);
  }
}

/* A message that ends within a character must still be JSON. */
static void test_cut_messages_stay_text(void **s) {
  for (size_t pad = 0; pad < 4; pad++) {
    Buf name = BUF_INIT(0);
    assert_int_equal(buf_append(&name, "aaa", pad), 0);
    for (size_t i = 0; i < 300; i++)
      assert_int_equal(buf_append_str(&name, "\u20ac"), 0);
    CLEANUP(str_freep)
    char *body =
        str_printf("{%s,\"request\":{\"uid\":\"u-1\",\"desiredAPIVersion\":\"x\",\"objects\":[{\"kind\":\"%s\"}]}}",
                   REVIEW_V1, buf_str(&name));
    buf_deinit(&name);
    assert_refused(body, "object 0 (/): there is no conversion");
  }
}

static void test_an_answer_that_does_not_fit_is_a_refusal(void **s) {
  static const char BODY[] = "{" REVIEW_V1 "," REQUEST("[" SANDBOX("a") "," SANDBOX("b") "]") "}";
  Error err = {0};
  Buf out = BUF_INIT(300);
  assert_int_equal(buf_append_str(&out, "before"), 0);
  assert_int_equal(conversion_review(BODY, sizeof BODY - 1, &out, &err), 0);
  assert_memory_equal(out.data, "before{", 7);
  assert_non_null(strstr(buf_str(&out), "\"Failed\""));
  assert_null(strstr(buf_str(&out), "convertedObjects"));
  buf_deinit(&out);
  out = BUF_INIT(20);
  assert_int_equal(conversion_review(BODY, sizeof BODY - 1, &out, &err), -1);
  assert_int_equal(err.kind, ERROR_RESOURCE_EXHAUSTED);
  assert_int_equal(out.len, 0);
  buf_deinit(&out);
}

/* Text with an escaped NUL is legal JSON and must not end anything early. */
static void test_nul_in_a_value_passes(void **s) {
  KUBE_OWNED json_t *answer =
      review("{" REVIEW_V1 "," REQUEST("[{\"apiVersion\":\"agents.x-k8s.io/v1alpha1\",\"kind\":\"Sandbox\","
                                       "\"spec\":{\"x\":\"a\\u0000b\"}}]") "}");
  assert_string_equal(kube_text(answer, "response.result.status"), "Success");
  const json_t *x = kube_get(json_array_get(kube_get(answer, "response.convertedObjects"), 0), "spec.x");
  assert_int_equal(json_string_length(x), 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_converts_in_order),
      cmocka_unit_test(test_answers_in_the_version_of_the_review),
      cmocka_unit_test(test_one_bad_object_fails_all),
      cmocka_unit_test(test_other_reviews_are_refused),
      cmocka_unit_test(test_nobody_to_answer_to),
      cmocka_unit_test(test_cut_messages_stay_text),
      cmocka_unit_test(test_an_answer_that_does_not_fit_is_a_refusal),
      cmocka_unit_test(test_nul_in_a_value_passes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
