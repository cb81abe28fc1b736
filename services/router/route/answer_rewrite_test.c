/* Location and Set-Cookie as the client has to see them. */
#include "services/router/route/answer_rewrite.h"

#include <string.h>

#include "lib/base/test.h"

#define FOLDER "/p/team/one/3000"
static const Routing ROUTING = {.prefix = "/p", .domain = "d.example"};

static Target target_by(RoutingWay way) {
  return (Target){.ns = "team", .id = "one", .port = 3000, .way = way, .authority = "r.example:8080"};
}

/* want NULL: the field is left out. */
static void expect(RoutingWay way, const Routing *routing, const char *name, const char *value, const char *want) {
  HttpHeader fields[] = {{"X-A", "1"}, {name, value}, {"X-B", "2"}};
  HttpHead head = {.status = 200, .content_length = 5, .headers = fields, .n_headers = 3};
  AnswerRewrite rewrite = {0};
  Target target = target_by(way);
  const HttpHead *got = answer_rewrite(routing, &target, "sb", &head, &rewrite);
  assert_int_equal(got->n_headers, want ? 3 : 2);
  assert_int_equal(got->content_length, 5);
  if (want)
    assert_string_equal(got->headers[1].value, want);
  assert_string_equal(got->headers[got->n_headers - 1].value, "2");
  answer_rewrite_deinit(&rewrite);
}

static void by_path(const char *name, const char *value, const char *want) {
  expect(ROUTING_BY_PATH, &ROUTING, name, value, want);
}

static void by_host(const char *name, const char *value, const char *want) {
  expect(ROUTING_BY_HOST, &ROUTING, name, value, want);
}

static void test_location(void **state) {
  static const struct {
    const char *value, *by_path, *by_host;
  } CASES[] = {
      {"/a?b#c", FOLDER "/a?b#c", "/a?b#c"},
      {"/", FOLDER "/", "/"},
      {FOLDER, FOLDER, FOLDER},
      {FOLDER "/a", FOLDER "/a", FOLDER "/a"},
      {FOLDER "0/a", FOLDER FOLDER "0/a", FOLDER "0/a"},
      {"http://R.example:8080/a", FOLDER "/a", "/a"},
      {"https://r.example:8080", FOLDER "/", "/"},
      {"http://r.example:8080?q", FOLDER "/?q", "/?q"},
      {"//r.example:8080/a", FOLDER "/a", "/a"},
      {"http://127.0.0.1:3000/a", FOLDER "/a", "/a"},
      {"http://localhost:3000//evil.example", FOLDER "//evil.example", "/.//evil.example"},
      {"http://r.example:8080" FOLDER "/a", FOLDER "/a", FOLDER "/a"},
      /* others' are theirs, and what is relative fits as it is */
      {"http://127.0.0.1:3001/a", "http://127.0.0.1:3001/a", "http://127.0.0.1:3001/a"},
      {"http://r.example/a", "http://r.example/a", "http://r.example/a"},
      {"http://r.example:8080@evil.example/", "http://r.example:8080@evil.example/",
       "http://r.example:8080@evil.example/"},
      {"//other.example/a", "//other.example/a", "//other.example/a"},
      {"/\\other.example", "/\\other.example", "/\\other.example"},
      {"ftp://r.example:8080/a", "ftp://r.example:8080/a", "ftp://r.example:8080/a"},
      {"a/b", "a/b", "a/b"},
      {"?q", "?q", "?q"},
      {"", "", ""},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    by_path("location", CASES[i].value, CASES[i].by_path);
    by_host("Location", CASES[i].value, CASES[i].by_host);
  }
}

