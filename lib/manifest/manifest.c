/* See manifest.h. */
#include "lib/manifest/manifest.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/manifest/manifest_template.h"
#include "lib/yaml/yaml_json.h"

#define GROUP MANIFEST_GROUP "/"

/* What a server adds to the metadata of an object, and says nothing about what is wanted. */
#define OF_A_SERVER_NAMES                                                                                         \
  "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", \
      "managedFields", "selfLink", "ownerReferences", "finalizers", NULL
static const char *const OF_A_SERVER[] = {OF_A_SERVER_NAMES};
static const char *const METADATA[] = {"name", "namespace", "labels", "annotations", OF_A_SERVER_NAMES};
/* The manifest as it was applied, whole, once more. */
#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"

static void read_metadata(const Node *root, char **ret_ns, char **ret_name) {
  Node meta = node_get(root, "metadata"), ns = node_get(&meta, "namespace"), name = node_get(&meta, "name");
  node_want_object(&meta);
  node_only(&meta, METADATA);
  *ret_ns = node_string(&ns, "default");
  *ret_name = node_string(&name, "");
  if (!str_is_dns_label(*ret_ns))
    node_fail(&ns, "\"%.64s\" is not a DNS label", *ret_ns);
  if (!str_is_dns_label(*ret_name))
    node_fail(&name, "\"%.64s\" is not a DNS label", *ret_name);
}

/* FNV-1a over what a sandbox is made of, so that a changed label of the template itself changes nothing. */
static void hash_blueprint(const json_t *object, char out[9]) {
  static const char *const PARTS[] = {"podTemplate", "volumeClaimTemplates", "service"};
  json_t *spec = json_object_get(object, "spec"), *blueprint = json_object();
  for (size_t i = 0; i < ARRAY_LEN(PARTS); i++)
    json_object_set(blueprint, PARTS[i], json_object_get(spec, PARTS[i]));
  CLEANUP(str_freep) char *text = json_dumps(blueprint, JSON_COMPACT | JSON_SORT_KEYS);
  json_decref(blueprint);
  if (!text)
    abort();
  snprintf(out, 9, "%08x", str_fnv1a32(text, strlen(text)));
}

static void drop_what_servers_add(json_t *object) {
  json_t *meta = json_object_get(object, "metadata"), *annotations = json_object_get(meta, "annotations");
  json_t *pod = json_object_get(json_object_get(object, "spec"), "podTemplate");
  for (size_t i = 0; OF_A_SERVER[i]; i++)
    json_object_del(meta, OF_A_SERVER[i]);
  json_object_del(annotations, LAST_APPLIED);
  if (annotations && json_object_size(annotations) == 0)
    json_object_del(meta, "annotations");
  json_object_del(json_object_get(pod, "metadata"), "creationTimestamp");
  json_object_del(object, "status");
}

static char *canonical(json_t *object, const char *ns) {
  json_object_set_new(object, "apiVersion", json_string(GROUP "v1beta1"));
  json_object_set_new(json_object_get(object, "metadata"), "namespace", json_string(ns));
  drop_what_servers_add(object);
  char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
  if (!text)
    abort();
  return text;
}

static void read_kind(const Node *root, json_t *object, Manifest *m) {
  Node api = node_get(root, "apiVersion"), kind = node_get(root, "kind");
  CLEANUP(str_freep) char *api_text = node_string(&api, "");
  CLEANUP(str_freep) char *kind_text = node_string(&kind, "");
  if (strcmp(api_text, GROUP "v1alpha1") != 0 && strcmp(api_text, GROUP "v1beta1") != 0)
    return node_fail(&api, "must be " GROUP "v1beta1 or " GROUP "v1alpha1, not \"%.64s\"", api_text);
  node_only(root, (const char *const[]){"apiVersion", "kind", "metadata", "spec", "status", NULL});
  if (strcmp(kind_text, MANIFEST_TEMPLATE_KIND) == 0) {
    m->kind = MANIFEST_TEMPLATE;
    read_metadata(root, &m->template_.ns, &m->template_.name);
    manifest_read_template(root, &m->template_);
    if (root->reader->failed)
      return;
    m->template_.canonical = canonical(object, m->template_.ns);
    hash_blueprint(object, m->template_.hash);
  } else if (strcmp(kind_text, MANIFEST_POOL_KIND) == 0) {
    m->kind = MANIFEST_POOL;
    read_metadata(root, &m->pool.ns, &m->pool.name);
    manifest_read_pool(root, &m->pool);
  } else {
    node_fail(&kind, "\"%.64s\" is not SandboxTemplate or SandboxWarmPool", kind_text);
  }
}

int manifest_parse(const char *text, size_t len, Manifest *m, Error *err) {
  *m = (Manifest){0};
  if (len > MANIFEST_MAX_BYTES)
    return error_set(err, ERROR_INVALID_ARGUMENT, "the manifest has %zu bytes, at most %d are allowed", len,
                     MANIFEST_MAX_BYTES);
  json_t *object = yaml_json_load(text, len, err);
  if (!object)
    return -1;
  Reader reader = {.err = err};
  Node root = node_root(&reader, object);
  if (!json_is_object(object))
    node_fail(&root, "the manifest must be an object");
  else
    read_kind(&root, object, m);
  json_decref(object);
  if (!reader.failed)
    return 0;
  manifest_deinit(m);
  return -1;
}

static void free_strings(char **list) {
  for (char **s = list; s && *s; s++)
    free(*s);
  free(list);
}

void manifest_deinit(Manifest *m) {
  ManifestTemplate *t = &m->template_;
  for (size_t i = 0; i < t->n_env; i++) {
    free(t->env[i].name);
    free(t->env[i].value);
  }
  free(t->env);
  free_strings(t->command);
  free_strings(t->args);
  char *texts[] = {t->ns,      t->name,          t->canonical,         t->container,
                   t->image,   t->runtime_class, t->working_dir,       t->ready_path,
                   m->pool.ns, m->pool.name,     m->pool.template_name};
  for (size_t i = 0; i < ARRAY_LEN(texts); i++)
    free(texts[i]);
  *m = (Manifest){0};
}
