/* See pool_print.h. */
#include "cli/pool/pool_print.h"

#include <stdio.h>

#include "cli/text/json_pb.h"
#include "lib/base/clock.h"

static void since(const Google__Protobuf__Timestamp *t, char out[16]) {
  table_age(t ? clock_wall_ms() - t->seconds * 1000 : -1, out);
}

Table *pool_table(void) {
  static const char *const HEADS[] = {"NAME",    "TEMPLATE", "READY",  "STARTING", "CLAIMED",
                                      "WAITING", "AGE",      "REASON", NULL};
  return table_new(HEADS);
}

void pool_row(Table *table, const Sandplane__V1__Pool *p) {
  char ready[32], creating[16], claimed[16], waiting[16], age[16];
  snprintf(ready, sizeof ready, "%d/%d", p->ready_count, p->replicas);
  snprintf(creating, sizeof creating, "%d", p->creating_count);
  snprintf(claimed, sizeof claimed, "%d", p->claimed_count);
  snprintf(waiting, sizeof waiting, "%d", p->waiting_count);
  since(p->create_time, age);
  table_row(table, (const char *const[]){cli_short(p->name), cli_short(p->template_), ready, creating, claimed, waiting,
                                         age, p->reason});
}

void pool_print(const Cli *cli, const Sandplane__V1__Pool *p) {
  if (cli->format == FORMAT_JSON) {
    json_pb_print(p);
  } else if (cli->format == FORMAT_NAME) {
    printf("%s\n", p->name);
  } else {
    Table *table = pool_table();
    pool_row(table, p);
    table_print(table);
    if (p->message[0])
      printf("%s: %s\n", p->reason, p->message);
  }
}

Table *template_table(void) {
  static const char *const HEADS[] = {"NAME", "ISOLATION", "IMAGE", "HASH", "AGE", NULL};
  return table_new(HEADS);
}

void template_row(Table *table, const Sandplane__V1__Template *t) {
  char age[16];
  since(t->create_time, age);
  table_row(table, (const char *const[]){cli_short(t->name), t->runtime_class, t->image, t->hash, age});
}

void template_print(const Cli *cli, const Sandplane__V1__Template *t) {
  if (cli->format == FORMAT_JSON) {
    json_pb_print(t);
  } else if (cli->format == FORMAT_NAME) {
    printf("%s\n", t->name);
  } else {
    Table *table = template_table();
    template_row(table, t);
    table_print(table);
    printf("%s\n", t->manifest);
  }
}
