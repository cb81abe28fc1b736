/* Tokens of the second kind, signed outside of this project (OpenSSL): what is good, and everything near it that is
 * not, though its signature is. */
#include "services/router/access/scoped_token_v2.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/compiler.h"
#include "lib/base/str.h"
#include "lib/base/test.h"
#include "services/router/access/access.h"

#define EXP 2000000000
#define SECRET "0123456789abcdef0123456789abcdef"
/* of the Agent Sandbox contract: default/my-sandbox until EXP */
#define V1                                                                      \
  "v1.eyJucyI6ImRlZmF1bHQiLCJuYW1lIjoibXktc2FuZGJveCIsImV4cCI6MjAwMDAwMDAwMH0." \
  "5B4WHDfPZI9Vy_jJ04AY0wP_KtmMZUHTwzLIoTxj2Gc"
#define PUBLIC "TjHTPN4lQTEuCYjIflJYa6QJX_Z9NAWfRSfMPGtPqJc"
#define OF_REQUEST                                                                                                     \
  "v2.k1."                                                                                                             \
  "eyJucyI6ImRlZmF1bHQiLCJuYW1lIjoiYm94LWFhYWFhIiwidWlkIjoidTEiLCJwb3J0IjozMDAwLCJtZXRob2QiOiJHRVQiLCJwYXRoIjoiL2EvYi" \
  "IsImV4cCI6MjAwMDAwMDAwMH0.maU02mWoGOTsYxwNPxY8D1Q2lWSw5uxdy1bOp6hfR_O44rZhlmobt18d-yakYXkRJcVmnN5mpOHUE07kFCwUDg"
#define OF_SANDBOX                                                                              \
  "v2.k1.eyJucyI6ImRlZmF1bHQiLCJuYW1lIjoiYm94LWFhYWFhIiwidWlkIjoidTEiLCJleHAiOjIwMDAwMDAwMDB9." \
  "QMNikHOJiPkfnUl79cSylcSL7pikExUM5umgpqLDw9i924YbkDt1mzOO_A2sJrRBRWh59GZV9F4ae8AS6TAWCA"
