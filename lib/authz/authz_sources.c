/* See authz_sources.h. */
#include "lib/authz/authz_sources.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/authz/authz_file.h"
#include "lib/authz/authz_keys.h"
#include "lib/base/alloc.h"
#include "lib/base/map.h"
#include "lib/base/str.h"
#include "lib/crypto/crypto.h"

#define BLANKS " \t\r\n"

typedef struct Entry {
  AuthzKey key;
  AuthzPrincipal who;
} Entry;

struct AuthzSources {
  atomic_size_t refs;
  Entry *keys;
  size_t n_keys;
  Map *by_id; /* id -> Entry of keys */
  /* Tokens have no id: each is an entry whose hash is looked through. */
  Entry tokens[AUTHZ_TOKENS_MAX];
  size_t n_tokens;
};

void authz_sources_release(AuthzSources *s) {
  if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
    return;
  for (size_t i = 0; i < s->n_keys; i++)
    authz_key_deinit(&s->keys[i].key);
  for (size_t i = 0; i < s->n_tokens; i++)
    authz_key_deinit(&s->tokens[i].key);
  map_free(s->by_id);
  free(s->keys);
  free(s);
}

static void name_principal(Entry *entry, const char *key_id) {
  entry->who = (AuthzPrincipal){
      .tenant = entry->key.tenant, .key_id = key_id, .role = entry->key.role, .namespaces = entry->key.namespaces};
}

/* ---- keys ---- */

static int add_key(AuthzSources *s, const char *line, size_t len, Error *err) {
  AuthzKey key;
  int rc = authz_key_parse(line, len, &key, err);
  if (rc <= 0)
    return rc;
  if (s->n_keys == AUTHZ_KEYS_MAX)
    rc = error_set(err, ERROR_INVALID_ARGUMENT, "more than %d keys", AUTHZ_KEYS_MAX);
  /* entries still move: what stands behind an id is filled in at the end */
  else if (map_put(s->by_id, key.id, s))
    rc = error_set(err, ERROR_INVALID_ARGUMENT, "id %s is there already", key.id);
  if (rc < 0) {
    authz_key_deinit(&key);
    return -1;
  }
  s->keys = xreallocarray(s->keys, s->n_keys + 1, sizeof *s->keys);
  s->keys[s->n_keys++] = (Entry){.key = key};
  return 0;
}

static int read_keys(AuthzSources *s, const char *path, Error *err) {
  CLEANUP(authz_file_forget) Buf text = BUF_INIT(AUTHZ_FILE_MAX);
  if (authz_file_read(AUTHZ_KEYS_OPTION, path, AUTHZ_FILE_SECRET, &text, err) != 0)
    return -1;
  const char *at = buf_str(&text), *end = at + text.len;
  for (int line = 1; at < end; line++) {
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    size_t len = stop ? (size_t)(stop - at) : (size_t)(end - at);
    if (add_key(s, at, len, err) != 0) {
      const char *dot = *err->field ? ": " : "";
      return error_prefix(err, AUTHZ_KEYS_OPTION ": %s:%d%s%s", path, line, dot, err->field);
    }
    at += len + 1;
  }
  for (size_t i = 0; i < s->n_keys; i++) {
    name_principal(&s->keys[i], s->keys[i].key.id);
    map_put(s->by_id, s->keys[i].key.id, &s->keys[i]);
  }
  return 0;
}

/* ---- tokens ---- */

static int read_token(AuthzSources *s, char *text, Error *err) {
  char *rest, *name = strtok_r(text, BLANKS, &rest);
  if (!name || *name == '#')
    return 0;
  char *token = strtok_r(NULL, BLANKS, &rest), *role = strtok_r(NULL, BLANKS, &rest);
  if (!str_is_dns_label(name))
    return error_set(err, ERROR_INVALID_ARGUMENT, "the tenant must be a DNS label");
  if (!token || strlen(token) < AUTHZ_TOKEN_MIN || strlen(token) > AUTHZ_TOKEN_MAX)
    return error_set(err, ERROR_INVALID_ARGUMENT, "the token must be 16 to 512 characters");
  if (strtok_r(NULL, BLANKS, &rest) || (role && !str_equal(role, "admin")))
    return error_set(err, ERROR_INVALID_ARGUMENT, "only \"admin\" may stand behind the token");
  for (size_t i = 0; i < s->n_tokens; i++)
    if (authz_key_matches(&s->tokens[i].key, token))
      return error_set(err, ERROR_INVALID_ARGUMENT, "the token is there already");
  if (s->n_tokens == AUTHZ_TOKENS_MAX)
    return error_set(err, ERROR_INVALID_ARGUMENT, "more than %d tokens", AUTHZ_TOKENS_MAX);
  Entry *entry = &s->tokens[s->n_tokens++];
  entry->key = (AuthzKey){.tenant = str_dup(name),
                          .namespaces = str_dup("*"),
                          .role = role ? AUTHZ_ADMIN : AUTHZ_USER,
                          .expire_s = INT64_MAX};
  crypto_sha256(token, strlen(token), entry->key.hash);
  name_principal(entry, "");
  return 0;
}

