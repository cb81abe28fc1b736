/* keys new, list, revoke: the router's file of API keys. Nothing is called; the router reads the file again. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/key/key_file.h"
#include "cli/text/table.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

/* With as many namespaces as a key may have. */
#define KEY_LINE_MAX (4096 + (size_t)AUTHZ_NAMESPACES_MAX * 70)

static int open_file(const Args *args, bool may_be_new, KeyFile *ret_file) {
  const char *path = args_value(args, "file");
  if (!path)
    path = getenv("SANDPLANE_API_KEYS_FILE");
  if (str_empty(path))
    return cli_usage("keys needs --file FILE, the router's --api-keys-file");
  Error err = {0};
  if (key_file_open(ret_file, path, may_be_new, &err) == 0)
    return 0;
  fprintf(stderr, "sandctl: %s\n", err.message);
  return EXIT_FAILED;
}

static int failed(KeyFile *file, const Error *err) {
  key_file_close(file);
  fprintf(stderr, "sandctl: %s\n", err->message);
  return EXIT_FAILED;
}

static void expiry(const AuthzKey *key, char out[32]) {
  if (key->expire_s == INT64_MAX)
    snprintf(out, 32, "never");
  else
    clock_format_rfc3339(key->expire_s * 1000, out, 32);
}

/* ---- new ---- */

/* "720h", or a time of RFC 3339. */
static int read_expiry(const char *text, int64_t *ret_s) {
  int64_t ms;
  *ret_s = INT64_MAX;
  if (!text)
    return 0;
  if (str_to_duration_ms(text, &ms) == 0 && ms > 0)
    ms += clock_wall_ms();
  else if (clock_parse_rfc3339(text, &ms) != 0)
    return cli_usage("--expires: \"%s\" is neither a duration such as 720h nor a time such as 2027-01-01T00:00:00Z",
                     text);
  *ret_s = ms / 1000;
  return 0;
}

static int read_key(const Args *args, const Cli *cli, AuthzKey *key) {
  const char *tenant = args_value(args, "tenant"), *role = args_value(args, "role"),
             *namespaces = args_value(args, "namespaces");
  Error err = {0};
  if (!tenant || !str_is_dns_label(tenant))
    return cli_usage("keys new needs --tenant NAME, a DNS label");
  if (role && !str_equal(role, "user") && !str_equal(role, "admin"))
    return cli_usage("--role: \"%s\" is neither user nor admin", role);
  int code = read_expiry(args_value(args, "expires"), &key->expire_s);
  if (code)
    return code;
  key->role = str_equal(role, "admin") ? AUTHZ_ADMIN : AUTHZ_USER;
  if (!namespaces)
    namespaces = key->role == AUTHZ_ADMIN ? "*" : cli->ns;
  key->namespaces = authz_namespaces_parse(namespaces, &err);
  if (!key->namespaces)
    return cli_usage("--namespaces: %s", err.message);
  key->tenant = str_dup(tenant);
  return 0;
}

/* A last line without an end would swallow what is put behind it. */
static int append(KeyFile *file, const AuthzKey *key, Error *err) {
  Buf *text = &file->text;
  if (text->len > 0 && text->data[text->len - 1] != '\n' && buf_append_str(text, "\n") != 0)
    return error_set(err, ERROR_RESOURCE_EXHAUSTED, "%s: is full", file->path);
  if (text->len + KEY_LINE_MAX > text->max)
    return error_set(err, ERROR_RESOURCE_EXHAUSTED, "%s: is full", file->path);
  authz_key_write(key, text);
  return 0;
}

static void no_line(void *arg, const char *line, size_t len, const AuthzKey *key) {
  (void)arg, (void)line, (void)len, (void)key;
}

static void print_new(const Cli *cli, const AuthzKey *key, const char *text) {
  if (cli->format == FORMAT_JSON)
    printf("{\"id\":\"%s\",\"key\":\"%s\"}\n", key->id, text);
  else
    printf("%s\n", text);
}

static int new_key(Cli *cli, const Args *args) {
  AuthzKey key = {0};
  KeyFile file;
  Error err = {0};
  if (args->n_names || cli->format == FORMAT_NAME)
    return cli_usage("keys new takes no names, and prints the key as text or json");
  int code = read_key(args, cli, &key);
  if (!code)
    code = open_file(args, true, &file);
  if (code) {
    authz_key_deinit(&key);
    return code;
  }
  char text[AUTHZ_KEY_TEXT_LEN + 1];
  authz_key_make(&key, text);
  /* what the router would refuse is not made longer */
  if (key_file_each(&file, no_line, NULL, &err) != 0 || append(&file, &key, &err) != 0 ||
      key_file_replace(&file, &err) != 0)
    code = failed(&file, &err);
  else
    key_file_close(&file);
  if (!code)
    print_new(cli, &key, text);
  explicit_bzero(text, sizeof text);
  authz_key_deinit(&key);
  return code;
}