static const char *const SIGNED_BUT_WRONG[] = {
    /* another order */
    "v2.k1.eyJuYW1lIjoiYm94LWFhYWFhIiwibnMiOiJkZWZhdWx0IiwidWlkIjoidTEiLCJleHAiOjIwMDAwMDAwMDB9.pwdFd98fl_"
    "OjLb4qb8dblPUIiJ64xAVfGXLmNQEd5h_jF-PcGR6EYoT7UH-3ojrcvU69mhD6U_kABBZ65_BvAQ",
    /* no uid */
    "v2.k1.eyJucyI6ImRlZmF1bHQiLCJuYW1lIjoiYm94LWFhYWFhIiwiZXhwIjoyMDAwMDAwMDAwfQ."
    "SiL7X5QQaXxVfZSp83Rtd9GJ5rcIEUesoV8pEf6YhqFU1BrQYyTHmoSWTSzYNq2lQkJbKeS2LKE0UiucUf3eAg",
    /* empty uid */
    "v2.k1.eyJucyI6ImRlZmF1bHQiLCJuYW1lIjoiYm94LWFhYWFhIiwidWlkIjoiIiwiZXhwIjoyMDAwMDAwMDAwfQ."
    "Wtutkb440B1oYNqvadfNbXz3Vaq4dC4Hun6ss-3kEXJy06IL9166qFGWWOSqaaSYjYCxRH40y3hNVrLo4xoNDA",
    /* one claim more */
    "v2.k1.eyJucyI6ImRlZmF1bHQiLCJuYW1lIjoiYm94LWFhYWFhIiwidWlkIjoidTEiLCJleHAiOjIwMDAwMDAwMDAsIngiOjF9."
    "lRC5hB78j8uSHNknkA-fDB_PbBWmZEp_9X_rfIrXPJskLz5W35vCopltZx6os6gAsYaRViCq7-3OIkkFLc7KAg",
    /* a claim twice */
    "v2.k1.eyJucyI6ImRlZmF1bHQiLCJuYW1lIjoiYm94LWFhYWFhIiwidWlkIjoidTEiLCJleHAiOjEsImV4cCI6MjAwMDAwMDAwMH0."
    "EC4Y18ronJtWhD03hr4a9X-69Q6YG25NIKUOra9eWSJl1fdQKGJClKyyceEmJ9341y-pWh14YE0VvJOBAMZACA",
    /* a port without the rest */
    "v2.k1.eyJucyI6ImRlZmF1bHQiLCJuYW1lIjoiYm94LWFhYWFhIiwidWlkIjoidTEiLCJwb3J0IjozMDAwLCJleHAiOjIwMDAwMDAwMDB9.P1Rc-"
    "pzOMINWBHD26LTaKphylh9fIVsweQwqkzoZe5VYFhqKlGDAW26Y5ALn6diYwij1qS1kaCIj2074BucNAA",
    /* port 0 */
    "v2.k1."
    "eyJucyI6ImRlZmF1bHQiLCJuYW1lIjoiYm94LWFhYWFhIiwidWlkIjoidTEiLCJwb3J0IjowLCJtZXRob2QiOiJHRVQiLCJwYXRoIjoiL2EvYiIsIm"
    "V4cCI6MjAwMDAwMDAwMH0.qZwHTcLiQIqkAJtqmYQInCRRF7kveiO1o4Api1OyCnmLMvCJG8oyPtdDIai9WTJMxAdKPU1PsyHshofN8ILfBw",
    /* port as text */
    "v2.k1."
    "eyJucyI6ImRlZmF1bHQiLCJuYW1lIjoiYm94LWFhYWFhIiwidWlkIjoidTEiLCJwb3J0IjoiMzAwMCIsIm1ldGhvZCI6IkdFVCIsInBhdGgiOiIvYS"
    "9iIiwiZXhwIjoyMDAwMDAwMDAwfQ.bBAIoRe3XOaSR-Il3gUGnkkz79E9DnSrtgzh0I6280lY67arImalFZvDvOxZWpZWRfPulCpL_"
    "baTn9kOoserAg",
    /* a path with a query */
    "v2.k1."
    "eyJucyI6ImRlZmF1bHQiLCJuYW1lIjoiYm94LWFhYWFhIiwidWlkIjoidTEiLCJwb3J0IjozMDAwLCJtZXRob2QiOiJHRVQiLCJwYXRoIjoiL2E_"
    "YiIsImV4cCI6MjAwMDAwMDAwMH0.LQWKluZAvNv_fiYuGSK4fPfK0gvUK4rfQxy8jaPWP-"
    "5tGwZqQbwsGMRmaMuAnjhlN5SQSwTBtJFPvTvcLHrPAw",
    /* no path */
    "v2.k1."
    "eyJucyI6ImRlZmF1bHQiLCJuYW1lIjoiYm94LWFhYWFhIiwidWlkIjoidTEiLCJwb3J0IjozMDAwLCJtZXRob2QiOiJHRVQiLCJwYXRoIjoiYSIsIm"
    "V4cCI6MjAwMDAwMDAwMH0.g6hQ0rEx0NZwC_ki_2Dny-iZjXqXUPCdzCRccX7fdd9b4q4AxY4RrROcaShfptcjayD97dxyRJVD2NqEwwCKAw",
    /* exp as text */
    "v2.k1.eyJucyI6ImRlZmF1bHQiLCJuYW1lIjoiYm94LWFhYWFhIiwidWlkIjoidTEiLCJleHAiOiIyMDAwMDAwMDAwIn0.U6C-"
    "fxbKAoIUn7wNNtQ5Gmf78QMUOFzoPcBCxiZgllOFZE62R_-cxmRSwn4tZ0kE_tcfk0VcRVpMjyicV9uECA",
    /* exp as a fraction */
    "v2.k1.eyJucyI6ImRlZmF1bHQiLCJuYW1lIjoiYm94LWFhYWFhIiwidWlkIjoidTEiLCJleHAiOjIwMDAwMDAwMDAuNX0.RuDqKUNx_"
    "f2lPzFRxDEojBX_WiyOiQ_A4qX5onSHpHnXsCsIOjWKLmRNaZI-XHQVu8moqd1BIC22gLznOHnpBw",
    /* trailing */
    "v2.k1.eyJucyI6ImRlZmF1bHQiLCJuYW1lIjoiYm94LWFhYWFhIiwidWlkIjoidTEiLCJleHAiOjIwMDAwMDAwMDB9eA.57bb9EGR2-"
    "Up7yLpM4IVkRwkRld4R8m6wkrWBzoY1Yt-VY5SqHEVwAJHwxv3hZilzgsBgd8jE8BPIuq8U8mVBw",
    /* no object */
    "v2.k1.W10.Rms5G84ZdG1sbrFFPNC4LYQxks29nH78-KVqx2_z3BJtiUfPEXD0WW5OQwrsq2UafBo3fqLyRKQXX3jnnkqPBA",
    /* a bad namespace */
    "v2.k1.eyJucyI6IkRlIiwibmFtZSI6ImJveC1hYWFhYSIsInVpZCI6InUxIiwiZXhwIjoyMDAwMDAwMDAwfQ."
    "PeK3hip7uxr7xS2MTe6twAUYbrlstmYvZOyfv59N9LfiCRTk4wi-6jrg5BsXg6RC2opwbiqrdP8GFQHOqi52Bg",
    /* a context of another kind */
    "v2.k1.eyJucyI6ImRlZmF1bHQiLCJuYW1lIjoiYm94LWFhYWFhIiwidWlkIjoidTEiLCJleHAiOjIwMDAwMDAwMDB9.l7WJfZNlQEEjBJ-"
    "BN6JvRIhudjUG6ww1Rup047Jbn39lB2ErZRoJ4olTseVleBOaeLfZdwHzjGvpY-_u-Vu5Ag",
    /* an unknown key */
    "v2.k2.eyJucyI6ImRlZmF1bHQiLCJuYW1lIjoiYm94LWFhYWFhIiwidWlkIjoidTEiLCJleHAiOjIwMDAwMDAwMDB9."
    "gRGaJDm6SnYNMol6NMfpkSk-5ttH1P5Q4M_bbfgT3vI76o3-aW5220oSArrH17wxCkbtDJb0EeBvz_TH_02kBA",
};

