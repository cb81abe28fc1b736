/* See sandbox_print.h. */
#include "cli/sandbox/sandbox_print.h"

#include <stdio.h>

#include "cli/text/json_pb.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"

static const char *const HEADS[] = {"NAME", "POOL", "STATE", "AGE", "CLAIMED", "EXPIRES", "LABELS", NULL};

/* As much of labels as fits in a line is enough. */
enum { LABELS_MAX = 120 };

static int64_t ms_of(const Google__Protobuf__Timestamp *t) {
  return t->seconds * 1000 + t->nanos / 1000000;
}

static void since(const Google__Protobuf__Timestamp *t, char out[16]) {
  table_age(t ? clock_wall_ms() - ms_of(t) : -1, out);
}

static void until(const Google__Protobuf__Timestamp *t, char out[16]) {
  int64_t left = t ? ms_of(t) - clock_wall_ms() : -1;
  table_age(t && left < 0 ? 0 : left, out);
}

const char *sandbox_state_name(const Sandplane__V1__Sandbox *box) {
  const ProtobufCEnumValue *value =
      protobuf_c_enum_descriptor_get_value(&sandplane__v1__sandbox__state__descriptor, box->state);
  return value ? value->name : "?";
}

static void labels_text(const Sandplane__V1__Sandbox *box, Buf *text) {
  for (size_t i = 0; i < box->n_labels; i++)
    if (buf_printf(text, "%s%s=%s", i ? "," : "", box->labels[i]->key, box->labels[i]->value) < 0)
      return;
}

Table *sandbox_table(void) {
  return table_new(HEADS);
}

void sandbox_row(Table *table, const Sandplane__V1__Sandbox *box) {
  char age[16], claimed[16], expires[16];
  Buf labels = BUF_INIT(LABELS_MAX);
  since(box->create_time, age);
  since(box->claim_time, claimed);
  until(box->expire_time, expires);
  labels_text(box, &labels);
  table_row(table, (const char *const[]){cli_short(box->name), cli_short(box->pool), sandbox_state_name(box), age,
                                         claimed, expires, buf_str(&labels)});
  buf_deinit(&labels);
}

void sandbox_event(const Cli *cli, const char *event, const Sandplane__V1__Sandbox *box) {
  if (cli->format == FORMAT_NAME)
    printf("%s\n", box->name);
  else if (event[0] == 'D')
    printf("%-9s %s\n", event, cli_short(box->name));
  else
    printf("%-9s %s  %s  %s\n", event, cli_short(box->name), sandbox_state_name(box), cli_short(box->pool));
  fflush(stdout);
}

void sandbox_print(const Cli *cli, const Sandplane__V1__Sandbox *box) {
  if (cli->format == FORMAT_JSON) {
    json_pb_print(box);
    return;
  }
  if (cli->format == FORMAT_NAME) {
    printf("%s\n", box->name);
    return;
  }
  char text[32];
  Buf labels = BUF_INIT((size_t)LABELS_MAX * 64);
  labels_text(box, &labels);
  printf("name:      %s\nuid:       %s\nstate:     %s\npool:      %s\ntemplate:  %s\nisolation: %s\naddress: "
         "  %s\n",
         box->name, box->uid, sandbox_state_name(box), box->pool, box->template_, box->runtime_class, box->address);
  if (box->tenant[0])
    printf("tenant:    %s\n", box->tenant);
  since(box->create_time, text);
  printf("age:       %s\n", text);
  if (box->claim_time) {
    since(box->claim_time, text);
    printf("claimed:   %s ago\n", text);
  }
  if (box->expire_time) {
    until(box->expire_time, text);
    printf("expires:   in %s\n", text);
  }
  if (box->idle_timeout) {
    table_age(box->idle_timeout->seconds * 1000, text);
    printf("idle end:  after %s\n", text);
  }
  if (labels.len)
    printf("labels:    %s\n", buf_str(&labels));
  buf_deinit(&labels);
  for (size_t i = 0; i < box->n_conditions; i++) {
    const Sandplane__V1__Condition *c = box->conditions[i];
    printf("condition: %s=%s  %s  %s\n", c->type, c->status, c->reason, c->message);
  }
}
