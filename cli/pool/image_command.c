/* image import, image list. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/sandplane/v1/image_service.pb-c.h"
#include "cli/call.h"
#include "cli/sandbox/upload.h"
#include "cli/text/json_pb.h"
#include "cli/text/table.h"

typedef Sandplane__V1__ImportImageRequest Request;

/* "sha256:" and as many digits as tell images apart for a person. */
enum { DIGEST_SHOWN = 19 };

static void print_images(Cli *cli, Sandplane__V1__Image *const *images, size_t n) {
  static const char *const HEADS[] = {"REFERENCE", "DIGEST", "SIZE", NULL};
  Table *table = cli->format == FORMAT_TABLE ? table_new(HEADS) : NULL;
  for (size_t i = 0; i < n; i++) {
    char size[16], digest[DIGEST_SHOWN + 1];
    if (cli->format == FORMAT_JSON)
      json_pb_print(images[i]);
    if (cli->format == FORMAT_NAME)
      puts(images[i]->reference);
    if (!table)
      continue;
    table_size(images[i]->size_bytes, size);
    snprintf(digest, sizeof digest, "%s", images[i]->digest);
    table_row(table, (const char *const[]){images[i]->reference, digest, size});
  }
  if (table)
    table_print(table);
}

static void send_data(RpcClientCall *call, const uint8_t *data, size_t len) {
  Request request = SANDPLANE__V1__IMPORT_IMAGE_REQUEST__INIT;
  request.request_case = SANDPLANE__V1__IMPORT_IMAGE_REQUEST__REQUEST_DATA;
  request.data = (ProtobufCBinaryData){.data = (uint8_t *)data, .len = len};
  call_write(call, &request);
}

static int import(Cli *cli, const Args *args) {
  if (args->n_names != 1)
    return cli_usage("image import needs one FILE");
  const char *file = args->names[0], *reference;
  char *references[ARGS_MAX];
  Sandplane__V1__ImportImageRequest__Start start = SANDPLANE__V1__IMPORT_IMAGE_REQUEST__START__INIT;
  Request request = SANDPLANE__V1__IMPORT_IMAGE_REQUEST__INIT;
  start.references = references;
  while ((reference = args_nth(args, "reference", start.n_references)))
    references[start.n_references++] = (char *)reference;
  request.request_case = SANDPLANE__V1__IMPORT_IMAGE_REQUEST__REQUEST_START;
  request.start = &start;
  Error err = {0};
  bool is_stdin = !strcmp(file, "-");
  int fd = is_stdin ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    error_set(&err, ERROR_UNKNOWN, "%s: %s", file, strerror(errno));
    return cli_fail(cli, &err);
  }
  const Upload upload = {.path = IMAGE_SERVICE "ImportImage",
                         .start = &request,
                         .send = send_data,
                         .answer = &sandplane__v1__import_image_response__descriptor,
                         .fd = fd,
                         .progress = file};
  Sandplane__V1__ImportImageResponse *done = upload_run(cli, &upload, &err);
  if (!is_stdin)
    close(fd);
  if (!done)
    return cli_fail(cli, &err);
  print_images(cli, done->images, done->n_images);
  return 0;
}

static int list(Cli *cli, const Args *args) {
  if (args->n_names)
    return cli_usage("image list takes no names");
  Sandplane__V1__ListImagesRequest request = SANDPLANE__V1__LIST_IMAGES_REQUEST__INIT;
  Error err = {0};
  Sandplane__V1__ListImagesResponse *all =
      call_unary(cli, IMAGE_SERVICE "ListImages", &request, &sandplane__v1__list_images_response__descriptor, &err);
  if (!all)
    return cli_fail(cli, &err);
  print_images(cli, all->images, all->n_images);
  return 0;
}

static const Option IMPORT[] = {
    {"reference", 'r', "NAME", "name for templates to use; may be repeated (the archive's own)"},
    {NULL, 0, NULL, NULL}};
static const Option NONE[] = {{NULL, 0, NULL, NULL}};

const Command IMAGE_COMMANDS[] = {
    {"image import", "FILE [--reference NAME]", "Imports an OCI image archive; - is standard input.", IMPORT, import},
    {"image list", "", "Lists images.", NONE, list},
    {NULL, NULL, NULL, NULL, NULL},
};
