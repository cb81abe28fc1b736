/* Calls of the public API that are waited for: the loop runs until the answer is there. */
#ifndef SANDPLANE_CLI_CALL_H_
#define SANDPLANE_CLI_CALL_H_

#include <protobuf-c/protobuf-c.h>

#include "cli/cli.h"

#define SANDBOX_SERVICE "/sandplane.v1.SandboxService/"
#define TEMPLATE_SERVICE "/sandplane.v1.TemplateService/"
#define POOL_SERVICE "/sandplane.v1.PoolService/"
#define QUOTA_SERVICE "/sandplane.v1.QuotaService/"
#define IMAGE_SERVICE "/sandplane.v1.ImageService/"

/* One request, one answer, which lives in cli->arena. NULL and err. */
void *call_unary(Cli *cli, const char *path, const void *request, const ProtobufCMessageDescriptor *answer, Error *err);
/* One list, page by page: fn for each item of every page; items live in cli->arena. request has a page_token, answer a
 * next_page_token and one repeated field of messages. 0, or -1 and err, perhaps after some items. */
int call_pages(Cli *cli, const char *path, ProtobufCMessage *request, const ProtobufCMessageDescriptor *answer,
               void (*fn)(void *arg, const void *item), void *arg, Error *err);
/* One request, many answers: fn for each (the message lives until it returns) until it returns non-zero,
 * which is handed on; 0 at the end of the stream, -1 and err. */
int call_stream(Cli *cli, const char *path, const void *request, const ProtobufCMessageDescriptor *answer,
                int (*fn)(void *arg, const void *message), void *arg, Error *err);
/* Sends a message on a call. */
void call_write(RpcClientCall *call, const void *message);

#endif
