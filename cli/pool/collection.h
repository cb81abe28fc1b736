/* What is the same for everything that is listed and deleted by name: sandboxes, templates, pools, quotas. */
#ifndef SANDPLANE_CLI_POOL_COLLECTION_H_
#define SANDPLANE_CLI_POOL_COLLECTION_H_

#include <protobuf-c/protobuf-c.h>

#include "cli/cli.h"
#include "cli/text/table.h"

/* Prints all pages of a list (call_pages) in the format asked for: table makes the empty table, show adds an item to
 * it or, where there is none (NULL), prints the item. A table is printed only when it is complete. Returns the exit
 * code. */
int collection_list(Cli *cli, const char *path, ProtobufCMessage *request, const ProtobufCMessageDescriptor *answer,
                    Table *(*table)(void), void (*show)(const Cli *cli, Table *table, const void *item));
/* Deletes what args names, in that order, up to the first that fails; prints what is gone. name: the field of request
 * that says which. Returns the exit code. */
int collection_delete(Cli *cli, const Args *args, const char *collection, const char *path,
                      const ProtobufCMessage *request, char **name);

#endif
