/* Kubeconfig files as they are found in the wild, and what is said about those that cannot serve. */
#include "lib/kube/kube_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "lib/base/test.h"

static char dir[64];

static int setup(void **state) {
  test_folder(dir);
  return 0;
}

static int teardown(void **state) {
  static const char *const FILES[] = {"config", "ca.crt", "me.crt", "me.key", "token"};
  for (size_t i = 0; i < ARRAY_LEN(FILES); i++) {
    CLEANUP(str_freep) char *path = str_printf("%s/%s", dir, FILES[i]);
    unlink(path);
  }
  return rmdir(dir);
}

static int load(const char *text, const char *context, KubeConfig **ret, Error *err) {
  test_write_file(dir, "config", text);
  CLEANUP(str_freep) char *path = str_printf("%s/config", dir);
  return kube_config_load(path, context, ret, err);
}

static KubeConfig *must_load(const char *text, const char *context) {
  KubeConfig *c = NULL;
  Error err = {0};
  if (load(text, context, &c, &err) != 0)
    fail_msg("%s", err.message);
  return c;
}

/* The parts of a file; the user's and the cluster's lines are indented by four. */
static char *file_of(const char *cluster, const char *user) {
  return str_printf("apiVersion: v1\nkind: Config\ncurrent-context: main\n"
                    "clusters:\n- name: c\n  cluster:\n%s\nusers:\n- name: u\n  user:\n%s\n"
                    "contexts:\n- name: main\n  context: {cluster: c, user: u}\n"
                    "- name: other\n  context: {cluster: c, user: u, namespace: team}\n"
                    "- name: no-user\n  context: {cluster: c}\n"
                    "- name: lost\n  context: {cluster: nowhere, user: u}\n",
                    cluster, user);
}

#define SERVER "    server: https://1.2.3.4:6443"

static void refuses(const char *cluster, const char *user, const char *context, const char *const *words) {
  CLEANUP(str_freep) char *text = file_of(cluster, user);
  KubeConfig *c = NULL;
  Error err = {0};
  assert_int_equal(load(text, context, &c, &err), -1);
  assert_null(c);
  assert_true(err.kind == ERROR_INVALID_ARGUMENT || err.kind == ERROR_NOT_FOUND);
  for (; *words; words++)
    if (!strstr(err.message, *words))
      fail_msg("\"%s\" does not say \"%s\"", err.message, *words);
}
#define REFUSES(cluster, user, context, ...) refuses(cluster, user, context, (const char *const[]){__VA_ARGS__, NULL})

static void test_data_in_the_file(void **s) {
  CLEANUP(str_freep)
  char *text = file_of(
      SERVER "///\n    certificate-authority-data: Y2E=\n    tls-server-name: api.internal",
      "    client-certificate-data: Y3J0\n    client-key-data: a2V5\n    token: t0k\n    client-key: /not/read");
  KubeConfig *c = must_load(text, NULL);
  assert_string_equal(c->server, "https://1.2.3.4:6443");
  assert_string_equal(c->ca_pem, "ca");
  assert_string_equal(c->cert_pem, "crt");
  assert_string_equal(c->key_pem, "key");
  assert_string_equal(c->token, "t0k");
  assert_string_equal(c->token_file, "");
  assert_string_equal(c->server_name, "api.internal");
  assert_string_equal(c->ns, "default");
  assert_false(c->insecure);
  kube_config_free(c);
}

static void test_files_are_relative_to_the_kubeconfig(void **s) {
  test_write_file(dir, "ca.crt", "the ca");
  test_write_file(dir, "me.crt", "the crt");
  test_write_file(dir, "me.key", "the key");
  test_write_file(dir, "token", "the token");
  CLEANUP(str_freep)
  char *text = file_of(SERVER "/prefix/\n    certificate-authority: ca.crt\n    insecure-skip-tls-verify: true",
                       "    client-certificate: me.crt\n    client-key: ./me.key\n    tokenFile: token");
  KubeConfig *c = must_load(text, "other");
  assert_string_equal(c->server, "https://1.2.3.4:6443/prefix");
  assert_string_equal(c->ca_pem, "the ca");
  assert_string_equal(c->cert_pem, "the crt");
  assert_string_equal(c->key_pem, "the key");
  assert_string_equal(c->ns, "team");
  assert_true(c->insecure);
  CLEANUP(str_freep) char *token = str_printf("%s/token", dir);
  assert_string_equal(c->token_file, token);
  kube_config_free(c);
}

static void test_absolute_files_and_broken_lines(void **s) {
  test_write_file(dir, "ca.crt", "the ca");
  CLEANUP(str_freep)
  char *cluster = str_printf("    server: http://localhost:1\n    certificate-authority: %s/ca.crt", dir);
  /* a block of YAML keeps the line ends of wrapped base64 */
  CLEANUP(str_freep)
  char *text = file_of(
      cluster,
      "    client-certificate-data: |\n      Y3\n      J0\n    client-key-data: a2V5\n    tokenFile: /absolute");
  KubeConfig *c = must_load(text, "");
  assert_string_equal(c->ca_pem, "the ca");
  assert_string_equal(c->cert_pem, "crt");
  assert_string_equal(c->token_file, "/absolute");
  kube_config_free(c);
  kube_config_free(NULL);
}

