/* sandplane-unpack on images that try to reach what is outside of them. Each test has a victim beside the image. */
#include <archive.h>
#include <archive_entry.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "lib/base/test.h"
#include "services/reconciler/local/remove_tree.h"

typedef struct Entry {
  const char *name;
  int type;         /* AE_IF*, 0: a hard link */
  const char *text; /* contents, or where a link leads */
  int mode;
  int uid;
} Entry;

static const char *quota = "1000000000";
static char box[64]; /* the test's folder: victim/keep, image/ */

static char *in_box(const char *name) {
  return str_printf("%s/%s", box, name);
}

static bool exists(const char *name) {
  CLEANUP(str_freep) char *path = in_box(name);
  struct stat st;
  return lstat(path, &st) == 0;
}

static int setup(void **state) {
  test_folder(box);
  CLEANUP(str_freep) char *victim = in_box("victim"), *image = in_box("image"), *keep = in_box("victim/keep");
  FILE *f = mkdir(victim, 0755) || mkdir(image, 0755) ? NULL : fopen(keep, "w");
  return f ? fclose(f) : -1;
}

static int teardown(void **state) {
  remove_tree(box);
  return 0;
}

static size_t tar_of(const Entry *entries, size_t n, char *out, size_t max) {
  struct archive *a = archive_write_new();
  size_t used = 0;
  archive_write_set_format_pax_restricted(a);
  assert_int_equal(archive_write_open_memory(a, out, max, &used), ARCHIVE_OK);
  for (size_t i = 0; i < n; i++) {
    struct archive_entry *e = archive_entry_new();
    bool file = entries[i].type == AE_IFREG;
    archive_entry_set_pathname(e, entries[i].name);
    archive_entry_set_filetype(e, entries[i].type ? (unsigned)entries[i].type : AE_IFREG);
    archive_entry_set_perm(e, (mode_t)entries[i].mode);
    archive_entry_set_uid(e, entries[i].uid);
    archive_entry_set_gid(e, entries[i].uid);
    archive_entry_set_size(e, file ? (la_int64_t)strlen(entries[i].text) : 0);
    if (entries[i].type == AE_IFLNK)
      archive_entry_set_symlink(e, entries[i].text);
    if (!entries[i].type)
      archive_entry_set_hardlink(e, entries[i].text);
    /* libarchive warns of absolute names, and writes them */
    assert_true(archive_write_header(a, e) >= ARCHIVE_WARN);
    if (file)
      archive_write_data(a, entries[i].text, strlen(entries[i].text));
    archive_entry_free(e);
  }
  archive_write_close(a);
  archive_write_free(a);
  return used;
}

static void put(struct archive *a, const char *name, const void *data, size_t len) {
  struct archive_entry *e = archive_entry_new();
  archive_entry_set_pathname(e, name);
  archive_entry_set_filetype(e, AE_IFREG);
  archive_entry_set_perm(e, 0644);
  archive_entry_set_size(e, (la_int64_t)len);
  assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
  assert_int_equal(archive_write_data(a, data, len), (la_ssize_t)len);
  archive_entry_free(e);
}

/* Adds a blob; returns its descriptor. */
static char *put_blob(struct archive *a, const void *data, size_t len) {
  unsigned char digest[32];
  char hex[65];
  assert_true(EVP_Digest(data, len, digest, NULL, EVP_sha256(), NULL));
  str_hex(digest, sizeof digest, hex);
  CLEANUP(str_freep) char *name = str_printf("blobs/sha256/%s", hex);
  put(a, name, data, len);
  return str_printf("{\"digest\":\"sha256:%s\",\"size\":%zu}", hex, len);
}

/* LeakSanitizer needs /proc, which is gone after chroot(2); and the program ends after one image. */
static void skip_leak_check(void) {
  const char *options = getenv("ASAN_OPTIONS");
  CLEANUP(str_freep) char *all = str_printf("%s:detect_leaks=0", options ? options : "");
  setenv("ASAN_OPTIONS", all, 1);
}