/* ---- list ---- */

typedef struct Listing {
  Format format;
  Table *table;
} Listing;

static void print_json(const AuthzKey *key, const char *expires) {
  json_auto_t *object = json_pack("{s:s,s:s,s:s,s:s,s:s}", "id", key->id, "tenant", key->tenant, "role",
                                  authz_role_name(key->role), "namespaces", key->namespaces, "expires", expires);
  json_dumpf(object, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
  printf("\n");
}

static void show(void *arg, const char *line, size_t len, const AuthzKey *key) {
  Listing *l = arg;
  char expires[32];
  if (!key)
    return;
  expiry(key, expires);
  if (l->format == FORMAT_NAME)
    printf("%s\n", key->id);
  else if (l->format == FORMAT_JSON)
    print_json(key, expires);
  else
    table_row(l->table,
              (const char *const[]){key->id, key->tenant, authz_role_name(key->role), key->namespaces, expires});
}

static int list(Cli *cli, const Args *args) {
  static const char *const HEADS[] = {"ID", "TENANT", "ROLE", "NAMESPACES", "EXPIRES", NULL};
  KeyFile file;
  Error err = {0};
  if (args->n_names)
    return cli_usage("keys list takes no names");
  int code = open_file(args, false, &file);
  if (code)
    return code;
  Listing l = {cli->format, table_new(HEADS)};
  if (key_file_each(&file, show, &l, &err) != 0) {
    table_free(l.table);
    return failed(&file, &err);
  }
  key_file_close(&file);
  if (cli->format == FORMAT_TABLE)
    table_print(l.table);
  else
    table_free(l.table);
  return 0;
}

/* ---- revoke ---- */

typedef struct Revocation {
  const Args *args;
  Buf kept;
  size_t n_found;
} Revocation;

static void keep(void *arg, const char *line, size_t len, const AuthzKey *key) {
  Revocation *r = arg;
  for (size_t i = 0; key && i < r->args->n_names; i++) {
    if (str_equal(r->args->names[i], key->id)) {
      r->n_found++;
      return;
    }
  }
  if (buf_append(&r->kept, line, len) != 0)
    abort(); /* no longer than what was read */
}

static int revoke(Cli *cli, const Args *args) {
  KeyFile file;
  Error err = {0};
  if (!args->n_names)
    return cli_usage("keys revoke needs IDs, as keys list shows them");
  int code = open_file(args, false, &file);
  if (code)
    return code;
  Revocation r = {.args = args, .kept = BUF_INIT(file.text.max)};
  int rc = key_file_each(&file, keep, &r, &err);
  if (rc == 0 && r.n_found < args->n_names)
    rc = error_set(&err, ERROR_NOT_FOUND, "%zu of these keys are not in %s; nothing was changed",
                   args->n_names - r.n_found, file.path);
  if (rc == 0) {
    Buf old = file.text;
    file.text = r.kept;
    r.kept = old;
    rc = key_file_replace(&file, &err);
  }
  buf_deinit(&r.kept);
  if (rc != 0)
    return failed(&file, &err);
  key_file_close(&file);
  return 0;
}

#define FILE_OPTION \
  { "file", 'f', "FILE", "the router's --api-keys-file (SANDPLANE_API_KEYS_FILE)" }

static const Option FILES[] = {FILE_OPTION, {NULL, 0, NULL, NULL}};
static const Option NEW[] = {
    FILE_OPTION,
    {"tenant", 0, "NAME", "whose sandboxes the key makes and reaches"},
    {"role", 0, "ROLE", "user, or admin: everything of everybody (user)"},
    {"namespaces", 0, "LIST", "which it may use, joined by commas, or *: all (that of --namespace; of admins: *)"},
    {"expires", 0, "WHEN", "a duration such as 720h, or a time such as 2027-01-01T00:00:00Z (never)"},
    {NULL, 0, NULL, NULL},
};

const Command KEY_COMMANDS[] = {
    {"keys new", "--tenant NAME", "Makes an API key and prints it, once.", NEW, new_key, NULL},
    {"keys list", "", "Lists the API keys of a file.", FILES, list, NULL},
    {"keys revoke", "ID...", "Takes API keys away.", FILES, revoke, NULL},
    {NULL, NULL, NULL, NULL, NULL, NULL},
};