static char *file_of(const char *text) {
  static char paths[4][64];
  static size_t n;
  char *path = paths[n++ % ARRAY_LEN(paths)];
  snprintf(path, sizeof paths[0], "/tmp/scoped.XXXXXX");
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, strlen(text)), strlen(text));
  close(fd);
  return path;
}

#define KEYS "{\"keys\":[{\"kid\":\"k0\",\"publicKey\":\"" OTHER "\"},{\"kid\":\"k1\",\"publicKey\":\"" PUBLIC "\"}]}"
/* of RFC 8032, test 1 */
#define OTHER "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"

static ScopedKeys *keys_of(const char *text) {
  Error err = {0};
  char *path = file_of(text);
  ScopedKeys *keys = scoped_keys_read("--keys", path, &err);
  unlink(path);
  if (!keys)
    fail_msg("%s", err.message);
  return keys;
}

static void test_good(void **state) {
  ScopedKeys *keys = keys_of(KEYS);
  ScopedTokenV2 t;
  assert_true(scoped_token_v2_verify(keys, OF_REQUEST, EXP - 1, &t));
  assert_string_equal(t.of.ns, "default");
  assert_string_equal(t.of.name, "box-aaaaa");
  assert_string_equal(t.uid, "u1");
  assert_int_equal(t.port, 3000);
  assert_string_equal(t.method, "GET");
  assert_string_equal(t.path, "/a/b");
  assert_true(scoped_token_v2_verify(keys, OF_SANDBOX, EXP - 1, &t));
  assert_string_equal(t.uid, "u1");
  assert_int_equal(t.port, 0);
  assert_false(scoped_token_v2_verify(keys, OF_REQUEST, EXP, &t));
  assert_false(scoped_token_v2_verify(keys, OF_SANDBOX, EXP, &t));
  scoped_keys_free(keys);
  /* the same kid with another key */
  keys = keys_of("{\"keys\":[{\"kid\":\"k1\",\"publicKey\":\"" OTHER "\"}]}");
  assert_false(scoped_token_v2_verify(keys, OF_REQUEST, 1, &t));
  scoped_keys_free(keys);
}

static void test_bad(void **state) {
  ScopedKeys *keys = keys_of(KEYS);
  ScopedTokenV2 t;
  for (size_t i = 0; i < ARRAY_LEN(SIGNED_BUT_WRONG); i++)
    if (scoped_token_v2_verify(keys, SIGNED_BUT_WRONG[i], 1, &t))
      fail_msg("taken: %s", SIGNED_BUT_WRONG[i]);
  /* another byte anywhere; the last character of each part has bits that say nothing, which are refused as well */
  char changed[] = OF_SANDBOX;
  for (size_t i = 0; i < sizeof changed - 1; i++) {
    char was = changed[i];
    changed[i] = was == 'A' ? 'B' : 'A';
    if (scoped_token_v2_verify(keys, changed, 1, &t))
      fail_msg("taken: %s", changed);
    changed[i] = was;
    char cut[sizeof changed];
    memcpy(cut, changed, sizeof cut);
    cut[i] = 0;
    assert_false(scoped_token_v2_verify(keys, cut, 1, &t));
  }
  static const char *const NONE[] = {"", "v2", "v2.", "v2..", "v2...", "v2.k1..", OF_SANDBOX ".", OF_SANDBOX "=", V1};
  for (size_t i = 0; i < ARRAY_LEN(NONE); i++)
    assert_false(scoped_token_v2_verify(keys, NONE[i], 1, &t));
  static char longest[8192];
  memset(longest, 'a', sizeof longest - 1);
  longest[0] = 'v';
  longest[1] = '2';
  longest[2] = '.';
  assert_false(scoped_token_v2_verify(keys, longest, 1, &t));
  scoped_keys_free(keys);
}