static void test_json_is_a_kubeconfig_too(void **s) {
  KubeConfig *c = must_load(
      "{\"current-context\":\"x\",\"contexts\":[{\"name\":\"x\",\"context\":{\"cluster\":\"c\",\"user\":\"u\"}}],"
      "\"clusters\":[{\"name\":\"c\",\"cluster\":{\"server\":\"https://"
      "h\"}}],\"users\":[{\"name\":\"u\",\"user\":{}}]}",
      NULL);
  assert_string_equal(c->server, "https://h");
  assert_string_equal(c->token, "");
  kube_config_free(c);
}

static void test_what_is_refused_is_named(void **s) {
  REFUSES(SERVER, "    exec: {command: aws}", NULL, "users[].user.exec", "/config");
  REFUSES(SERVER, "    auth-provider: {name: gcp}", NULL, "users[].user.auth-provider");
  REFUSES(SERVER, "    username: me\n    password: x", NULL, "users[].user.username");
  REFUSES(SERVER "\n    proxy-url: http://p", "    token: a", NULL, "proxy-url");
  REFUSES("    server: 1.2.3.4:6443", "    token: a", NULL, "clusters[].cluster.server");
  REFUSES("    insecure-skip-tls-verify: true", "    token: a", NULL, "clusters[].cluster.server");
  REFUSES(SERVER, "    client-certificate-data: Y3J0", NULL, "client-certificate", "client-key");
  REFUSES(SERVER, "    client-key-data: Y3J0", NULL, "client-certificate", "client-key");
  REFUSES(SERVER, "    client-key-data: '!'", NULL, "client-key-data", "base64");
  REFUSES(SERVER "\n    certificate-authority: missing.crt", "    token: a", NULL, "missing.crt");
  REFUSES(SERVER, "    token: a", "nope", "contexts", "nope");
  REFUSES(SERVER, "    token: a", "lost", "clusters", "nowhere");
  REFUSES(SERVER, "    token: a", "no-user", "users");
  /* the key is there, its value is not: YAML's null */
  REFUSES(SERVER, "", NULL, "users", "\"u\"");
  REFUSES("", "    token: a", NULL, "clusters", "\"c\"");
}

static void test_files_that_are_none(void **s) {
  KubeConfig *c = NULL;
  Error err = {0};
  assert_int_equal(kube_config_load("/does/not/exist", NULL, &c, &err), -1);
  assert_int_equal(err.kind, ERROR_NOT_FOUND);
  assert_contains(err.message, "/does/not/exist");
  static const char *const BAD[] = {"",
                                    "a: [",
                                    "just text",
                                    "a: &x 1\nb: *x",
                                    "[]",
                                    "current-context: ''",
                                    "current-context: x",
                                    "contexts: 3\ncurrent-context: x"};
  for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
    err = (Error){0};
    assert_int_equal(load(BAD[i], NULL, &c, &err), -1);
    assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
    assert_contains(err.message, "/config");
  }
  Buf b = {0};
  assert_int_equal(kube_config_read_file(dir, &b, &err), -1);
  assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
  assert_int_equal(kube_config_read_file("/dev/zero", &b, &err), -1);
  assert_contains(err.message, "1 MiB");
}

static void test_outside_a_pod(void **s) {
  KubeConfig *c = NULL;
  Error err = {0};
  unsetenv("KUBERNETES_SERVICE_HOST");
  assert_int_equal(kube_config_load("", NULL, &c, &err), -1);
  assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
  assert_contains(err.message, "KUBERNETES_SERVICE_HOST");
  setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
  setenv("KUBERNETES_SERVICE_PORT", "443", 1);
  if (access("/var/run/secrets/kubernetes.io/serviceaccount", F_OK) == 0) {
    /* this machine is a Pod itself */
    assert_ok(kube_config_load(NULL, NULL, &c, &err), &err);
    assert_string_equal(c->server, "https://[fd00::1]:443");
    kube_config_free(c);
  } else {
    assert_int_equal(kube_config_load(NULL, NULL, &c, &err), -1);
    assert_int_equal(err.kind, ERROR_NOT_FOUND);
    assert_contains(err.message, "serviceaccount/ca.crt");
  }
  unsetenv("KUBERNETES_SERVICE_HOST");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_data_in_the_file),
      cmocka_unit_test(test_files_are_relative_to_the_kubeconfig),
      cmocka_unit_test(test_absolute_files_and_broken_lines),
      cmocka_unit_test(test_json_is_a_kubeconfig_too),
      cmocka_unit_test(test_what_is_refused_is_named),
      cmocka_unit_test(test_files_that_are_none),
      cmocka_unit_test(test_outside_a_pod),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
