/* A call whose requests are a start message and then the bytes of a file, and which answers once. */
#ifndef SANDPLANE_CLI_SANDBOX_UPLOAD_H_
#define SANDPLANE_CLI_SANDBOX_UPLOAD_H_

#include <protobuf-c/protobuf-c.h>

#include "cli/cli.h"

typedef struct Upload {
  const char *path; /* of the method */
  const void *start;
  void (*send)(RpcClientCall *call, const uint8_t *data, size_t len);
  const ProtobufCMessageDescriptor *answer;
  int fd;
  const char *progress; /* what is sent */
} Upload;

/* The answer, in cli->arena; NULL and err. Progress is shown when standard error is a terminal. */
void *upload_run(Cli *cli, const Upload *upload, Error *err);

#endif
