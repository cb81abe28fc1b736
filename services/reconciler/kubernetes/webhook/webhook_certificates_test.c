#include "services/reconciler/kubernetes/webhook/webhook_certificates.h"

#include <string.h>

#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/crypto/certificate.h"

#define NOW 1790000000000LL
static const WebhookNames NAMES = {
    .ns = "agent-sandbox-system", .service = "agent-sandbox-webhook-service", .cluster_domain = "cluster.local"};

static json_t *secret_at(int64_t now_ms, const char *old_ca) {
  WebhookCertificates c;
  Error err;
  assert_int_equal(webhook_certificates_make(&c, &NAMES, old_ca, now_ms, &err), 0);
  json_t *secret = webhook_certificates_secret(&c, &NAMES, NULL);
  webhook_certificates_deinit(&c);
  return secret;
}

static int read_at(const json_t *secret, const WebhookNames *names, int64_t now_ms) {
  WebhookCertificates c = {0};
  Error err;
  int result = webhook_certificates_read(&c, secret, names, now_ms, &err);
  webhook_certificates_deinit(&c);
  return result;
}

static void test_made_ones_can_be_read(void **s) {
  json_t *secret = secret_at(NOW, NULL);
  assert_int_equal(read_at(secret, &NAMES, NOW), 0);
  /* a clock that is late */
  assert_int_equal(read_at(secret, &NAMES, NOW - 30 * 60000LL), 0);
  json_decref(secret);
}

static void test_old_ones_are_to_be_replaced(void **s) {
  json_t *secret = secret_at(NOW, NULL);
  assert_int_equal(read_at(secret, &NAMES, NOW + WEBHOOK_CERTIFICATE_MS - WEBHOOK_RENEW_MS + 1000),
                   WEBHOOK_CERTIFICATES_OLD);
  assert_int_equal(read_at(secret, &NAMES, NOW + WEBHOOK_CERTIFICATE_MS + 1000), -1);
  json_decref(secret);
}

static void test_other_names_do_not_serve(void **s) {
  json_t *secret = secret_at(NOW, NULL);
  WebhookNames other = NAMES;
  other.ns = "elsewhere";
  assert_int_equal(read_at(secret, &other, NOW), -1);
  json_decref(secret);
}

static void test_damaged_secrets_are_refused(void **s) {
  static const char *const KEYS[] = {"ca.crt", "tls.crt", "tls.key"};
  for (size_t i = 0; i < ARRAY_LEN(KEYS); i++) {
    json_t *secret = secret_at(NOW, NULL), *data = json_object_get(secret, "data");
    json_object_set_new(data, KEYS[i], json_string("%%%"));
    assert_int_equal(read_at(secret, &NAMES, NOW), -1);
    json_object_set_new(data, KEYS[i], json_string("bm8gUEVN"));
    assert_int_equal(read_at(secret, &NAMES, NOW), -1);
    json_object_del(data, KEYS[i]);
    assert_int_equal(read_at(secret, &NAMES, NOW), -1);
    json_decref(secret);
  }
}

/* While replicas change over, both certificates must be trusted; CAs do not pile up. */
static void test_the_old_ca_stays_trusted_once(void **s) {
  WebhookCertificates first, second, third;
  Error err;
  assert_int_equal(webhook_certificates_make(&first, &NAMES, NULL, NOW, &err), 0);
  assert_int_equal(webhook_certificates_make(&second, &NAMES, buf_str(&first.ca), NOW, &err), 0);
  assert_int_equal(webhook_certificates_make(&third, &NAMES, buf_str(&second.ca), NOW, &err), 0);
  const char *svc = "agent-sandbox-webhook-service.agent-sandbox-system.svc";
  assert_int_equal(certificate_check(buf_str(&second.ca), buf_str(&first.cert), buf_str(&first.key), svc, NOW, &err),
                   0);
  assert_int_equal(certificate_check(buf_str(&second.ca), buf_str(&second.cert), buf_str(&second.key), svc, NOW, &err),
                   0);
  assert_int_equal(certificate_check(buf_str(&third.ca), buf_str(&second.cert), buf_str(&second.key), svc, NOW, &err),
                   0);
  assert_int_equal(certificate_check(buf_str(&third.ca), buf_str(&first.cert), buf_str(&first.key), svc, NOW, &err),
                   -1);
  webhook_certificates_deinit(&first);
  webhook_certificates_deinit(&second);
  webhook_certificates_deinit(&third);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_made_ones_can_be_read),         cmocka_unit_test(test_old_ones_are_to_be_replaced),
      cmocka_unit_test(test_other_names_do_not_serve),      cmocka_unit_test(test_damaged_secrets_are_refused),
      cmocka_unit_test(test_the_old_ca_stays_trusted_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
