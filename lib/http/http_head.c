/* Questions about a head: see http_reader.h. */
#include <http_parser.h>
#include <string.h>
#include <strings.h>

#include "lib/http/http_reader.h"

const char *http_head_get(const HttpHead *head, const char *name) {
  for (size_t i = 0; i < head->n_headers; i++)
    if (strcasecmp(head->headers[i].name, name) == 0)
      return head->headers[i].value;
  return NULL;
}

size_t http_head_count(const HttpHead *head, const char *name) {
  size_t n = 0;
  for (size_t i = 0; i < head->n_headers; i++)
    n += strcasecmp(head->headers[i].name, name) == 0;
  return n;
}

bool http_list_has_token(const char *list, const char *token) {
  size_t want = strlen(token);
  while (*list) {
    list += strspn(list, ", \t");
    size_t n = strcspn(list, ",");
    size_t trimmed = n;
    while (trimmed && (list[trimmed - 1] == ' ' || list[trimmed - 1] == '\t'))
      trimmed--;
    if (trimmed == want && strncasecmp(list, token, want) == 0)
      return true;
    list += n;
  }
  return false;
}

bool http_head_has_token(const HttpHead *head, const char *name, const char *token) {
  for (size_t i = 0; i < head->n_headers; i++)
    if (strcasecmp(head->headers[i].name, name) == 0 && http_list_has_token(head->headers[i].value, token))
      return true;
  return false;
}

const char *http_status_text(int status) {
  const char *s = http_status_str((enum http_status)status);
  return *s == '<' ? "Unknown" : s;
}