static void test_cookies(void **state) {
  static const struct {
    const char *value, *by_path, *by_host;
  } CASES[] = {
      {"a=1", "a=1", "a=1"},
      {"a=1; Path=/", "a=1; Path=" FOLDER "/", "a=1; Path=/"},
      {"a=1;path = /x ; HttpOnly", "a=1; Path=" FOLDER "/x ; HttpOnly", "a=1; path = /x ; HttpOnly"},
      {"a=1; Path=" FOLDER "/x", "a=1; Path=" FOLDER "/x", "a=1; Path=" FOLDER "/x"},
      {"a=1; Path=/x; Path=/y", "a=1; Path=" FOLDER "/x; Path=" FOLDER "/y", "a=1; Path=/x; Path=/y"},
      {"a=1; Path=x; Path=; Path", "a=1; Path=x; Path=; Path", "a=1; Path=x; Path=; Path"},
      {"a=1; Domain=d.example; Secure", "a=1; Secure", "a=1; Secure"},
      {"a=1;domain =.d.example;DOMAIN", "a=1", "a=1"},
      {"a=1; Domains=x;;; SameSite=Lax;", "a=1; Domains=x; SameSite=Lax", "a=1; Domains=x; SameSite=Lax"},
      {"a=\"Domain=x\"; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "a=\"Domain=x\"; Expires=Wed, 21 Oct 2026 07:28:00 GMT",
       "a=\"Domain=x\"; Expires=Wed, 21 Oct 2026 07:28:00 GMT"},
      {"", "", ""},
      {"sb=stolen; Path=/", NULL, NULL},
      {" sb = x", NULL, NULL},
      {"sbx=1", "sbx=1", "sbx=1"},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    by_path("set-cookie", CASES[i].value, CASES[i].by_path);
    by_host("Set-Cookie", CASES[i].value, CASES[i].by_host);
  }
}

/* What a program says of the origin it shares with others. */
static void test_fields_of_the_origin(void **state) {
  static const char *const FIELDS[] = {"Alt-Svc",   "clear-site-data",        "NEL",
                                       "Report-To", "Service-Worker-Allowed", "Strict-Transport-Security"};
  for (size_t i = 0; i < ARRAY_LEN(FIELDS); i++) {
    by_path(FIELDS[i], "x", NULL);
    by_host(FIELDS[i], "x", "x");
  }
  by_path("Link", "</a>; rel=preload", "</a>; rel=preload");
}

static void test_answers_that_stay(void **state) {
  Routing keeps = ROUTING;
  keeps.keeps_answers = true;
  expect(ROUTING_BY_PATH, &keeps, "Location", "/a", "/a");
  expect(ROUTING_BY_PATH, &keeps, "Set-Cookie", "a=1; Path=/; Domain=d.example", "a=1; Path=/; Domain=d.example");
  expect(ROUTING_BY_PATH, &keeps, "Set-Cookie", "sb=1", NULL);
  expect(ROUTING_BY_PATH, &keeps, "Clear-Site-Data", "*", NULL);
  expect(ROUTING_BY_HOST, &keeps, "Set-Cookie", "a=1; Domain=d.example", "a=1");
  HttpHead head = {.status = 200};
  Target target = target_by(ROUTING_BY_HEADERS);
  AnswerRewrite rewrite = {0};
  assert_ptr_equal(answer_rewrite(&ROUTING, &target, "sb", &head, &rewrite), &head);
}

static void test_many_fields(void **state) {
  HttpHeader fields[HTTP_MAX_HEADERS];
  for (size_t i = 0; i < HTTP_MAX_HEADERS; i++)
    fields[i] = (HttpHeader){"Set-Cookie", i % 2 ? "a=1; Path=/" : "b=2"};
  HttpHead head = {.status = 200, .headers = fields, .n_headers = HTTP_MAX_HEADERS};
  AnswerRewrite rewrite = {0};
  Target target = target_by(ROUTING_BY_PATH);
  const HttpHead *got = answer_rewrite(&ROUTING, &target, NULL, &head, &rewrite);
  assert_int_equal(got->n_headers, HTTP_MAX_HEADERS);
  for (size_t i = 0; i < HTTP_MAX_HEADERS; i++)
    assert_string_equal(got->headers[i].value, i % 2 ? "a=1; Path=" FOLDER "/" : "b=2");
  answer_rewrite_deinit(&rewrite);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_location),
      cmocka_unit_test(test_cookies),
      cmocka_unit_test(test_fields_of_the_origin),
      cmocka_unit_test(test_answers_that_stay),
      cmocka_unit_test(test_many_fields),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
