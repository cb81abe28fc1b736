/* See image_store.h. */
#include "services/reconciler/local/image_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "services/reconciler/local/remove_tree.h"
#include "services/reconciler/local/save_json.h"
#include "services/reconciler/local/subprocess.h"

/* Of an archive as it comes in, whatever the quota: far above any image that a laptop keeps. */
#define ARCHIVE_MAX ((int64_t)8 << 30)
#define UNPACK_ARCHIVE_AT_FAULT 3
#define UNPACK_NO_ROOM 4

/* Where sandplane-unpack runs; without a dot, so it is no sandbox's. */
#define GROUP "unpack"
/* A window of zstd is 128 MiB at most, and each of three documents of 4 MiB may take some forty times that. */
#define UNPACK_MEMORY_BYTES ((int64_t)1 << 30)
#define UNPACK_PIDS 8
#define EMPTY_MS 2000
/* Between looks at how much the disk has left. */
#define LOOK_BYTES ((int64_t)16 << 20)

struct ImageStore {
  ImageStoreSpec spec;
  char *folder, *unpack;
  ImageImport *imports;             /* all that are under way */
  ImageImport *unpacking;           /* NULL: none */
  ImageImport *queue, **queue_tail; /* whose archives are complete */
  json_t *references;               /* reference -> digest */
  json_t *images;                   /* digest -> image.json, with "import_ms" */
  bool (*in_use)(void *arg, const char *digest);
  void *in_use_arg;
};

static char *image_dir(const ImageStore *s, const char *digest) {
  /* "sha256:HEX" as a name without a colon, which mount options and PATH-like lists would trip over */
  return str_printf("%s/sha256-%s", s->folder, digest + strlen("sha256:"));
}

/* What is there without all of this was cut off on its way in, or is not ours. */
static bool is_whole(const json_t *image, const char *digest, const char *rootfs) {
  const char *own = json_string_value(json_object_get(image, "digest"));
  struct stat st;
  return str_equal(own, digest) && json_is_string(json_object_get(image, "working_dir")) && stat(rootfs, &st) == 0 &&
         S_ISDIR(st.st_mode);
}

/* false: it is broken. */
static bool load_image(ImageStore *s, const char *digest) {
  CLEANUP(str_freep) char *dir = image_dir(s, digest);
  CLEANUP(str_freep) char *path = str_printf("%s/image.json", dir);
  CLEANUP(str_freep) char *rootfs = str_printf("%s/rootfs", dir);
  struct stat st;
  json_t *image = json_load_file(path, 0, NULL);
  if (!is_whole(image, digest, rootfs) || stat(path, &st)) {
    json_decref(image);
    return false;
  }
  json_object_set_new(image, "import_ms", json_integer((json_int_t)st.st_mtim.tv_sec * 1000));
  json_object_set_new(s->images, digest, image);
  return true;
}

static void load_references(ImageStore *s) {
  CLEANUP(str_freep) char *path = str_printf("%s/references.json", s->folder);
  json_error_t why;
  s->references = json_load_file(path, 0, &why);
  if (json_is_object(s->references))
    return;
  if (access(path, F_OK) == 0)
    log_event(LOG_ERROR, "image_references_lost", LOG_STR("file", path), LOG_STR("reason", why.text));
  json_decref(s->references);
  s->references = json_object();
}

static int64_t disk_bytes(const char *folder, bool free) {
  struct statvfs fs;
  if (statvfs(folder, &fs))
    return 0;
  return (int64_t)(free ? fs.f_bavail : fs.f_blocks) * (int64_t)fs.f_frsize;
}

/* What a start that was killed left behind. */
static void empty_group(const ImageStore *s) {
  if (s->spec.cgroups)
    cgroup_empty(s->spec.cgroups, GROUP, EMPTY_MS);
}

