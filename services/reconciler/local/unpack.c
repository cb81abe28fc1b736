/* sandplane-unpack ARCHIVE FOLDER FIRST-ID MAX-BYTES MIN-FREE-BYTES: checks an OCI image archive and unpacks it.
 *
 * A program of its own, because it reads what strangers made and takes its time: a crash or a flood here cannot touch
 * the reconciler. And it reads as nobody (confine.h), with the image for its root folder, so that no name, link or
 * whiteout in it can mean anything outside. FOLDER gets rootfs/, whose files are in the end those of the users that the
 * image says, and image.json {digest, references, size, disk, env, working_dir, user}. It writes at most MAX-BYTES, and
 * none where the disk has less than MIN-FREE-BYTES left.
 * Exit 0; else one line on standard error: 3 when the archive is at fault, 4 when there is no room, 1 when the machine
 * is.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "services/reconciler/local/confine.h"
#include "services/reconciler/local/mount_points.h"
#include "services/reconciler/local/remove_tree.h"
#include "services/reconciler/local/save_json.h"

/* Documents of an image are small; a layer may be large. */
#define DOCUMENT_MAX ((int64_t)4 << 20)
/* Against archives that expand without end: of all that is written, and of all entries. */
#define UNPACKED_MAX ((int64_t)16 << 30)
#define ENTRIES_MAX 2000000
/* What container engines allow (overlayfs in the kernel takes no more). */
#define LAYERS_MAX 128

/* Leaves room for the folder's own name where all of it is walked. */
#define NAME_MAX_LEN 3500

enum { EXIT_MACHINE = 1, EXIT_ARCHIVE = 3, EXIT_FULL = 4 };

static void die(int code, const char *fmt, ...) PRINTF_LIKE(2, 3) __attribute__((noreturn));
static void die(int code, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  vfprintf(stderr, fmt, ap);
  va_end(ap);
  fputc('\n', stderr);
  exit(code);
}

/* What an import may use of the disk, counted while it is used: the blobs of the archive, and what is unpacked. */
typedef struct Budget {
  int64_t left;     /* of all images' quota */
  int64_t min_free; /* that the disk keeps for others */
  int64_t unlooked; /* written since the disk was looked at */
  int64_t total;    /* of this part: what is unpacked has a limit of its own */
  int entries;
} Budget;

/* An entry is at least a block of the disk, or an inode. */
#define ENTRY_BYTES 4096
#define LOOK_BYTES ((int64_t)16 << 20)

static void use_disk(Budget *b, int64_t bytes) {
  struct statvfs fs;
  b->left -= bytes;
  b->unlooked += bytes;
  if (b->left < 0)
    die(EXIT_FULL, "the images have reached their quota (--image-store-max-bytes)");
  if (b->unlooked < LOOK_BYTES)
    return;
  b->unlooked = 0;
  if (statvfs(".", &fs) == 0 && (int64_t)fs.f_bavail * (int64_t)fs.f_frsize < b->min_free)
    die(EXIT_FULL, "the disk has less than %lld MiB left (--image-store-min-free-bytes)",
        (long long)(b->min_free >> 20));
}

static void count_bytes(Budget *b, size_t len) {
  b->total += (int64_t)len;
  if (b->total > UNPACKED_MAX)
    die(EXIT_ARCHIVE, "the archive unpacks to more than %d GiB", (int)(UNPACKED_MAX >> 30));
  use_disk(b, (int64_t)len);
}

static void count_entry(Budget *b) {
  if (++b->entries > ENTRIES_MAX)
    die(EXIT_ARCHIVE, "too many entries");
  use_disk(b, ENTRY_BYTES);
}

/* ---- the outer archive: its files into blobs/ by name ---- */

static bool is_digest_name(const char *s) {
  if (strlen(s) != 64)
    return false;
  return strspn(s, "0123456789abcdef") == 64;
}

