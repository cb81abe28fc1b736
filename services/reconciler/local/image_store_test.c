/* The images of a machine: what an import leaves behind when it works, and when it does not. A script stands in for
 * sandplane-unpack; an archive is the hexadecimal digest of the image that is "in" it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "lib/base/test.h"
#include "services/reconciler/local/cgroup_fixture.h"
#include "services/reconciler/local/image_store.h"
#include "services/reconciler/local/remove_tree.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static char box[64], folder[80], unpack[80];
static int64_t quota, min_free;
static Loop *loop;
static ImageStore *store;

static void open_store(void) {
  Error err;
  image_store_free(store);
  store = image_store_new(&(ImageStoreSpec){.loop = loop,
                                            .folder = folder,
                                            .unpack = unpack,
                                            .group = getegid(),
                                            .unpack_id = 1,
                                            .max_bytes = quota,
                                            .min_free_bytes = min_free},
                          &err);
  assert_non_null(store);
}

static int setup(void **state) {
  test_folder(box);
  snprintf(folder, sizeof folder, "%s/images", box);
  snprintf(unpack, sizeof unpack, "%s/unpack", box);
  test_write_file(box, "unpack",
                  "#!/bin/sh\n"
                  "digest=$(cat $1)\n"
                  "mkdir $(dirname $0)/busy || echo $digest >$(dirname $0)/overlap\n"
                  "i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); done\n"
                  "rmdir $(dirname $0)/busy\n"
                  "echo \"$*\" >$(dirname $0)/arguments\n"
                  "[ $digest != full ] || { echo 'no room'; exit 4; }\n"
                  "[ $digest != bad ] || { echo 'a layer is damaged'; exit 3; }\n"
                  "mkdir $2/rootfs\n"
                  "echo \"{\\\"digest\\\":\\\"sha256:$digest\\\",\\\"references\\\":[\\\"own:1\\\"],\\\"size\\\":5,"
                  "\\\"env\\\":[],\\\"working_dir\\\":\\\"/workspace\\\",\\\"user\\\":\\\"\\\"}\" >$2/image.json\n");
  loop = loop_new();
  store = NULL;
  quota = 1000000;
  min_free = 0;
  if (chmod(unpack, 0755))
    return -1;
  open_store();
  return 0;
}

static int teardown(void **state) {
  image_store_free(store);
  loop_free(loop);
  remove_tree(box);
  return 0;
}

static bool exists(const char *name) {
  CLEANUP(str_freep) char *path = str_printf("%s/%s", folder, name);
  return access(path, F_OK) == 0;
}

static void count_one(void *arg, const ImageInfo *info) {
  ++*(int *)arg;
}

static int count_references(void) {
  int n = 0;
  image_store_each(store, count_one, &n);
  return n;
}

static bool found(const char *reference) {
  ImageConfig c;
  return image_store_find(store, reference, &c) == 0;
}

typedef struct Outcome {
  size_t n;
  Error err;
  char digest[80];
} Outcome;

static void on_imported(void *arg, const ImageInfo *infos, size_t n, const Error *err) {
  Outcome *o = arg;
  o->n = n;
  if (err)
    o->err = *err;
  if (n)
    snprintf(o->digest, sizeof o->digest, "%s", infos[0].digest);
  loop_stop(loop);
}

/* reference NULL: the archive's own. */
static Outcome import(const char *archive, const char *reference) {
  Outcome o = {.n = 0};
  Error err;
  ImageImport *i = image_import_new(store, &err);
  assert_non_null(i);
  assert_ok(image_import_write(i, archive, strlen(archive), &err), &err);
  image_import_finish(i, &reference, reference ? 1 : 0, on_imported, &o);
  loop_run(loop);
  image_import_free(i);
  return o;
}

static void test_import(void **state) {
  Outcome o = import(A, "app:1");
  assert_int_equal(o.err.kind, ERROR_NONE);
  assert_string_equal(o.digest, "sha256:" A);
  ImageConfig c;
  assert_int_equal(image_store_find(store, "app:1", &c), 0);
  assert_string_equal(c.working_dir, "/workspace");
  assert_true(str_starts_with(c.rootfs, folder));
  assert_false(found("own:1"));
  assert_int_equal(image_store_find(store, "app:2", &c), IMAGE_MISSING);
  open_store();
  assert_true(found("app:1"));
}

