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
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "services/reconciler/local/remove_tree.h"
#include "services/reconciler/local/save_json.h"
#include "services/reconciler/local/subprocess.h"

/* Of the archive as it comes in: far above any image that a laptop keeps. */
#define ARCHIVE_MAX ((int64_t)8 << 30)
#define UNPACK_ARCHIVE_AT_FAULT 3

struct ImageStore {
  Loop *loop;
  char *folder, *unpack;
  json_t *references; /* reference -> digest */
  json_t *images;     /* digest -> image.json, with "import_ms" */
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

ImageStore *image_store_new(Loop *loop, const char *folder, const char *unpack, gid_t group, Error *err) {
  /* an earlier version had it open to all */
  if ((mkdir(folder, 0700) && errno != EEXIST) || chown(folder, (uid_t)-1, group) || chmod(folder, 0710)) {
    error_set(err, ERROR_UNAVAILABLE, "%s: %s", folder, strerror(errno));
    return NULL;
  }
  ImageStore *s = new0(ImageStore);
  *s = (ImageStore){.loop = loop, .folder = str_dup(folder), .unpack = str_dup(unpack), .images = json_object()};
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
  char *dir, *archive, *log;
  int fd;
  int64_t size;
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
  *i = (ImageImport){.store = s, .dir = str_printf("%s/.import-%s", s->folder, suffix), .fd = -1};
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

int image_import_write(ImageImport *i, const void *data, size_t len, Error *err) {
  i->size += (int64_t)len;
  if (i->size > ARCHIVE_MAX)
    return error_set(err, ERROR_RESOURCE_EXHAUSTED, "the archive is larger than 8 GiB");
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

void image_import_free(ImageImport *i) {
  if (!i)
    return;
  if (i->watch) {
    /* reaped before its folder goes, or it would write into what is being removed and stay a zombie */
    kill(i->pid, SIGKILL);
    waitpid(i->pid, NULL, 0);
  }
  pid_watch_free(i->watch);
  if (i->fd >= 0)
    close(i->fd);
  remove_tree(i->dir);
  json_decref(i->references);
  free(i->dir);
  free(i->archive);
  free(i->log);
  free(i);
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
  if (!str_starts_with(digest, "sha256:"))
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

static void on_unpacked(void *arg, int status) {
  ImageImport *i = arg;
  Error err = {0};
  i->watch = NULL;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    char text[400];
    read_log(i, text, sizeof text);
    bool archive = WIFEXITED(status) && WEXITSTATUS(status) == UNPACK_ARCHIVE_AT_FAULT;
    error_set(&err, archive ? ERROR_INVALID_ARGUMENT : ERROR_INTERNAL, "image: %s", *text ? text : "unpacking failed");
    return i->fn(i->arg, NULL, 0, &err);
  }
  if (adopt(i, &err))
    return i->fn(i->arg, NULL, 0, &err);
  size_t n = json_array_size(i->references);
  ImageInfo *infos = xcalloc(n, sizeof *infos);
  for (size_t k = 0; k < n; k++)
    infos[k] = info_of(i->store, json_string_value(json_array_get(i->references, k)));
  i->fn(i->arg, infos, n, NULL);
  free(infos);
}

void image_import_finish(ImageImport *i, const char *const *references, size_t n,
                         void (*fn)(void *arg, const ImageInfo *infos, size_t n_infos, const Error *err), void *arg) {
  Error err = {0};
  i->fn = fn;
  i->arg = arg;
  i->references = json_array();
  for (size_t k = 0; k < n; k++)
    json_array_append_new(i->references, json_string(references[k]));
  close(i->fd);
  i->fd = -1;
  char *const argv[] = {i->store->unpack, i->archive, i->dir, NULL};
  i->pid = subprocess_start(&(SubprocessSpec){.argv = argv, .log_path = i->log}, &err);
  if (i->pid > 0)
    i->watch = pid_watch_new(i->store->loop, i->pid, on_unpacked, i);
  if (i->watch)
    return;
  if (!err.kind)
    error_set(&err, ERROR_INTERNAL, "cannot watch the unpacking: %s", strerror(errno));
  fn(arg, NULL, 0, &err);
}