/* Unpacks an image of one layer; its exit status. */
static int unpack(const Entry *entries, size_t n, const char *working_dir) {
  static char layer[1 << 16];
  CLEANUP(str_freep) char *path = in_box("archive.tar"), *image = in_box("image");
  struct archive *a = archive_write_new();
  archive_write_set_format_pax_restricted(a);
  assert_int_equal(archive_write_open_filename(a, path), ARCHIVE_OK);
  size_t len = tar_of(entries, n, layer, sizeof layer);
  CLEANUP(str_freep) char *layer_at = put_blob(a, layer, len);
  CLEANUP(str_freep) char *config = str_printf("{\"config\":{\"WorkingDir\":\"%s\"}}", working_dir);
  CLEANUP(str_freep) char *config_at = put_blob(a, config, strlen(config));
  CLEANUP(str_freep) char *manifest = str_printf("{\"config\":%s,\"layers\":[%s]}", config_at, layer_at);
  CLEANUP(str_freep) char *manifest_at = put_blob(a, manifest, strlen(manifest));
  CLEANUP(str_freep) char *index = str_printf("{\"manifests\":[%s]}", manifest_at);
  put(a, "index.json", index, strlen(index));
  put(a, "oci-layout", "{}", 2);
  archive_write_close(a);
  archive_write_free(a);
  pid_t pid = fork();
  if (pid == 0) {
    skip_leak_check();
    execl("services/reconciler/local/sandplane-unpack", "sandplane-unpack", path, image, "1900000000", quota, "1",
          (char *)NULL);
    _exit(127);
  }
  int status = 0;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static void test_plain(void **state) {
  const Entry entries[] = {{"etc", AE_IFDIR, "", 0755},     {"etc/su", AE_IFREG, "x", 06755},
                           {"etc/dev", AE_IFCHR, "", 0666}, {"open", AE_IFDIR, "", 01777},
                           {"a..b", AE_IFREG, "y", 0644},   {".wh.a..b", AE_IFREG, "", 0644}};
  struct stat st;
  assert_int_equal(unpack(entries, ARRAY_LEN(entries), "/workspace"), 0);
  CLEANUP(str_freep) char *su = in_box("image/rootfs/etc/su");
  assert_int_equal(stat(su, &st), 0);
  assert_int_equal(st.st_mode & 07777, 0755);
  CLEANUP(str_freep) char *open_to_all = in_box("image/rootfs/open");
  assert_int_equal(stat(open_to_all, &st), 0);
  assert_int_equal(st.st_mode & 07777, 01755);
  assert_false(exists("image/rootfs/etc/dev"));
  assert_false(exists("image/rootfs/a..b"));
  assert_true(exists("image/image.json"));
  assert_true(exists("image/rootfs/workspace"));
  assert_false(exists("image/blobs"));
}

/* Whatever the answer, the victim is as it was. */
static void assert_contained(const Entry *entries, size_t n, const char *working_dir) {
  int status = unpack(entries, n, working_dir);
  assert_true(status == 0 || status == 1 || status == 3);
  assert_true(exists("victim/keep"));
  assert_false(exists("victim/new"));
  assert_false(exists("victim/runtime"));
  assert_false(exists("new"));
  CLEANUP(str_freep) char *keep = in_box("victim/keep");
  struct stat st;
  assert_int_equal(stat(keep, &st), 0);
  assert_int_equal(st.st_nlink, 1);
  assert_int_equal(st.st_size, 0);
}

static void test_whiteout_through_symlink(void **state) {
  CLEANUP(str_freep) char *victim = in_box("victim");
  const Entry entries[] = {{"x", AE_IFLNK, victim, 0777}, {"x/.wh.keep", AE_IFREG, "", 0644}};
  assert_contained(entries, ARRAY_LEN(entries), "/workspace");
}

static void test_opaque_through_symlink(void **state) {
  const Entry entries[] = {{"x", AE_IFLNK, "../../victim", 0777}, {"x/.wh..wh..opq", AE_IFREG, "", 0644}};
  assert_contained(entries, ARRAY_LEN(entries), "/workspace");
}

static void test_mount_points_through_symlink(void **state) {
  CLEANUP(str_freep) char *victim = in_box("victim");
  const Entry entries[] = {{".sandplane", AE_IFLNK, victim, 0777}, {"x", AE_IFLNK, victim, 0777}};
  assert_contained(entries, ARRAY_LEN(entries), "/x/new");
}

static void test_working_dir_with_dotdot(void **state) {
  assert_contained(NULL, 0, "/../../new");
}

static void test_mount_points_are_real_folders(void **state) {
  CLEANUP(str_freep) char *image = in_box("image");
  const Entry own[] = {{".sandplane", AE_IFLNK, "/x", 0777}, {"x", AE_IFDIR, "", 0755}};
  const Entry temporary[] = {{"tmp", AE_IFLNK, "var", 0777}, {"var", AE_IFDIR, "", 0755}};
  const Entry dir[] = {{"w", AE_IFLNK, "/x", 0777}, {"x", AE_IFDIR, "", 0755}};
  const Entry file[] = {{"w", AE_IFREG, "", 0644}};
  const Entry runtime[] = {{".sandplane", AE_IFDIR, "", 0755}, {".sandplane/runtime", AE_IFDIR, "", 0755}};
  const struct {
    const Entry *entries;
    size_t n;
    const char *working_dir;
  } cases[] = {{own, 2, "/workspace"}, {temporary, 2, "/workspace"}, {dir, 2, "/w/made"},  {dir, 2, "/w"},
               {file, 1, "/w"},        {runtime, 2, "/workspace"},   {dir, 2, "relative"}, {dir, 2, "//"},
               {dir, 2, "/x/../x"},    {dir, 2, "/proc/self/root/x"}};
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    if (unpack(cases[i].entries, cases[i].n, cases[i].working_dir) != 3 || exists("image/image.json"))
      fail_msg("case %zu is taken", i);
    remove_tree(image);
    assert_int_equal(mkdir(image, 0755), 0);
  }
}

