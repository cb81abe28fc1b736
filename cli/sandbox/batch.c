/* See batch.h. */
#include "cli/sandbox/batch.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/call.h"
#include "cli/sandbox/sandbox_print.h"
#include "lib/base/clock.h"
#include "lib/rpc/rpc_pb.h"

/* 1 or more; 0: it is not a number. What is too many the server says. */
static int number(const Args *args, const char *option) {
  char *end;
  const char *text = args_value(args, option);
  long n = strtol(text, &end, 10);
  return *end || end == text || n < 1 || n > INT32_MAX ? 0 : (int)n;
}

/* The fields that both requests have bear the same numbers. */
static Sandplane__V1__BatchCreateSandboxesRequest *batch_of(Cli *cli, const Sandplane__V1__CreateSandboxRequest *each,
                                                            Error *err) {
  size_t len = protobuf_c_message_get_packed_size(&each->base);
  uint8_t *bytes = arena_alloc(cli->arena, len);
  protobuf_c_message_pack(&each->base, bytes);
  return rpc_pb_unpack(&sandplane__v1__batch_create_sandboxes_request__descriptor, cli->arena, bytes, len, err);
}

int batch_create(Cli *cli, const Args *args, const Sandplane__V1__CreateSandboxRequest *each) {
  Error err = {0};
  if (!each->pool[0])
    return cli_usage("--count needs --pool: a batch comes from one pool");
  Sandplane__V1__BatchCreateSandboxesRequest *request = batch_of(cli, each, &err);
  if (!request)
    return cli_fail(cli, &err);
  request->count = number(args, "count");
  request->min_count = args_has(args, "at-least") ? number(args, "at-least") : request->count;
  if (!request->count || !request->min_count)
    return cli_usage("--count and --at-least take a number from 1 on");
  int64_t before = clock_mono_us();
  Sandplane__V1__BatchCreateSandboxesResponse *response =
      call_unary(cli, SANDBOX_SERVICE "BatchCreateSandboxes", request,
                 &sandplane__v1__batch_create_sandboxes_response__descriptor, &err);
  if (!response)
    return cli_fail(cli, &err);
  double ms = (double)(clock_mono_us() - before) / 1000;
  for (size_t i = 0; i < response->n_sandboxes; i++)
    if (cli->format == FORMAT_TABLE)
      printf("%s\n", cli_short(response->sandboxes[i]->name));
    else
      sandbox_print(cli, response->sandboxes[i]);
  if (cli->format == FORMAT_TABLE)
    printf("%zu in %.1f ms\n", response->n_sandboxes, ms);
  return 0;
}
