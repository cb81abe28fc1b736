/* What doctor found, as lines for people or as JSON. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/doctor/doctor.h"
#include "cli/text/table.h"

static const char *const WORDS[] = {
    [DOCTOR_OK] = "ok", [DOCTOR_SKIPPED] = "skipped", [DOCTOR_WARNING] = "warning", [DOCTOR_PROBLEM] = "problem"};

static void print_json(Doctor *d, DoctorResult result, const char *found, const char *next) {
  json_t *line = json_pack("{s:s,s:s,s:s}", "result", WORDS[result], "check", d->check->name, "found", found);
  if (next)
    json_object_set_new(line, "next", json_string(next));
  json_array_append_new(d->findings, line);
}

void doctor_report(Doctor *d, DoctorResult result, const char *next, const char *fmt, ...) {
  va_list ap;
  CLEANUP(buf_deinit) Buf text = BUF_INIT(1 << 20);
  va_start(ap, fmt);
  if (buf_vprintf(&text, fmt, ap) != 0)
    abort();
  va_end(ap);
  char *found = arena_strdup(d->cli->arena, buf_str(&text));
  char *shown_next = next ? arena_strdup(d->cli->arena, next) : NULL;
  table_printable(found);
  if (shown_next)
    table_printable(shown_next);
  d->reported = true;
  if (result > d->worst)
    d->worst = result;
  if (result == DOCTOR_PROBLEM)
    d->failed = true;
  if (d->cli->format == FORMAT_JSON) {
    print_json(d, result, found, shown_next);
    return;
  }
  printf("%-8s %-15s %s%s%s\n", WORDS[result], d->check->name, found, shown_next ? "; next: " : "",
         shown_next ? shown_next : "");
  fflush(stdout);
}

void doctor_failed(Doctor *d, const char *what, const Error *err) {
  switch (err->kind) {
  case ERROR_PERMISSION_DENIED:
    doctor_report(d, DOCTOR_PROBLEM, "run it with credentials that may, or grant the right that is named",
                  "%s: not looked at, a right is missing: %s", what, err->message);
    return;
  case ERROR_UNAUTHENTICATED:
    doctor_report(d, DOCTOR_PROBLEM, "renew the token or the client certificate in the kubeconfig",
                  "%s: the credentials are refused: %s", what, err->message);
    return;
  case ERROR_DEADLINE_EXCEEDED:
    doctor_report(d, DOCTOR_PROBLEM, "run it again with a longer --timeout", "%s: %s", what, err->message);
    return;
  default:
    doctor_report(d, DOCTOR_PROBLEM, "run it again; if it stays, the server's log says more", "%s: %s (%s)", what,
                  err->message, error_kind_name(err->kind));
  }
}

void doctor_report_end(Doctor *d) {
  if (d->cli->format != FORMAT_JSON)
    return;
  size_t i;
  json_t *line;
  printf("[");
  json_array_foreach(d->findings, i, line) {
    char *text = json_dumps(line, JSON_COMPACT);
    printf("%s%s", i ? ",\n " : "", text ? text : "{}");
    free(text);
  }
  printf("]\n");
}