static int read_tokens(AuthzSources *s, const char *path, Error *err) {
  CLEANUP(authz_file_forget) Buf text = BUF_INIT(AUTHZ_FILE_MAX);
  if (authz_file_read(AUTHZ_TOKENS_OPTION, path, AUTHZ_FILE_SECRET, &text, err) != 0)
    return -1;
  char *at = (char *)text.data, *end = at ? at + text.len : NULL;
  for (int line = 1; at < end; line++) {
    char *stop = memchr(at, '\n', (size_t)(end - at));
    if (stop)
      *stop = 0;
    if (read_token(s, at, err) != 0)
      return error_prefix(err, AUTHZ_TOKENS_OPTION ": %s:%d", path, line);
    at = stop ? stop + 1 : end;
  }
  if (s->n_tokens == 0)
    return error_set(err, ERROR_INVALID_ARGUMENT, AUTHZ_TOKENS_OPTION ": %s: holds no token", path);
  return 0;
}

/* ---- looking up ---- */

/* All are compared, whichever it is. */
static const Entry *find_token(const AuthzSources *s, const char *credential) {
  const Entry *found = NULL;
  uint8_t hash[AUTHZ_HASH_LEN];
  crypto_sha256(credential, strlen(credential), hash);
  for (size_t i = 0; i < s->n_tokens; i++)
    if (crypto_equal(hash, sizeof hash, s->tokens[i].key.hash, AUTHZ_HASH_LEN))
      found = &s->tokens[i];
  return found;
}

static const Entry *find_key(const AuthzSources *s, const char *credential) {
  static const AuthzKey NOBODY; /* no text is known that has this hash */
  char id[AUTHZ_KEY_ID_LEN + 1];
  if (!authz_key_id_of(credential, id))
    return NULL;
  const Entry *entry = map_get(s->by_id, id);
  return authz_key_matches(entry ? &entry->key : &NOBODY, credential) ? entry : NULL;
}

int authz_sources_find(const AuthzSources *s, const char *credential, int64_t now_s, const AuthzPrincipal **ret_who,
                       Error *err) {
  const Entry *entry = find_key(s, credential);
  if (!entry)
    entry = find_token(s, credential);
  if (!entry)
    return error_set(err, ERROR_UNAUTHENTICATED, "the bearer token is not known");
  if (now_s >= entry->key.expire_s)
    return error_set(err, ERROR_UNAUTHENTICATED, "key %s has expired", entry->key.id);
  *ret_who = &entry->who;
  return 0;
}

size_t authz_sources_count(const AuthzSources *s) {
  return s->n_keys + s->n_tokens;
}

static AuthzSources *read_sources(const char *keys_path, const char *tokens_path, Error *err) {
  AuthzSources *s = new0(AuthzSources);
  atomic_init(&s->refs, 1);
  s->by_id = map_new();
  if ((keys_path && read_keys(s, keys_path, err) != 0) || (tokens_path && read_tokens(s, tokens_path, err) != 0)) {
    authz_sources_release(s);
    return NULL;
  }
  return s;
}

/* ---- the store ---- */

struct AuthzStore {
  char *keys_path, *tokens_path; /* NULL: none */
  AuthzStamp keys_stamp, tokens_stamp;
  pthread_mutex_t lock; /* of current, for as long as a reference is taken */
  AuthzSources *current;
};

static void look(const AuthzStore *store, AuthzStamp *ret_keys, AuthzStamp *ret_tokens) {
  *ret_keys = store->keys_path ? authz_stamp(store->keys_path) : (AuthzStamp){0};
  *ret_tokens = store->tokens_path ? authz_stamp(store->tokens_path) : (AuthzStamp){0};
}

int authz_store_new(const char *keys_path, const char *tokens_path, AuthzStore **ret_store, Error *err) {
  *ret_store = NULL;
  if (str_empty(keys_path) && str_empty(tokens_path))
    return 0;
  AuthzStore *store = new0(AuthzStore);
  pthread_mutex_init(&store->lock, NULL);
  store->keys_path = str_empty(keys_path) ? NULL : str_dup(keys_path);
  store->tokens_path = str_empty(tokens_path) ? NULL : str_dup(tokens_path);
  /* before it is read: what changes meanwhile is read again */
  look(store, &store->keys_stamp, &store->tokens_stamp);
  store->current = read_sources(store->keys_path, store->tokens_path, err);
  if (!store->current) {
    authz_store_free(store);
    return -1;
  }
  *ret_store = store;
  return 0;
}

void authz_store_free(AuthzStore *store) {
  if (!store)
    return;
  authz_sources_release(store->current);
  pthread_mutex_destroy(&store->lock);
  free(store->keys_path);
  free(store->tokens_path);
  free(store);
}

AuthzSources *authz_store_take(AuthzStore *store) {
  pthread_mutex_lock(&store->lock);
  AuthzSources *s = store->current;
  atomic_fetch_add(&s->refs, 1);
  pthread_mutex_unlock(&store->lock);
  return s;
}

int authz_store_reload(AuthzStore *store, Error *err) {
  AuthzStamp keys, tokens;
  look(store, &keys, &tokens);
  if (authz_stamp_equal(&keys, &store->keys_stamp) && authz_stamp_equal(&tokens, &store->tokens_stamp))
    return 0;
  store->keys_stamp = keys;
  store->tokens_stamp = tokens;
  AuthzSources *fresh = read_sources(store->keys_path, store->tokens_path, err);
  if (!fresh)
    return -1;
  pthread_mutex_lock(&store->lock);
  AuthzSources *old = store->current;
  store->current = fresh;
  pthread_mutex_unlock(&store->lock);
  authz_sources_release(old);
  return 1;
}