ImageStore *image_store_new(const ImageStoreSpec *spec, Error *err) {
  const char *folder = spec->folder;
  /* an earlier version had it open to all */
  if ((mkdir(folder, 0700) && errno != EEXIST) || chown(folder, (uid_t)-1, spec->group) || chmod(folder, 0710)) {
    error_set(err, ERROR_UNAVAILABLE, "%s: %s", folder, strerror(errno));
    return NULL;
  }
  ImageStore *s = new0(ImageStore);
  *s = (ImageStore){.spec = *spec, .folder = str_dup(folder), .unpack = str_dup(spec->unpack), .images = json_object()};
  s->queue_tail = &s->queue;
  if (!s->spec.max_bytes)
    s->spec.max_bytes = disk_bytes(folder, false) / 2;
  empty_group(s);
  load_references(s);
  DIR *dir = opendir(folder);
  for (struct dirent *e; dir && (e = readdir(dir));) {
    CLEANUP(str_freep) char *full = str_printf("%s/%s", folder, e->d_name);
    if (str_starts_with(e->d_name, ".import-"))
      remove_tree(full);
    if (!str_starts_with(e->d_name, "sha256-"))
      continue;
    CLEANUP(str_freep) char *digest = str_printf("sha256:%s", e->d_name + strlen("sha256-"));
    if (load_image(s, digest))
      continue;
    log_event(LOG_ERROR, "image_broken", LOG_STR("digest", digest), LOG_STR("action", "removed; import it again"));
    remove_tree(full);
  }
  if (dir)
    closedir(dir);
  return s;
}

void image_store_free(ImageStore *s) {
  if (!s)
    return;
  json_decref(s->references);
  json_decref(s->images);
  free(s->folder);
  free(s->unpack);
  free(s);
}

static const json_t *image_of(const ImageStore *s, const char *reference) {
  const char *digest = json_string_value(json_object_get(s->references, reference));
  return digest ? json_object_get(s->images, digest) : NULL;
}

int image_store_find(ImageStore *s, const char *reference, ImageConfig *c) {
  const json_t *image = image_of(s, reference);
  if (!image)
    return IMAGE_MISSING;
  CLEANUP(str_freep) char *dir = image_dir(s, json_string_value(json_object_get(image, "digest")));
  snprintf(c->rootfs, sizeof c->rootfs, "%s/rootfs", dir);
  c->digest = json_string_value(json_object_get(image, "digest"));
  c->working_dir = json_string_value(json_object_get(image, "working_dir"));
  c->user = json_string_value(json_object_get(image, "user"));
  c->env = json_object_get(image, "env");
  return 0;
}

static ImageInfo info_of(const ImageStore *s, const char *reference) {
  const json_t *image = image_of(s, reference);
  return (ImageInfo){.reference = reference,
                     .digest = json_string_value(json_object_get(image, "digest")),
                     .size_bytes = json_integer_value(json_object_get(image, "size")),
                     .import_ms = json_integer_value(json_object_get(image, "import_ms"))};
}

void image_store_each(ImageStore *s, void (*fn)(void *arg, const ImageInfo *info), void *arg) {
  const char *reference;
  json_t *digest;
  json_object_foreach(s->references, reference, digest) {
    ImageInfo info = info_of(s, reference);
    if (info.digest)
      fn(arg, &info);
  }
}

static void remove_image(ImageStore *s, const char *digest) {
  CLEANUP(str_freep) char *dir = image_dir(s, digest);
  CLEANUP(str_freep) char *document = str_printf("%s/image.json", dir);
  unlink(document); /* first, so that half an image is never taken for a whole one */
  remove_tree(dir);
  json_object_del(s->images, digest);
}

void image_store_set_in_use(ImageStore *s, bool (*fn)(void *arg, const char *digest), void *arg) {
  s->in_use = fn;
  s->in_use_arg = arg;
}

static bool is_named(const ImageStore *s, const char *digest) {
  const char *reference;
  json_t *named;
  json_object_foreach(s->references, reference, named) if (str_equal(json_string_value(named), digest)) return true;
  return false;
}

