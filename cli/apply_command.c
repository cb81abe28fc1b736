/* apply: SandboxTemplate and SandboxWarmPool manifests, several to a file, as kubectl writes them too.
 *
 * All files are read and checked before the first object is sent, so a typo in the last one changes nothing. Templates
 * go first: a pool whose template comes behind it would be refused. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/sandplane/v1/pool_service.pb-c.h"
#include "cli/call.h"
#include "lib/base/buf.h"
#include "lib/manifest/manifest.h"

/* A file of manifests; each document in it has the API's limit. */
enum { FILE_MAX_BYTES = 8 << 20 };

typedef enum Pass { PASS_CHECK, PASS_TEMPLATES, PASS_POOLS } Pass;

typedef struct Apply {
  Cli *cli;
  Pass pass;
  const char *file;
  size_t n; /* objects that are ours, or should be */
} Apply;

static int read_all(int fd, Buf *text) {
  for (;;) {
    uint8_t *at = buf_reserve(text, 65536);
    if (!at) {
      errno = EFBIG;
      return -1;
    }
    ssize_t n = read(fd, at, 65536);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return (int)n;
    text->len += (size_t)n;
    text->data[text->len] = 0;
  }
}

static void applied(const Cli *cli, const char *kind, const char *name) {
  if (cli->format == FORMAT_NAME)
    printf("%s\n", name);
  else
    printf("%s/%s configured\n", kind, cli_short(name));
}

static int apply_template(Cli *cli, const char *doc, size_t len, Error *err) {
  Sandplane__V1__Template template = SANDPLANE__V1__TEMPLATE__INIT;
  Sandplane__V1__ApplyTemplateRequest request = SANDPLANE__V1__APPLY_TEMPLATE_REQUEST__INIT;
  template.manifest = arena_strndup(cli->arena, doc, len);
  request.template_ = &template;
  Sandplane__V1__Template *now =
      call_unary(cli, TEMPLATE_SERVICE "ApplyTemplate", &request, &sandplane__v1__template__descriptor, err);
  if (!now)
    return -1;
  applied(cli, "template", now->name);
  return 0;
}

static int apply_pool(Cli *cli, const ManifestPool *p, Error *err) {
  Sandplane__V1__Pool pool = SANDPLANE__V1__POOL__INIT;
  Sandplane__V1__ApplyPoolRequest request = SANDPLANE__V1__APPLY_POOL_REQUEST__INIT;
  pool.name = arena_printf(cli->arena, "namespaces/%s/pools/%s", p->ns, p->name);
  pool.template_ = arena_printf(cli->arena, "namespaces/%s/templates/%s", p->ns, p->template_name);
  pool.replicas = p->replicas;
  pool.update_strategy = (Sandplane__V1__Pool__UpdateStrategy)p->strategy;
  request.pool = &pool;
  Sandplane__V1__Pool *now = call_unary(cli, POOL_SERVICE "ApplyPool", &request, &sandplane__v1__pool__descriptor, err);
  if (!now)
    return -1;
  applied(cli, "pool", now->name);
  return 0;
}

/* The manifest alone says where it goes; a --namespace that says otherwise is a mistake. */
static int check_namespace(const Cli *cli, const Manifest *m, Error *err) {
  const char *ns = m->kind == MANIFEST_TEMPLATE ? m->template_.ns : m->pool.ns;
  if (!cli->ns_given || !strcmp(ns, cli->ns))
    return 0;
  return error_field(err, "metadata.namespace", "the manifest goes to %s, --namespace says %s; make them equal", ns,
                     cli->ns);
}

static void skip(const Apply *a, const ManifestDocument *doc) {
  if (a->pass != PASS_CHECK)
    return;
  fprintf(stderr, "sandctl: %s: skipped %s \"%s\" (%s)\n", a->file, doc->kind, doc->name, doc->api_version);
}

static int send_one(const Apply *a, const ManifestDocument *doc, const Manifest *m, Error *err) {
  if (a->pass == PASS_TEMPLATES && m->kind == MANIFEST_TEMPLATE)
    return apply_template(a->cli, doc->text, doc->len, err);
  if (a->pass == PASS_POOLS && m->kind == MANIFEST_POOL)
    return apply_pool(a->cli, &m->pool, err);
  return 0;
}

static int on_document(void *arg, const ManifestDocument *doc, Error *err) {
  Apply *a = arg;
  Manifest manifest = {0};
  int rc = manifest_belongs(doc, err);
  if (rc == MANIFEST_OTHER) {
    skip(a, doc);
    return 0;
  }
  a->n++;
  if (rc == 0)
    rc = manifest_parse(doc->text, doc->len, &manifest, err);
  if (rc == 0)
    rc = check_namespace(a->cli, &manifest, err);
  if (rc == 0)
    rc = send_one(a, doc, &manifest, err);
  manifest_deinit(&manifest);
  if (rc < 0 && doc->item >= 0)
    return error_prefix(err, "document at line %d, items[%d]", doc->line, doc->item);
  return rc < 0 ? error_prefix(err, "document at line %d", doc->line) : 0;
}

static int load(const char *file, Buf *text, Error *err) {
  bool is_stdin = !strcmp(file, "-");
  int fd = is_stdin ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return error_set(err, ERROR_UNKNOWN, "%s: %s", file, strerror(errno));
  int rc = read_all(fd, text);
  if (rc < 0)
    error_set(err, ERROR_UNKNOWN, "%s: %s", file, strerror(errno));
  if (!is_stdin)
    close(fd);
  return rc;
}

static int go_through(Cli *cli, Pass pass, const char *file, const Buf *text, Error *err) {
  Apply a = {.cli = cli, .pass = pass, .file = !strcmp(file, "-") ? "standard input" : file};
  if (manifest_each(buf_str(text), text->len, on_document, &a, err) < 0)
    return error_prefix(err, "%s", a.file);
  if (a.n == 0)
    return error_set(err, ERROR_INVALID_ARGUMENT,
                     "%s: there is no " MANIFEST_TEMPLATE_KIND " and no " MANIFEST_POOL_KIND " in it", a.file);
  return 0;
}

static int apply_all(Cli *cli, const Args *args, size_t n, Error *err) {
  Buf *texts = arena_alloc(cli->arena, n * sizeof *texts);
  int rc = 0;
  for (size_t i = 0; i < n; i++)
    texts[i] = BUF_INIT(FILE_MAX_BYTES);
  for (size_t i = 0; i < n && rc == 0; i++)
    rc = load(args_nth(args, "filename", i), &texts[i], err);
  for (Pass pass = PASS_CHECK; pass <= PASS_POOLS; pass++)
    for (size_t i = 0; i < n && rc == 0; i++)
      rc = go_through(cli, pass, args_nth(args, "filename", i), &texts[i], err);
  for (size_t i = 0; i < n; i++)
    buf_deinit(&texts[i]);
  return rc;
}

static int apply(Cli *cli, const Args *args) {
  if (args->n_names || !args_has(args, "filename"))
    return cli_usage("apply needs -f FILE (- is standard input)");
  size_t n = 0;
  while (args_nth(args, "filename", n))
    n++;
  Error err = {0};
  return apply_all(cli, args, n, &err) < 0 ? cli_fail(cli, &err) : 0;
}

static const Option APPLY[] = {{"filename", 'f', "FILE", "YAML or JSON; - is standard input; may be repeated"},
                               {NULL, 0, NULL, NULL}};

const Command APPLY_COMMANDS[] = {
    {"apply", "-f FILE", "Creates or changes templates and pools from manifests.", APPLY, apply},
    {NULL, NULL, NULL, NULL, NULL},
};