/* Copies one file out and returns its sha256. */
static void copy_out(struct archive *a, const char *to, char hex[65], Budget *budget) {
  int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0)
    die(errno == EEXIST ? EXIT_ARCHIVE : EXIT_MACHINE, "%s: %s", to, strerror(errno));
  EVP_MD_CTX *md = EVP_MD_CTX_new();
  if (!md || !EVP_DigestInit_ex(md, EVP_sha256(), NULL))
    abort();
  static char chunk[1 << 16];
  ssize_t n;
  while ((n = archive_read_data(a, chunk, sizeof chunk)) > 0) {
    count_bytes(budget, (size_t)n);
    EVP_DigestUpdate(md, chunk, (size_t)n);
    if (write(fd, chunk, (size_t)n) != n)
      die(EXIT_MACHINE, "write %s: %s", to, strerror(errno));
  }
  if (n < 0)
    die(EXIT_ARCHIVE, "the archive is damaged: %s", archive_error_string(a));
  unsigned char digest[EVP_MAX_MD_SIZE];
  EVP_DigestFinal_ex(md, digest, NULL);
  EVP_MD_CTX_free(md);
  close(fd);
  str_hex(digest, 32, hex);
}

static void split_archive(int fd, Budget *budget) {
  struct archive *a = archive_read_new();
  struct archive_entry *e;
  archive_read_support_format_tar(a);
  archive_read_support_filter_gzip(a);
  if (archive_read_open_fd(a, fd, 1 << 16))
    die(EXIT_ARCHIVE, "not an OCI image archive: %s", archive_error_string(a));
  if (mkdir("blobs", 0700))
    die(EXIT_MACHINE, "mkdir: %s", strerror(errno));
  int rc;
  char hex[65];
  while ((rc = archive_read_next_header(a, &e)) == ARCHIVE_OK) {
    count_entry(budget);
    const char *name = archive_entry_pathname(e);
    if (!name || archive_entry_filetype(e) != AE_IFREG)
      continue;
    if (str_starts_with(name, "./"))
      name += 2;
    if (strcmp(name, "index.json") == 0 || strcmp(name, "oci-layout") == 0)
      copy_out(a, name, hex, budget);
    else if (str_starts_with(name, "blobs/sha256/") && is_digest_name(name + 13)) {
      CLEANUP(str_freep) char *to = str_printf("blobs/%s", name + 13);
      copy_out(a, to, hex, budget);
      if (strcmp(hex, name + 13) != 0)
        die(EXIT_ARCHIVE, "blob sha256:%s has another digest: sha256:%s", name + 13, hex);
    }
  }
  if (rc != ARCHIVE_EOF)
    die(EXIT_ARCHIVE, "not an OCI image archive: %s", archive_error_string(a));
  archive_read_free(a);
  if (access("oci-layout", F_OK) || access("index.json", F_OK))
    die(EXIT_ARCHIVE, "not an OCI image archive: oci-layout or index.json is missing");
}

/* ---- documents ---- */

static json_t *load(const char *path) {
  struct stat st;
  json_error_t why;
  if (stat(path, &st) || st.st_size > DOCUMENT_MAX)
    die(EXIT_ARCHIVE, "%s is missing or too large", path);
  json_t *doc = json_load_file(path, 0, &why);
  if (!json_is_object(doc))
    die(EXIT_ARCHIVE, "%s is not a JSON object: %s", path, why.text);
  return doc;
}

static char *blob_path(const json_t *descriptor) {
  const char *digest = json_string_value(json_object_get(descriptor, "digest"));
  if (!digest || !str_starts_with(digest, "sha256:") || !is_digest_name(digest + 7))
    die(EXIT_ARCHIVE, "a descriptor has no sha256 digest");
  char *path = str_printf("blobs/%s", digest + 7);
  struct stat st;
  if (stat(path, &st))
    die(EXIT_ARCHIVE, "blob %s is missing", digest);
  if (st.st_size != json_integer_value(json_object_get(descriptor, "size")))
    die(EXIT_ARCHIVE, "blob %s has another size", digest);
  return path;
}

/* ---- layers ---- */

static int remove_below(const char *path, const struct stat *st, int type, struct FTW *ftw) {
  return ftw->level == 0 ? 0 : remove(path);
}

static bool has_dotdot(const char *path) {
  for (const char *p = path; (p = strstr(p, "..")); p += 2)
    if ((p == path || p[-1] == '/') && (!p[2] || p[2] == '/'))
      return true;
  return false;
}

