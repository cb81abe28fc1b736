/* What a file holds: documents, Lists of objects, and objects that are not ours. See manifest.h. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/str.h"
#include "lib/manifest/manifest.h"
#include "lib/yaml/yaml_json.h"

static bool is_blank(const char *text, size_t len) {
  for (const char *line = text, *end = text + len; line < end;) {
    const char *eol = memchr(line, '\n', (size_t)(end - line));
    if (!eol)
      eol = end;
    const char *p = line;
    while (p < eol && (*p == ' ' || *p == '\t' || *p == '\r'))
      p++;
    if (p < eol && *p != '#')
      return false;
    line = eol + 1;
  }
  return true;
}

/* Calls fn for each document that is not empty, with its first line, until it fails. */
static int split(const char *text, size_t len,
                 int (*fn)(void *arg, const char *doc, size_t doc_len, int line, Error *err), void *arg, Error *err) {
  const char *end = text + len, *doc = text;
  int line = 1, doc_line = 1;
  for (const char *p = text; p <= end; line++) {
    const char *eol = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
    if (!eol)
      eol = end;
    bool marker = eol - p >= 3 && memcmp(p, "---", 3) == 0 && (eol - p == 3 || p[3] == ' ' || p[3] == '\r');
    if (marker || eol == end) {
      size_t n = (size_t)((marker ? p : end) - doc);
      if (!is_blank(doc, n) && fn(arg, doc, n, doc_line, err))
        return -1;
      doc = eol < end ? eol + 1 : end;
      doc_line = line + 1;
    }
    if (eol == end)
      break;
    p = eol + 1;
  }
  return 0;
}

typedef struct Each {
  int (*fn)(void *arg, const ManifestDocument *doc, Error *err);
  void *arg;
} Each;

static const char *text_of(const json_t *object, const char *name) {
  const char *s = json_string_value(json_object_get(object, name));
  return s ? s : "";
}

static int tell(const Each *e, ManifestDocument doc, const json_t *object, Error *err) {
  doc.api_version = text_of(object, "apiVersion");
  doc.kind = text_of(object, "kind");
  doc.name = text_of(json_object_get(object, "metadata"), "name");
  return e->fn(e->arg, &doc, err);
}

/* "List" of kubectl, and those of our kinds that an API server answers with. */
static bool is_list(const json_t *object) {
  const char *kind = text_of(object, "kind");
  bool core = str_equal(text_of(object, "apiVersion"), "v1") && str_equal(kind, "List");
  return core || str_equal(kind, MANIFEST_TEMPLATE_KIND "List") || str_equal(kind, MANIFEST_POOL_KIND "List");
}

static int each_item(const Each *e, const json_t *list, int line, Error *err) {
  const json_t *items = json_object_get(list, "items"), *item;
  size_t i;
  int rc = 0;
  if (!json_is_array(items))
    return error_field(err, "items", "must be a list");
  json_array_foreach(items, i, item) {
    char field[32];
    snprintf(field, sizeof field, "items[%zu]", i);
    if (!json_is_object(item))
      return error_field(err, field, "must be an object");
    if (is_list(item))
      return error_field(err, field, "is a List inside a List");
    char *text = json_dumps(item, JSON_COMPACT);
    if (!text)
      abort();
    rc = tell(e, (ManifestDocument){.text = text, .len = strlen(text), .line = line, .item = (int)i}, item, err);
    free(text);
    if (rc != 0)
      return -1;
  }
  return 0;
}

static int on_document(void *arg, const char *text, size_t len, int line, Error *err) {
  const Each *e = arg;
  json_t *object = yaml_json_load(text, len, err);
  if (!object)
    return error_prefix(err, "document at line %d", line);
  int rc = is_list(object)
               ? each_item(e, object, line, err)
               : tell(e, (ManifestDocument){.text = text, .len = len, .line = line, .item = -1}, object, err);
  json_decref(object);
  return rc;
}

int manifest_each(const char *text, size_t len, int (*fn)(void *arg, const ManifestDocument *doc, Error *err),
                  void *arg, Error *err) {
  Each e = {fn, arg};
  return split(text, len, on_document, &e, err);
}

/* Whether an API group is one of Agent Sandbox, or meant to be. */
static bool is_near(const char *api_version) {
  return strstr(api_version, "agents.x-k8s.io") || strstr(api_version, "agent-sandbox");
}

int manifest_belongs(const ManifestDocument *doc, Error *err) {
  bool ours = str_equal(doc->kind, MANIFEST_TEMPLATE_KIND) || str_equal(doc->kind, MANIFEST_POOL_KIND);
  if (ours || !*doc->kind || !*doc->api_version)
    return 0; /* what is wrong with it is told with its field */
  if (str_equal(doc->kind, "SandboxClaim") || str_equal(doc->kind, "Sandbox"))
    return error_field(err, "kind", "kind: %s \"%.64s\" is not applied: a sandbox is claimed by create", doc->kind,
                       doc->name);
  if (is_near(doc->api_version) || strncasecmp(doc->kind, "Sandbox", 7) == 0)
    return 0;
  return MANIFEST_OTHER;
}
