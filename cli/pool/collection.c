/* See collection.h. */
#include "cli/pool/collection.h"

#include <stdio.h>

#include "cli/call.h"
#include "google/protobuf/empty.pb-c.h"

typedef struct List {
  const Cli *cli;
  Table *table;
  void (*show)(const Cli *cli, Table *table, const void *item);
} List;

static void on_item(void *arg, const void *item) {
  List *list = arg;
  list->show(list->cli, list->table, item);
}

int collection_list(Cli *cli, const char *path, ProtobufCMessage *request, const ProtobufCMessageDescriptor *answer,
                    Table *(*table)(void), void (*show)(const Cli *cli, Table *table, const void *item)) {
  List list = {cli, cli->format == FORMAT_TABLE ? table() : NULL, show};
  Error err = {0};
  if (call_pages(cli, path, request, answer, on_item, &list, &err) < 0) {
    table_free(list.table);
    return cli_fail(cli, &err);
  }
  if (list.table)
    table_print(list.table);
  return 0;
}

int collection_delete(Cli *cli, const Args *args, const char *collection, const char *path,
                      const ProtobufCMessage *request, char **name) {
  for (size_t i = 0; i < args->n_names; i++) {
    *name = cli_name(cli, collection, args->names[i]);
    Error err = {0};
    if (!call_unary(cli, path, request, &google__protobuf__empty__descriptor, &err))
      return cli_fail(cli, &err);
    printf("%s\n", cli->format == FORMAT_TABLE ? cli_short(*name) : *name);
  }
  return 0;
}