static void test_hard_links(void **state) {
  const Entry entries[] = {{"a", AE_IFREG, "x", 0644},
                           {"b", 0, "a", 0644},
                           {"c", 0, "/a", 0644},
                           {"l", AE_IFLNK, "gone", 0777},
                           {"d", 0, "./l", 0644}};
  assert_int_equal(unpack(entries, ARRAY_LEN(entries), "/workspace"), 0);
  CLEANUP(str_freep) char *path = in_box("image/rootfs/a");
  struct stat st;
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_nlink, 3);
  assert_int_equal(st.st_size, 1);
  assert_true(exists("image/rootfs/d"));
}

static void test_hard_link_to_nothing(void **state) {
  const Entry entries[] = {{"etc", AE_IFDIR, "", 0755}, {"b", 0, "missing", 0644}};
  const Entry folder[] = {{"etc", AE_IFDIR, "", 0755}, {"b", 0, "etc", 0644}};
  CLEANUP(str_freep) char *image = in_box("image");
  assert_int_equal(unpack(entries, ARRAY_LEN(entries), "/workspace"), 3);
  remove_tree(image);
  assert_int_equal(mkdir(image, 0755), 0);
  assert_int_equal(unpack(folder, ARRAY_LEN(folder), "/workspace"), 3);
}

static void assert_owner(const char *name, uid_t uid) {
  CLEANUP(str_freep) char *path = in_box(name);
  struct stat st;
  assert_int_equal(lstat(path, &st), 0);
  assert_int_equal(st.st_uid, uid);
  assert_int_equal(st.st_gid, uid);
}

static void test_owners(void **state) {
  const Entry entries[] = {{"a", AE_IFREG, "x", 0644, 1000},     {"b", 0, "a", 0644, 1000},
                           {"l", AE_IFLNK, "/victim", 0777, 33}, {"d", AE_IFDIR, "", 0700, 65534},
                           {"d/r", AE_IFREG, "x", 0600, 0},      {"far", AE_IFREG, "x", 0600, 70000}};
  assert_int_equal(unpack(entries, ARRAY_LEN(entries), "/workspace"), 0);
  assert_owner("image/rootfs/a", 1000);
  assert_owner("image/rootfs/b", 1000);
  assert_owner("image/rootfs/l", 33);
  assert_owner("image/rootfs/d", 65534);
  assert_owner("image/rootfs/d/r", 0);
  /* beyond what the unpacker has: root's */
  assert_owner("image/rootfs/far", 0);
  assert_owner("image/rootfs", 0);
  assert_owner("image", 0);
  assert_owner("image/image.json", 0);
}

static void test_quota(void **state) {
  static char text[1 << 15];
  memset(text, 'x', sizeof text - 1);
  const Entry large[] = {{"a", AE_IFREG, text, 0644}};
  Entry many[64];
  static char names[ARRAY_LEN(many)][8];
  for (size_t i = 0; i < ARRAY_LEN(many); i++) {
    snprintf(names[i], sizeof names[i], "d%zu", i);
    many[i] = (Entry){names[i], AE_IFDIR, "", 0755};
  }
  CLEANUP(str_freep) char *image = in_box("image");
  quota = "50000"; /* once for the layer, and once for what is in it */
  int status = unpack(large, 1, "/workspace");
  remove_tree(image);
  assert_int_equal(mkdir(image, 0755), 0);
  quota = "200000"; /* an entry is a block */
  int of_many = unpack(many, ARRAY_LEN(many), "/workspace");
  quota = "1000000000";
  assert_int_equal(status, 4);
  assert_int_equal(of_many, 4);
}

static void test_names_and_links_that_lead_out(void **state) {
  CLEANUP(str_freep)
  char *victim = in_box("victim"), *keep = in_box("victim/keep"), *fresh = in_box("victim/new"),
       *image = in_box("image");
  const Entry through[] = {{"x", AE_IFLNK, victim, 0777}, {"x/new", AE_IFREG, "z", 0644}};
  const Entry hard[] = {{"h", 0, keep, 0644}, {"h", AE_IFREG, "z", 0644}};
  const Entry dots[] = {{"../../victim/new", AE_IFREG, "z", 0644}};
  const Entry absolute[] = {{fresh, AE_IFREG, "z", 0644}};
  const Entry whiteout[] = {{"../../victim/.wh.keep", AE_IFREG, "", 0644}};
  const struct {
    const Entry *entries;
    size_t n;
  } cases[] = {{through, 2}, {hard, 2}, {dots, 1}, {absolute, 1}, {whiteout, 1}};
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    assert_contained(cases[i].entries, cases[i].n, "/workspace");
    remove_tree(image);
    assert_int_equal(mkdir(image, 0755), 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_plain),
      TEST(test_whiteout_through_symlink),
      TEST(test_opaque_through_symlink),
      TEST(test_mount_points_through_symlink),
      TEST(test_working_dir_with_dotdot),
      TEST(test_mount_points_are_real_folders),
      TEST(test_hard_links),
      TEST(test_owners),
      TEST(test_quota),
      TEST(test_hard_link_to_nothing),
      TEST(test_names_and_links_that_lead_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