/* A whiteout hides what lower layers have. true: the entry was one. */
static bool whiteout(const char *path) {
  const char *base = strrchr(path, '/');
  base = base ? base + 1 : path;
  if (!str_starts_with(base, ".wh."))
    return false;
  CLEANUP(str_freep) char *dir = str_ndup(path, (size_t)(base - path));
  if (has_dotdot(path))
    die(EXIT_ARCHIVE, "a whiteout leads out of the image: %s", path);
  if (strcmp(base, ".wh..wh..opq") == 0) {
    nftw(*dir ? dir : ".", remove_below, 16, FTW_DEPTH | FTW_PHYS);
    return true;
  }
  if (!base[4] || strcmp(base + 4, ".") == 0)
    die(EXIT_ARCHIVE, "a whiteout names nothing: %s", path);
  CLEANUP(str_freep) char *hidden = str_printf("%s%s", dir, base + 4);
  remove_tree(hidden);
  return true;
}

static void copy_entry(struct archive *from, struct archive *to, Budget *budget) {
  const void *block;
  size_t len;
  la_int64_t offset;
  int rc;
  while ((rc = archive_read_data_block(from, &block, &len, &offset)) == ARCHIVE_OK) {
    count_bytes(budget, len);
    if (archive_write_data_block(to, block, len, offset) < 0)
      die(EXIT_MACHINE, "unpack: %s", archive_error_string(to));
  }
  if (rc != ARCHIVE_EOF)
    die(EXIT_ARCHIVE, "a layer is damaged: %s", archive_error_string(from));
}

/* As names in an archive begin: what is left is relative to the image. */
static const char *without_root(const char *name) {
  while (*name == '/')
    name++;
  return str_starts_with(name, "./") ? name + 2 : name;
}

/* A further name of a file that is there already. libarchive knows no type of it, and would empty the file where the
 * entry has a size. */
static void link_entry(struct archive *disk, struct archive_entry *e, const char *name) {
  CLEANUP(str_freep) char *to = str_dup(without_root(archive_entry_hardlink(e)));
  struct stat st;
  if (has_dotdot(to) || lstat(to, &st) || S_ISDIR(st.st_mode))
    die(EXIT_ARCHIVE, "%s is a link to %s, which the image does not have", name, to);
  archive_entry_set_hardlink(e, to);
  archive_entry_set_size(e, 0);
  if (archive_write_header(disk, e) < ARCHIVE_WARN || archive_write_finish_entry(disk) < ARCHIVE_WARN)
    die(EXIT_ARCHIVE, "%s: %s", name, archive_error_string(disk));
}

static void unpack_layer(int fd, Budget *budget) {
  /* libarchive refuses what would leave the folder: "..", absolute names, and links on the way */
  static const int FLAGS = ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_SECURE_SYMLINKS |
                           ARCHIVE_EXTRACT_SECURE_NODOTDOT | ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS |
                           ARCHIVE_EXTRACT_UNLINK;
  struct archive *a = archive_read_new(), *disk = archive_write_disk_new();
  struct archive_entry *e;
  archive_read_support_format_tar(a);
  archive_read_support_filter_gzip(a);
  archive_read_support_filter_zstd(a);
  archive_write_disk_set_options(disk, FLAGS);
  if (archive_read_open_fd(a, fd, 1 << 16))
    die(EXIT_ARCHIVE, "a layer is not a tar file: %s", archive_error_string(a));
  int rc;
  while ((rc = archive_read_next_header(a, &e)) == ARCHIVE_OK) {
    const char *name = archive_entry_pathname(e);
    count_entry(budget);
    if (!name)
      continue;
    if (strlen(name) > NAME_MAX_LEN)
      die(EXIT_ARCHIVE, "a name is longer than %d bytes: %.64s", NAME_MAX_LEN, name);
    name = without_root(name);
    if (!*name || whiteout(name))
      continue;
    CLEANUP(str_freep) char *own = str_dup(name);
    archive_entry_set_pathname(e, own);
    mode_t type = archive_entry_filetype(e);
    if (archive_entry_hardlink(e)) {
      link_entry(disk, e, own);
      continue;
    }
    /* a sandbox has devices of its own or none */
    if (type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK)
      continue;
    /* nothing in an image may lend anybody its owner's rights; and nobody but its owner writes, were it not read-only
     */
    archive_entry_set_perm(e, archive_entry_perm(e) & 01755);
    if (archive_write_header(disk, e) < ARCHIVE_WARN)
      die(EXIT_ARCHIVE, "%s: %s", own, archive_error_string(disk));
    if (type == AE_IFREG)
      copy_entry(a, disk, budget);
    if (archive_write_finish_entry(disk) < ARCHIVE_WARN)
      die(EXIT_MACHINE, "%s: %s", own, archive_error_string(disk));
  }
  if (rc != ARCHIVE_EOF)
    die(EXIT_ARCHIVE, "a layer is damaged: %s", archive_error_string(a));
  archive_read_free(a);
  archive_write_free(disk);
}

