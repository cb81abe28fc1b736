/* Damaged reviews: whatever comes in, there is an answer and no crash (run it with --config=asan as well).
 *
 * Half of the damage is to bytes, half to the JSON's structure, which gets past the parser.
 */
#include "services/reconciler/kubernetes/conversion/conversion.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/kube/kube_object.h"
#include "services/reconciler/kubernetes/conversion/conversion_fixture.h"

/* OUT_MAX: small enough that some answers do not fit. DEPTH_MAX: beyond the parser's own 2048. */
enum { ROUNDS = 100000, DEPTH_MAX = 5000, OUT_MAX = 64 << 10 };

typedef struct Counts {
  int converted, refused, unanswerable;
} Counts;

static json_t *random_review(Random *r) {
  json_t *review = json_object(), *objects = json_array();
  RandomKind kind = (RandomKind)random_below(r, RANDOM_KINDS);
  bool hub = random_once_in(r, 2);
  kube_set(review, "apiVersion", json_string("apiextensions.k8s.io/v1"));
  kube_set(review, "kind", json_string("ConversionReview"));
  kube_set(review, "request.uid", json_string("0b5c2f1e-uid"));
  kube_set(review, "request.desiredAPIVersion", json_string(random_api_version(kind, hub)));
  kube_set(review, "request.objects", objects);
  for (uint64_t n = 1 + random_below(r, 2); n; n--) {
    json_t *object = random_object(r, kind, !hub);
    if (!hub && random_once_in(r, 2))
      kube_set_annotation(object, random_state_key(kind), "{\"spec\":{\"replicas\":0},\"status\":{\"replicas\":1}}");
    json_array_append_new(objects, object);
  }
  return review;
}

/* ---- structure ---- */

static json_t *child_at(json_t *v, uint64_t n) {
  if (json_is_array(v))
    return json_array_get(v, n);
  void *it = json_object_iter(v);
  while (n--)
    it = json_object_iter_next(v, it);
  return json_object_iter_value(it);
}

static void replace_at(json_t *v, uint64_t n, json_t *with) {
  if (json_is_array(v)) {
    json_array_set_new(v, n, with);
    return;
  }
  void *it = json_object_iter(v);
  while (n--)
    it = json_object_iter_next(v, it);
  json_object_iter_set_new(v, it, with);
}

static size_t size_of(const json_t *v) {
  return json_is_array(v) ? json_array_size(v) : json_object_size(v);
}

/* Replaces a value on a random way down by something else, or by null. */
static void damage_structure(Random *r, json_t *v) {
  for (;;) {
    size_t size = size_of(v);
    if (size == 0)
      return;
    uint64_t n = random_below(r, size);
    json_t *child = child_at(v, n);
    if (size_of(child) == 0 || random_once_in(r, 6)) {
      replace_at(v, n, random_once_in(r, 5) ? json_null() : random_value(r, 2));
      return;
    }
    v = child;
  }
}

/* ---- bytes ---- */

/* Takes drop bytes away at a random place, and puts the others there. */
static void splice(Random *r, Buf *b, size_t drop, const char *put, size_t n) {
  size_t at = random_below(r, b->len + 1);
  if (drop > b->len - at)
    drop = b->len - at;
  Buf next = BUF_INIT(0);
  if (buf_append(&next, b->data, at) || buf_append(&next, put, n) ||
      buf_append(&next, b->data + at + drop, b->len - at - drop))
    abort();
  buf_deinit(b);
  *b = next;
}

static void nest(Random *r, Buf *b) {
  static const char *const OPEN[] = {"[", "{\"a\":", "{\"metadata\":", "[[\"x\"],"};
  const char *open = OPEN[random_below(r, ARRAY_LEN(OPEN))];
  Buf deep = BUF_INIT(0);
  for (uint64_t n = random_below(r, DEPTH_MAX); n; n--)
    if (buf_append_str(&deep, open))
      abort();
  splice(r, b, 0, buf_str(&deep), deep.len);
  buf_deinit(&deep);
}

