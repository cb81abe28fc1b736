/* The images of this machine, unpacked once each and shared read-only by all sandboxes. Other users of the machine
 * cannot enter their folder: what archives let everybody write, they could write as well.
 *
 *   FOLDER/sha256-HEX/rootfs, image.json    one image
 *   FOLDER/references.json                  {"reference": "sha256:HEX"}
 *   FOLDER/.import-XXXXX                    one on its way in; removed at start
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_LOCAL_IMAGE_STORE_H_
#define SANDPLANE_SERVICES_RECONCILER_LOCAL_IMAGE_STORE_H_

#include <jansson.h>
#include <sys/types.h>

#include "lib/base/error.h"
#include "lib/loop/loop.h"
#include "services/reconciler/local/cgroup.h"

typedef struct ImageStore ImageStore;

typedef struct ImageInfo {
  const char *reference;
  const char *digest;
  int64_t size_bytes, import_ms;
} ImageInfo;

typedef struct ImageStoreSpec {
  Loop *loop;
  const char *folder;
  const char *unpack;  /* path of sandplane-unpack */
  CgroupTree *cgroups; /* where it runs, with a limit of memory; NULL: in ours */
  gid_t group;         /* that may look into the folder, beside root */
  uid_t unpack_id;     /* the first of the users and groups that it runs as */
  /* Of all images together, with what is on its way in; 0: half of the file system. */
  int64_t max_bytes;
  /* That an import leaves free on the file system, which others write to as well. */
  int64_t min_free_bytes;
} ImageStoreSpec;

/* spec's strings are copied. NULL and err when the folder cannot be used. */
ImageStore *image_store_new(const ImageStoreSpec *spec, Error *err);
void image_store_free(ImageStore *s);

/* What a sandbox is made of; strings live until the loop's next turn. 0; 1 (IMAGE_MISSING): no such reference. */
enum { IMAGE_MISSING = 1 };
typedef struct ImageConfig {
  char rootfs[512];
  const char *digest;
  const char *working_dir, *user;
  const json_t *env; /* list of "NAME=value" */
} ImageConfig;
int image_store_find(ImageStore *s, const char *reference, ImageConfig *ret_config);

/* One import: bytes are written to a file, then unpacked by a program of its own, one archive at a time.
 * RESOURCE_EXHAUSTED when there is no room for it. */
typedef struct ImageImport ImageImport;
ImageImport *image_import_new(ImageStore *s, Error *err);
int image_import_write(ImageImport *i, const void *data, size_t len, Error *err);
/* references: names it gets; none: those in the archive. fn runs once, unless image_import_free comes first. */
void image_import_finish(ImageImport *i, const char *const *references, size_t n,
                         void (*fn)(void *arg, const ImageInfo *infos, size_t n_infos, const Error *err), void *arg);
void image_import_free(ImageImport *i); /* NULL-safe; drops what is not finished */

/* fn tells whether a sandbox is made of the image, which is kept then. Without an fn nothing is removed. */
void image_store_set_in_use(ImageStore *s, bool (*fn)(void *arg, const char *digest), void *arg);
/* Removes the images that no reference names and no sandbox uses; an import does so by itself. */
void image_store_collect(ImageStore *s);

void image_store_each(ImageStore *s, void (*fn)(void *arg, const ImageInfo *info), void *arg);

#endif