/* Before the root is changed, for behind it they have no name. */
static void open_layers(const json_t *layers, int fds[LAYERS_MAX]) {
  size_t i;
  json_t *layer;
  if (json_array_size(layers) > LAYERS_MAX)
    die(EXIT_ARCHIVE, "an image has at most %d layers", LAYERS_MAX);
  json_array_foreach(layers, i, layer) {
    CLEANUP(str_freep) char *blob = blob_path(layer);
    fds[i] = open(blob, O_RDONLY | O_CLOEXEC);
    if (fds[i] < 0)
      die(EXIT_MACHINE, "%s: %s", blob, strerror(errno));
  }
}

static void unpack_layers(const int *fds, size_t n, Budget *budget) {
  budget->total = budget->entries = 0;
  for (size_t i = 0; i < n; i++) {
    unpack_layer(fds[i], budget);
    close(fds[i]);
  }
}

static int make_mount_point(int root_fd, const char *path) {
  int fd = mount_point_open(root_fd, path, true);
  if (fd < 0)
    die(errno == ENOTDIR || errno == ELOOP ? EXIT_ARCHIVE : EXIT_MACHINE,
        "/%s in the image is not a real folder: nothing can be mounted there", path + strspn(path, "/"));
  return fd;
}

/* Places that sandboxes mount something at must be there: the image is read-only by then. */
static void make_mount_points(const char *working_dir) {
  int root_fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  close(make_mount_point(root_fd, working_dir));
  for (size_t i = 0; i < N_MOUNT_POINTS; i++)
    close(make_mount_point(root_fd, MOUNT_POINTS[i]));
  int own = make_mount_point(root_fd, MOUNT_POINTS_OWN);
  unlinkat(own, MOUNT_POINTS_RUNTIME, 0);
  int fd = openat(own, MOUNT_POINTS_RUNTIME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
  if (fd < 0)
    die(errno == EEXIST ? EXIT_ARCHIVE : EXIT_MACHINE, "/%s/%s in the image is not a file", MOUNT_POINTS_OWN,
        MOUNT_POINTS_RUNTIME);
  close(fd);
  close(own);
  close(root_fd);
}

/* Before anything is unpacked. */
static const char *working_dir_of(const json_t *run) {
  const char *given = json_string_value(json_object_get(run, "WorkingDir"));
  if (str_empty(given) || strcmp(given, "/") == 0)
    return "/workspace";
  const char *fault = mount_point_fault(given);
  if (fault)
    die(EXIT_ARCHIVE, "config.WorkingDir: %.200s cannot be a workspace: %s", given, fault);
  return given;
}

/* ---- all of it ---- */

static const json_t *pick_manifest(const json_t *index) {
  const json_t *list = json_object_get(index, "manifests");
  if (json_array_size(list) == 0)
    die(EXIT_ARCHIVE, "index.json lists no manifest");
  if (json_array_size(list) > 1)
    die(EXIT_ARCHIVE, "index.json lists %zu manifests, one is supported", json_array_size(list));
  return json_array_get(list, 0);
}

static const char *text(const json_t *object, const char *key, const char *fallback) {
  const char *s = json_string_value(json_object_get(object, key));
  return s && *s ? s : fallback;
}

static void save_image(const json_t *descriptor, const json_t *run, const char *working_dir, const Budget *budget) {
  const char *ref = text(json_object_get(descriptor, "annotations"), "org.opencontainers.image.ref.name", NULL);
  const json_t *env = json_object_get(run, "Env");
  json_int_t disk = budget->total + (json_int_t)budget->entries * ENTRY_BYTES;
  json_t *image = json_pack("{s:s,s:o,s:I,s:I,s:o,s:s,s:s}", "digest", text(descriptor, "digest", ""), "references",
                            ref ? json_pack("[s]", ref) : json_array(), "size", (json_int_t)budget->total, "disk", disk,
                            "env", json_is_array(env) ? json_deep_copy(env) : json_array(), "working_dir", working_dir,
                            "user", text(run, "User", ""));
  Error err;
  if (!image)
    die(EXIT_MACHINE, "image.json cannot be written");
  if (save_json(".", "image.json", image, &err))
    die(EXIT_MACHINE, "%s", err.message);
  json_decref(image);
}

typedef struct Work {
  int archive_fd;
  Budget budget;
} Work;

/* Confined: the working folder is the one to unpack into, the root folder is rootfs in it. */
static int unpack(void *arg) {
  Work *w = arg;
  int folder_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  split_archive(w->archive_fd, &w->budget);
  json_t *index = load("index.json");
  const json_t *descriptor = pick_manifest(index);
  CLEANUP(str_freep) char *manifest_path = blob_path(descriptor);
  json_t *manifest = load(manifest_path);
  CLEANUP(str_freep) char *config_path = blob_path(json_object_get(manifest, "config"));
  json_t *config = load(config_path);
  const json_t *run = json_object_get(config, "config");
  const char *working_dir = working_dir_of(run);
  int layer_fds[LAYERS_MAX] = {0};
  open_layers(json_object_get(manifest, "layers"), layer_fds);
  if (folder_fd < 0 || chdir("/"))
    die(EXIT_MACHINE, "rootfs: %s", strerror(errno));
  unpack_layers(layer_fds, json_array_size(json_object_get(manifest, "layers")), &w->budget);
  make_mount_points(working_dir);
  /* back outside by a descriptor: only relative names of our own are used from here on */
  if (fchdir(folder_fd))
    die(EXIT_MACHINE, "chdir: %s", strerror(errno));
  close(folder_fd);
  remove_tree("blobs");
  save_image(descriptor, run, working_dir, &w->budget);
  json_decref(config);
  json_decref(manifest);
  json_decref(index);
  return 0;
}

/* ---- outside ---- */

/* All the rest is there when the image is taken into use, also after a power cut. */
static void finish(const char *folder, uid_t first_id) {
  Error err;
  if (confine_hand_over(folder, first_id, &err))
    die(EXIT_MACHINE, "%s", err.message);
  struct stat st;
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  /* root reads it from now on, and it was written by who read what strangers made */
  if (fd < 0 || fstatat(fd, "image.json", &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode) ||
      st.st_size > DOCUMENT_MAX)
    die(EXIT_MACHINE, "image.json is not what was written");
  if (syncfs(fd))
    die(EXIT_MACHINE, "sync: %s", strerror(errno));
  close(fd);
}

static int usage(void) {
  fprintf(stderr, "usage: sandplane-unpack ARCHIVE FOLDER FIRST-ID MAX-BYTES MIN-FREE-BYTES\n");
  return 2;
}

int main(int argc, char **argv) {
  int64_t first_id;
  Work w = {.budget = {.total = 0}};
  Error err;
  if (argc != 6 || str_to_int64(argv[3], 1, UINT32_MAX - CONFINE_IDS, &first_id) ||
      str_to_int64(argv[4], 0, INT64_MAX, &w.budget.left) || str_to_int64(argv[5], 0, INT64_MAX, &w.budget.min_free))
    return usage();
  /* with whoever asked for it */
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  w.archive_fd = open(argv[1], O_RDONLY | O_CLOEXEC);
  CLEANUP(str_freep) char *folder = realpath(argv[2], NULL);
  if (w.archive_fd < 0 || !folder)
    die(EXIT_MACHINE, "%s: %s", w.archive_fd < 0 ? argv[1] : argv[2], strerror(errno));
  int status = confine_run(folder, (uid_t)first_id, unpack, &w, &err);
  if (status < 0)
    die(EXIT_MACHINE, "%s", err.message);
  if (!WIFEXITED(status))
    die(EXIT_MACHINE, "unpacking was ended by signal %d", WTERMSIG(status));
  if (WEXITSTATUS(status) == 0)
    finish(folder, (uid_t)first_id);
  return WEXITSTATUS(status);
}