static void test_no_room(void **state) {
  Error err = {0};
  assert_int_equal(import("full", "app:1").err.kind, ERROR_RESOURCE_EXHAUSTED);
  ImageImport *i = image_import_new(store, &err);
  assert_non_null(i);
  char *large = test_calloc(1, (size_t)quota + 1);
  assert_int_equal(image_import_write(i, large, (size_t)quota + 1, &err), -1);
  assert_int_equal(err.kind, ERROR_RESOURCE_EXHAUSTED);
  assert_contains(err.message, "--image-store-max-bytes");
  test_free(large);
  image_import_free(i);
  /* what is there counts: 5 bytes, by image.json */
  quota = 5 + 2 * sizeof A;
  open_store();
  assert_int_equal(import(A, "app:1").err.kind, ERROR_NONE);
  CLEANUP(str_freep) char *arguments = fixture_read(box, "arguments");
  CLEANUP(str_freep) char *left = str_printf(" 1 %zu 0\n", 5 + 2 * sizeof A - strlen(A));
  assert_contains(arguments, left);
  quota = 5 + 10;
  open_store();
  i = image_import_new(store, &err);
  assert_int_equal(image_import_write(i, A, strlen(A), &err), -1);
  image_import_free(i);
}

static void test_the_disk_keeps_some(void **state) {
  Error err = {0};
  min_free = INT64_MAX;
  open_store();
  ImageImport *i = image_import_new(store, &err);
  assert_int_equal(image_import_write(i, "x", 1, &err), -1);
  assert_int_equal(err.kind, ERROR_RESOURCE_EXHAUSTED);
  assert_contains(err.message, "--image-store-min-free-bytes");
  image_import_free(i);
}

/* Whatever unpacks may have been taken over by what it read. */
static void test_a_digest_that_is_none(void **state) {
  const char *const bad[] = {"../../x", "x", A "a"};
  for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
    assert_int_equal(import(bad[i], "app:1").err.kind, ERROR_INTERNAL);
    assert_false(found("app:1"));
  }
}

static void on_one_of_many(void *arg, const ImageInfo *infos, size_t n, const Error *err) {
  if (++*(int *)arg == 3)
    loop_stop(loop);
}

static void test_one_at_a_time(void **state) {
  const char *const archives[] = {A, B, "bad", A};
  ImageImport *imports[ARRAY_LEN(archives)];
  const char *const reference = "app:1";
  int ended = 0;
  Error err;
  for (size_t i = 0; i < ARRAY_LEN(archives); i++) {
    imports[i] = image_import_new(store, &err);
    assert_ok(image_import_write(imports[i], archives[i], strlen(archives[i]), &err), &err);
    image_import_finish(imports[i], &reference, 1, on_one_of_many, &ended);
  }
  /* the first runs, the last waits: either may be given up */
  image_import_free(imports[3]);
  imports[3] = NULL;
  loop_run(loop);
  for (size_t i = 0; i < ARRAY_LEN(archives); i++)
    image_import_free(imports[i]);
  CLEANUP(str_freep) char *overlap = fixture_read(box, "overlap");
  assert_null(overlap);
}

static void test_the_next_is_unpacked_when_one_is_given_up(void **state) {
  const char *const archives[] = {A, B};
  ImageImport *imports[ARRAY_LEN(archives)];
  const char *const reference = "app:1";
  int ended = 1;
  Error err;
  for (size_t i = 0; i < ARRAY_LEN(archives); i++) {
    imports[i] = image_import_new(store, &err);
    assert_ok(image_import_write(imports[i], archives[i], strlen(archives[i]), &err), &err);
    image_import_finish(imports[i], &reference, 1, on_one_of_many, &ended);
  }
  ended = 2;
  image_import_free(imports[0]);
  loop_run(loop);
  image_import_free(imports[1]);
  assert_true(found("app:1"));
}

static void test_own_reference(void **state) {
  assert_int_equal(import(A, NULL).n, 1);
  assert_true(found("own:1"));
}

static void test_same_image_again(void **state) {
  import(A, "app:1");
  assert_int_equal(import(A, "app:2").n, 1);
  assert_true(found("app:1") && found("app:2"));
}

static void test_archive_at_fault(void **state) {
  Outcome o = import("bad", "app:1");
  assert_int_equal(o.err.kind, ERROR_INVALID_ARGUMENT);
  assert_string_equal(o.err.message, "image: a layer is damaged");
  assert_int_equal(count_references(), 0);
}

/* As a power cut leaves it: the folder has its name, its document is empty. */
static void break_image(void) {
  import(A, "app:1");
  test_write_file(folder, "sha256-" A "/image.json", "");
}

static void test_broken_image_is_removed_at_start(void **state) {
  break_image();
  open_store();
  assert_false(found("app:1"));
  assert_false(exists("sha256-" A));
  assert_int_equal(import(A, "app:1").err.kind, ERROR_NONE);
  assert_true(found("app:1"));
}

static void test_image_of_another_digest_is_broken(void **state) {
  import(A, "app:1");
  CLEANUP(str_freep) char *from = str_printf("%s/sha256-" A, folder);
  CLEANUP(str_freep) char *to = str_printf("%s/sha256-" B, folder);
  assert_int_equal(rename(from, to), 0);
  open_store();
  assert_false(exists("sha256-" B));
}