void image_store_collect(ImageStore *s) {
  const char *digest;
  json_t *image;
  void *next;
  if (!s->in_use)
    return;
  json_object_foreach_safe(s->images, next, digest, image) {
    if (is_named(s, digest) || s->in_use(s->in_use_arg, digest))
      continue;
    log_event(LOG_INFO, "image_removed", LOG_STR("digest", digest));
    CLEANUP(str_freep) char *own = str_dup(digest); /* the key goes with its entry */
    remove_image(s, own);
  }
}

/* ---- import ---- */

struct ImageImport {
  ImageStore *store;
  ImageImport *next, *next_queued;
  char *dir, *archive, *log;
  int fd;
  int64_t size, looked_at;
  json_t *references;
  PidWatch *watch;
  pid_t pid;
  void (*fn)(void *arg, const ImageInfo *infos, size_t n_infos, const Error *err);
  void *arg;
};

ImageImport *image_import_new(ImageStore *s, Error *err) {
  char suffix[9];
  random_name_suffix(suffix, 8);
  ImageImport *i = new0(ImageImport);
  *i = (ImageImport){.store = s, .next = s->imports, .dir = str_printf("%s/.import-%s", s->folder, suffix), .fd = -1};
  s->imports = i;
  i->archive = str_printf("%s/archive.tar", i->dir);
  i->log = str_printf("%s/log", i->dir);
  if (mkdir(i->dir, 0700) == 0)
    i->fd = open(i->archive, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (i->fd >= 0)
    return i;
  error_set(err, ERROR_INTERNAL, "%s: %s", i->archive, strerror(errno));
  image_import_free(i);
  return NULL;
}

/* What is left of the quota, when all archives that are here are counted. */
static int64_t quota_left(const ImageStore *s) {
  int64_t left = s->spec.max_bytes;
  const char *digest;
  json_t *image;
  json_object_foreach(s->images, digest, image) {
    const json_t *disk = json_object_get(image, "disk");
    left -= json_integer_value(disk ? disk : json_object_get(image, "size"));
  }
  for (const ImageImport *i = s->imports; i; i = i->next)
    left -= i->size;
  return left;
}

static int check_room(ImageImport *i, Error *err) {
  const ImageStore *s = i->store;
  if (i->size > ARCHIVE_MAX)
    return error_set(err, ERROR_RESOURCE_EXHAUSTED, "the archive is larger than 8 GiB");
  if (quota_left(s) < 0)
    return error_set(err, ERROR_RESOURCE_EXHAUSTED,
                     "the images have reached their quota of %lld MiB (--image-store-max-bytes)",
                     (long long)(s->spec.max_bytes >> 20));
  if (i->size < i->looked_at)
    return 0;
  i->looked_at = i->size + LOOK_BYTES;
  if (disk_bytes(s->folder, true) < s->spec.min_free_bytes)
    return error_set(err, ERROR_RESOURCE_EXHAUSTED,
                     "the disk of %s has less than %lld MiB left (--image-store-min-free-bytes)", s->folder,
                     (long long)(s->spec.min_free_bytes >> 20));
  return 0;
}

int image_import_write(ImageImport *i, const void *data, size_t len, Error *err) {
  i->size += (int64_t)len;
  if (check_room(i, err))
    return -1;
  for (const char *p = data; len > 0;) {
    ssize_t n = write(i->fd, p, len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return error_set(err, ERROR_RESOURCE_EXHAUSTED, "cannot store the archive: %s", strerror(errno));
    p += n;
    len -= (size_t)n;
  }
  return 0;
}

static void unpack_next(ImageStore *s);

static void leave_lists(ImageImport *i) {
  ImageStore *s = i->store;
  for (ImageImport **at = &s->imports; *at; at = &(*at)->next)
    if (*at == i) {
      *at = i->next;
      break;
    }
  for (ImageImport **at = &s->queue; *at; at = &(*at)->next_queued)
    if (*at == i) {
      *at = i->next_queued;
      if (!*at)
        s->queue_tail = at;
      break;
    }
}

void image_import_free(ImageImport *i) {
  if (!i)
    return;
  ImageStore *s = i->store;
  bool unpacking = s->unpacking == i;
  if (i->watch) {
    /* reaped before its folder goes, or it would write into what is being removed and stay a zombie */
    kill(i->pid, SIGKILL);
    waitpid(i->pid, NULL, 0);
    empty_group(s);
  }
  pid_watch_free(i->watch);
  if (i->fd >= 0)
    close(i->fd);
  leave_lists(i);
  remove_tree(i->dir);
  json_decref(i->references);
  free(i->dir);
  free(i->archive);
  free(i->log);
  free(i);
  if (!unpacking)
    return;
  s->unpacking = NULL;
  unpack_next(s);
}

static void read_log(const ImageImport *i, char *out, size_t max) {
  FILE *f = fopen(i->log, "re");
  size_t n = f ? fread(out, 1, max - 1, f) : 0;
  if (f)
    fclose(f);
  while (n > 0 && out[n - 1] == '\n')
    n--;
  out[n] = 0;
}

static bool is_digest(const char *text) {
  static const size_t HEX_LEN = 64;
  const char *hex = str_starts_with(text, "sha256:") ? text + strlen("sha256:") : "";
  return strlen(hex) == HEX_LEN && strspn(hex, "0123456789abcdef") == HEX_LEN;
}

/* Moves what was unpacked to its place. */
static int place(ImageImport *i, const char *digest, Error *err) {
  ImageStore *s = i->store;
  CLEANUP(str_freep) char *dir = image_dir(s, digest);
  unlink(i->archive);
  unlink(i->log);
  remove_tree(dir); /* a broken one: a whole one we would know */
  if (chmod(i->dir, 0755) || rename(i->dir, dir))
    return error_set(err, ERROR_INTERNAL, "%s: %s", dir, strerror(errno));
  if (sync_folder(s->folder, err) == 0) {
    if (load_image(s, digest))
      return 0;
    error_set(err, ERROR_INTERNAL, "%s is not an image", dir);
  }
  remove_tree(dir);
  return -1;
}

/* Puts what was unpacked in its place and names it: all of it or nothing. */
static int adopt(ImageImport *i, Error *err) {
  ImageStore *s = i->store;
  CLEANUP(str_freep) char *meta = str_printf("%s/image.json", i->dir);
  json_t *image = json_load_file(meta, 0, NULL);
  const char *named = json_string_value(json_object_get(image, "digest"));
  CLEANUP(str_freep) char *digest = str_dup(named ? named : "");
  if (json_array_size(i->references) == 0) {
    json_decref(i->references);
    i->references = json_incref(json_object_get(image, "references"));
  }
  json_decref(image);
  /* it is to be the name of a folder, and was written by who reads what strangers made */
  if (!is_digest(digest))
    return error_set(err, ERROR_INTERNAL, "%s cannot be read", meta);
  if (json_array_size(i->references) == 0)
    return error_field(err, "start.references", "the archive names no reference, so one must be given");
  /* an image that is there already is the same by its digest, and sandboxes may use it */
  bool fresh = !json_object_get(s->images, digest);
  if (fresh && place(i, digest, err))
    return -1;
  json_t *references = json_deep_copy(s->references);
  size_t k;
  json_t *reference;
  json_array_foreach(i->references, k, reference)
      json_object_set_new(references, json_string_value(reference), json_string(digest));
  if (save_json(s->folder, "references.json", references, err)) {
    json_decref(references);
    if (fresh)
      remove_image(s, digest);
    return -1;
  }
  json_decref(s->references);
  s->references = references;
  image_store_collect(s);
  return 0;
}

/* Why it did not end well. */
static void explain(const ImageImport *i, int status, Error *err) {
  ImageStore *s = i->store;
  char text[400];
  int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  read_log(i, text, sizeof text);
  if (s->spec.cgroups && cgroup_oom_kills(s->spec.cgroups, GROUP) > 0)
    snprintf(text, sizeof text, "unpacking it takes more than %lld MiB of memory",
             (long long)(UNPACK_MEMORY_BYTES >> 20));
  ErrorKind kind = code == UNPACK_ARCHIVE_AT_FAULT ? ERROR_INVALID_ARGUMENT
                   : code == UNPACK_NO_ROOM        ? ERROR_RESOURCE_EXHAUSTED
                                                   : ERROR_INTERNAL;
  error_set(err, kind, "image: %s", *text ? text : "unpacking failed");
}

/* The last thing that is done with it: who asked may free it. */
static void tell(ImageImport *i) {
  size_t n = json_array_size(i->references);
  ImageInfo *infos = xcalloc(n, sizeof *infos);
  for (size_t k = 0; k < n; k++)
    infos[k] = info_of(i->store, json_string_value(json_array_get(i->references, k)));
  i->fn(i->arg, infos, n, NULL);
  free(infos);
}

static void on_unpacked(void *arg, int status) {
  ImageImport *i = arg;
  ImageStore *s = i->store;
  Error err = {0};
  bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  i->watch = NULL;
  if (!good)
    explain(i, status, &err);
  empty_group(s);
  s->unpacking = NULL;
  if (good && adopt(i, &err) == 0)
    tell(i);
  else
    i->fn(i->arg, NULL, 0, &err);
  unpack_next(s);
}

static int run_unpack(ImageImport *i, Error *err) {
  ImageStore *s = i->store;
  CLEANUP(str_freep) char *id = str_printf("%lld", (long long)s->spec.unpack_id);
  int64_t left = quota_left(s);
  CLEANUP(str_freep) char *max = str_printf("%lld", (long long)(left > 0 ? left : 0));
  CLEANUP(str_freep) char *min_free = str_printf("%lld", (long long)s->spec.min_free_bytes);
  char *const argv[] = {s->unpack, i->archive, i->dir, id, max, min_free, NULL};
  const CgroupLimits limits = {.memory_bytes = UNPACK_MEMORY_BYTES, .pids = UNPACK_PIDS};
  int fds[CGROUP_FDS_MAX];
  size_t n = 0;
  if (s->spec.cgroups &&
      (cgroup_create(s->spec.cgroups, GROUP, &limits, err) || cgroup_open(s->spec.cgroups, GROUP, fds, &n, err)))
    return -1;
  i->pid =
      subprocess_start(&(SubprocessSpec){.argv = argv, .log_path = i->log, .cgroup_fds = fds, .n_cgroup_fds = n}, err);
  while (n > 0)
    close(fds[--n]);
  if (i->pid < 0)
    return -1;
  i->watch = pid_watch_new(s->spec.loop, i->pid, on_unpacked, i);
  return i->watch ? 0 : error_set(err, ERROR_INTERNAL, "cannot watch the unpacking: %s", strerror(errno));
}

/* One at a time: each may take all the memory that its group has, and the quota is not divided. */
static void unpack_next(ImageStore *s) {
  while (s->queue && !s->unpacking) {
    ImageImport *i = s->queue;
    Error err = {0};
    s->queue = i->next_queued;
    if (!s->queue)
      s->queue_tail = &s->queue;
    s->unpacking = i;
    if (run_unpack(i, &err) == 0)
      return;
    s->unpacking = NULL;
    i->fn(i->arg, NULL, 0, &err);
  }
}

void image_import_finish(ImageImport *i, const char *const *references, size_t n,
                         void (*fn)(void *arg, const ImageInfo *infos, size_t n_infos, const Error *err), void *arg) {
  ImageStore *s = i->store;
  i->fn = fn;
  i->arg = arg;
  i->references = json_array();
  for (size_t k = 0; k < n; k++)
    json_array_append_new(i->references, json_string(references[k]));
  close(i->fd);
  i->fd = -1;
  i->next_queued = NULL;
  *s->queue_tail = i;
  s->queue_tail = &i->next_queued;
  unpack_next(s);
}