static void damage_bytes(Random *r, Buf *b) {
  static const char *const TOKENS[] = {"1e999",
                                       "-1e-999",
                                       "99999999999999999999999999",
                                       "-9223372036854775809",
                                       "0.1e+17",
                                       "-",
                                       "00",
                                       "\\u0000",
                                       "\\ud800",
                                       "\xff\xfe",
                                       "\"",
                                       "{}",
                                       "[]",
                                       "null",
                                       ",",
                                       ":",
                                       "\"uid\":\"\",",
                                       "\"kind\":\"SandboxClaim\",",
                                       "\\",
                                       "\xef\xbb\xbf"};
  switch (random_below(r, 6)) {
  case 0:
    for (uint64_t n = 1 + random_below(r, 8); n && b->len; n--)
      b->data[random_below(r, b->len)] ^= (uint8_t)(1u << random_below(r, 8));
    break;
  case 1:
    b->len = random_below(r, b->len + 1);
    break;
  case 2:
    splice(r, b, random_below(r, 40), "", 0);
    break;
  case 3: {
    size_t from = random_below(r, b->len + 1), n = random_below(r, b->len - from + 1);
    CLEANUP(str_freep) char *part = str_ndup((const char *)b->data + from, n);
    splice(r, b, 0, part, strlen(part));
    break;
  }
  case 4:
    if (random_once_in(r, 20)) {
      nest(r, b);
      break;
    }
    /* fall through */
  default: {
    const char *token = TOKENS[random_below(r, ARRAY_LEN(TOKENS))];
    splice(r, b, random_below(r, 4), token, strlen(token));
  }
  }
}

/* ---- the check ---- */

static void check(const Buf *body, Counts *counts, int round) {
  Buf out = BUF_INIT(OUT_MAX);
  Error err = {0};
  /* of its exact size, so that a read behind it is seen */
  char *exact = malloc(body->len ? body->len : 1);
  assert_non_null(exact);
  memcpy(exact, body->len ? (char *)body->data : "", body->len);
  int result = conversion_review(exact, body->len, &out, &err);
  KUBE_OWNED json_t *asked = json_loadb(exact, body->len, JSON_ALLOW_NUL, NULL);
  free(exact);
  const json_t *uid = kube_get(asked, "request.uid");
  if (json_string_length(uid) == 0) {
    assert_int_equal(result, -1);
    assert_true(err.message[0] && out.len == 0);
    counts->unanswerable++;
  } else {
    if (result)
      fail_msg("round %d: %s", round, err.message);
    KUBE_OWNED json_t *answer = json_loadb(buf_str(&out), out.len, JSON_ALLOW_NUL, NULL);
    assert_true(json_equal(kube_get(answer, "response.uid"), uid));
    const json_t *objects = kube_get(answer, "response.convertedObjects");
    if (str_equal(kube_text(answer, "response.result.status"), "Success")) {
      assert_int_equal(json_array_size(objects), json_array_size(kube_get(asked, "request.objects")));
      counts->converted++;
    } else {
      assert_string_equal(kube_text(answer, "response.result.status"), "Failed");
      assert_true(!objects && !str_empty(kube_text(answer, "response.result.message")));
      counts->refused++;
    }
  }
  buf_deinit(&out);
}

static void test_damaged_reviews(void **s) {
  Random r = {.state = 20260404};
  Counts counts = {0};
  for (int i = 0; i < ROUNDS; i++) {
    KUBE_OWNED json_t *review = random_review(&r);
    bool bytes = random_once_in(&r, 2);
    for (uint64_t n = bytes ? 0 : 1 + random_below(&r, 3); n; n--)
      damage_structure(&r, random_once_in(&r, 4) ? review : kube_get(review, "request.objects"));
    CLEANUP(str_freep) char *text = json_dumps(review, JSON_COMPACT);
    Buf body = BUF_INIT(0);
    assert_int_equal(buf_append_str(&body, text), 0);
    for (uint64_t n = bytes ? 1 + random_below(&r, 3) : 0; n; n--)
      damage_bytes(&r, &body);
    check(&body, &counts, i);
    buf_deinit(&body);
  }
  print_message("%d converted, %d refused, %d unanswerable\n", counts.converted, counts.refused, counts.unanswerable);
  /* the damage is worth something only when it reaches all three */
  assert_true(counts.converted > ROUNDS / 20 && counts.refused > ROUNDS / 20 && counts.unanswerable > ROUNDS / 20);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_damaged_reviews)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