static void test_key_files(void **state) {
  static const char *const BAD[] = {
      "",
      "{}",
      "[]",
      "{\"keys\":[]}",
      "{\"keys\":{}}",
      KEYS "x",
      KEYS KEYS,
      "{\"keys\":[],\"more\":1}",
      "{\"keys\":[{\"kid\":\"k1\"}]}",
      "{\"keys\":[{\"kid\":\"k1\",\"publicKey\":\"" PUBLIC "\",\"alg\":\"x\"}]}",
      "{\"keys\":[{\"kid\":\"\",\"publicKey\":\"" PUBLIC "\"}]}",
      "{\"keys\":[{\"kid\":\"k.1\",\"publicKey\":\"" PUBLIC "\"}]}",
      "{\"keys\":[{\"kid\":\"k1\",\"publicKey\":\"" PUBLIC "=\"}]}",
      "{\"keys\":[{\"kid\":\"k1\",\"publicKey\":\"AAAA\"}]}",
      "{\"keys\":[{\"kid\":\"k1\",\"publicKey\":\"" PUBLIC "\"},{\"kid\":\"k1\",\"publicKey\":\"" OTHER "\"}]}",
  };
  for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
    Error err = {0};
    char *path = file_of(BAD[i]);
    if (scoped_keys_read("--keys", path, &err))
      fail_msg("taken: %s", BAD[i]);
    assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
    assert_contains(err.message, "--keys: /tmp/");
    unlink(path);
  }
  Error err = {0};
  char *path = file_of(KEYS);
  assert_int_equal(chmod(path, 0666), 0);
  assert_null(scoped_keys_read("--keys", path, &err));
  assert_contains(err.message, "others may write it");
  unlink(path);
}

static void ask(const Access *a, const char *credential, HttpHead head, Target target, int64_t now_s, int status) {
  assert_int_equal(access_judge(a, credential, &head, now_s, &target).status, status);
  assert_string_equal(target.pass.uid, status == 0 && str_starts_with(credential, "v2.") ? "u1" : "");
}

/* What a token is for is compared with what is asked. */
static void test_access(void **state) {
  Error err = {0};
  char *keys = file_of(KEYS);
  AccessSettings settings = {.mode = "scoped-token", .verification_keys_file = keys, .grpc_open = true};
  Access *a = access_new(&settings, &err);
  assert_non_null(a);
  const Target box = {.ns = "default", .id = "box-aaaaa", .port = 3000};
  Target other = box;
  const HttpHead get = {.method = "GET", .target = "/a/b?x=1"};
  HttpHead head = get;
  ask(a, OF_REQUEST, get, box, 1, 0);
  ask(a, OF_SANDBOX, get, box, 1, 0);
  ask(a, OF_REQUEST, get, box, EXP, 401);
  ask(a, V1, get, (Target){.ns = "default", .id = "my-sandbox"}, 1, 401);
  head.method = "POST";
  ask(a, OF_REQUEST, head, box, 1, 403);
  ask(a, OF_SANDBOX, head, box, 1, 0);
  static const char *const PATHS[] = {"/a", "/a/b/", "/a/bc", "/", "/a%2Fb", "*"};
  for (size_t i = 0; i < ARRAY_LEN(PATHS); i++) {
    head = (HttpHead){.method = "GET", .target = PATHS[i]};
    ask(a, OF_REQUEST, head, box, 1, 403);
    ask(a, OF_SANDBOX, head, box, 1, 0);
  }
  other.port = 3001;
  ask(a, OF_REQUEST, get, other, 1, 403);
  ask(a, OF_SANDBOX, get, other, 1, 0);
  other = box;
  other.ns[0] = 'D';
  ask(a, OF_SANDBOX, get, other, 1, 403);
  other = box;
  other.names_address = true;
  ask(a, OF_SANDBOX, get, other, 1, 403);
  access_free(a);
  /* both kinds: v1 for a while */
  char *secret = file_of(SECRET);
  settings.secret_file = secret;
  assert_null(access_new(&settings, &err));
  assert_contains(err.message, "--authz-scoped-token-v1-accept-until");
  settings.v1_accept_until = "soon";
  assert_null(access_new(&settings, &err));
  assert_contains(err.message, "soon");
  settings.v1_accept_until = "1970-01-01T00:16:40Z";
  a = access_new(&settings, &err);
  assert_non_null(a);
  ask(a, V1, get, (Target){.ns = "default", .id = "my-sandbox"}, 999, 0);
  ask(a, V1, get, (Target){.ns = "default", .id = "my-sandbox"}, 1000, 401);
  ask(a, OF_REQUEST, get, box, 1000, 0);
  access_free(a);
  unlink(keys);
  unlink(secret);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_bad),
                                     cmocka_unit_test(test_key_files), cmocka_unit_test(test_access)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