static void test_broken_folder_is_replaced(void **state) {
  CLEANUP(str_freep) char *dir = str_printf("%s/sha256-" A, folder);
  assert_int_equal(mkdir(dir, 0755), 0);
  test_write_file(dir, "image.json", "");
  Outcome o = import(A, "app:1");
  assert_int_equal(o.err.kind, ERROR_NONE);
  assert_true(found("app:1"));
}

static void test_lost_references_are_no_end(void **state) {
  import(A, "app:1");
  test_write_file(folder, "references.json", "");
  open_store();
  assert_false(found("app:1"));
  assert_int_equal(import(A, "app:1").err.kind, ERROR_NONE);
  assert_true(found("app:1"));
}

/* The place of the new references.json is taken by a folder that cannot be replaced by a file. */
static void block_references(bool block) {
  CLEANUP(str_freep) char *path = str_printf("%s/references.json", folder);
  CLEANUP(str_freep) char *aside = str_printf("%s/aside", folder);
  if (block) {
    rename(path, aside);
    assert_int_equal(mkdir(path, 0755), 0);
  } else {
    assert_int_equal(rmdir(path), 0);
    rename(aside, path);
  }
}

static void test_failed_import_leaves_nothing(void **state) {
  block_references(true);
  Outcome o = import(A, "app:1");
  assert_int_equal(o.err.kind, ERROR_INTERNAL);
  assert_false(found("app:1"));
  assert_int_equal(count_references(), 0);
  assert_false(exists("sha256-" A));
  assert_false(exists(".references.json"));
  block_references(false);
  assert_int_equal(import(A, "app:1").err.kind, ERROR_NONE);
}

static void test_failed_import_changes_nothing(void **state) {
  import(A, "app:1");
  block_references(true);
  assert_int_equal(import(B, "app:1").err.kind, ERROR_INTERNAL);
  assert_int_equal(import(A, "app:2").err.kind, ERROR_INTERNAL);
  ImageConfig c;
  assert_int_equal(image_store_find(store, "app:1", &c), 0);
  assert_contains(c.rootfs, A);
  assert_false(found("app:2"));
  assert_true(exists("sha256-" A "/rootfs"));
  assert_false(exists("sha256-" B));
  block_references(false);
  open_store();
  assert_true(found("app:1"));
}

/* ---- what nothing names any more ---- */

static const char *used;

static bool in_use(void *arg, const char *digest) {
  return used && strcmp(used, digest) == 0;
}

static void test_replaced_image_is_removed(void **state) {
  used = NULL;
  image_store_set_in_use(store, in_use, NULL);
  import(A, "app:1");
  import(A, "app:2");
  import(B, "app:1");
  assert_true(exists("sha256-" A)); /* app:2 names it */
  import(B, "app:2");
  assert_false(exists("sha256-" A));
  assert_true(exists("sha256-" B "/rootfs"));
  assert_true(found("app:1") && found("app:2"));
  assert_int_equal(import(A, "app:2").err.kind, ERROR_NONE);
  assert_true(exists("sha256-" A "/rootfs"));
}

static void test_replaced_image_waits_for_its_sandboxes(void **state) {
  used = "sha256:" A;
  image_store_set_in_use(store, in_use, NULL);
  import(A, "app:1");
  import(B, "app:1");
  image_store_collect(store);
  assert_true(exists("sha256-" A "/rootfs"));
  used = NULL;
  image_store_collect(store);
  assert_false(exists("sha256-" A));
}

static void test_nothing_is_removed_before_use_is_known(void **state) {
  import(A, "app:1");
  import(B, "app:1");
  open_store();
  image_store_collect(store);
  assert_true(exists("sha256-" A "/rootfs"));
  used = NULL;
  image_store_set_in_use(store, in_use, NULL);
  image_store_collect(store);
  assert_false(exists("sha256-" A));
  assert_true(found("app:1"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_import),
      TEST(test_no_room),
      TEST(test_the_disk_keeps_some),
      TEST(test_a_digest_that_is_none),
      TEST(test_one_at_a_time),
      TEST(test_the_next_is_unpacked_when_one_is_given_up),
      TEST(test_own_reference),
      TEST(test_same_image_again),
      TEST(test_archive_at_fault),
      TEST(test_broken_image_is_removed_at_start),
      TEST(test_image_of_another_digest_is_broken),
      TEST(test_broken_folder_is_replaced),
      TEST(test_lost_references_are_no_end),
      TEST(test_failed_import_leaves_nothing),
      TEST(test_failed_import_changes_nothing),
      TEST(test_replaced_image_is_removed),
      TEST(test_replaced_image_waits_for_its_sandboxes),
      TEST(test_nothing_is_removed_before_use_is_known),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
