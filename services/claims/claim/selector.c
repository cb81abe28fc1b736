/* See selector.h. The text is copied once and cut in place; terms point into the copy. */
#include "services/claims/claim/selector.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"

typedef enum Op { OP_EXISTS, OP_ABSENT, OP_EQUAL, OP_DIFFERS } Op;

typedef struct Term {
  Op op;
  const char *key;
  const char *value; /* EQUAL, DIFFERS */
} Term;

struct Selector {
  char *text;
  size_t n_terms;
  Term terms[SELECTOR_MAX_TERMS];
};

static char *trim(char *s) {
  s += strspn(s, " ");
  size_t len = strlen(s);
  while (len > 0 && s[len - 1] == ' ')
    s[--len] = '\0';
  return s;
}

static int parse_term(char *s, Term *term, Error *err) {
  s = trim(s);
  char *equals = strchr(s, '=');
  if (equals && equals > s && equals[-1] == '!') {
    term->op = OP_DIFFERS;
    equals[-1] = '\0';
  } else {
    term->op = equals ? OP_EQUAL : *s == '!' ? OP_ABSENT : OP_EXISTS;
  }
  if (equals) {
    *equals = '\0';
    term->value = trim(equals + 1 + (term->op == OP_EQUAL && equals[1] == '='));
    if (!str_is_label_value(term->value))
      return error_field(err, "label_selector", "a value must be empty or 1-63 of [A-Za-z0-9._-]");
  }
  term->key = trim(term->op == OP_ABSENT ? s + 1 : s);
  if (!str_is_label_key(term->key))
    return error_field(err, "label_selector",
                       "requirements are key, !key, key=value and key!=value, separated by commas; each key a label "
                       "key");
  return 0;
}

static int parse_all(Selector *selector, Error *err) {
  if (strlen(selector->text) > SELECTOR_MAX_BYTES)
    return error_field(err, "label_selector", "must be at most %d bytes", SELECTOR_MAX_BYTES);
  char *rest = *trim(selector->text) ? selector->text : NULL;
  for (char *term; (term = strsep(&rest, ","));) {
    if (selector->n_terms == SELECTOR_MAX_TERMS)
      return error_field(err, "label_selector", "must hold at most %d requirements", SELECTOR_MAX_TERMS);
    if (parse_term(term, &selector->terms[selector->n_terms++], err) < 0)
      return -1;
  }
  return 0;
}

Selector *selector_parse(const char *text, Error *err) {
  Selector *selector = new0(Selector);
  selector->text = str_dup(text ? text : "");
  if (parse_all(selector, err) == 0)
    return selector;
  selector_free(selector);
  return NULL;
}

void selector_free(Selector *selector) {
  if (!selector)
    return;
  free(selector->text);
  free(selector);
}

static const char *find(const StatePair *labels, size_t n, const char *key) {
  for (size_t i = 0; i < n; i++)
    if (str_equal(labels[i].key, key))
      return labels[i].value;
  return NULL;
}

bool selector_matches(const Selector *selector, const StatePair *labels, size_t n_labels) {
  for (size_t i = 0; i < selector->n_terms; i++) {
    const Term *term = &selector->terms[i];
    const char *value = find(labels, n_labels, term->key);
    bool holds = false;
    switch (term->op) {
    case OP_EXISTS:
      holds = value != NULL;
      break;
    case OP_ABSENT:
      holds = value == NULL;
      break;
    case OP_EQUAL:
      holds = value && str_equal(value, term->value);
      break;
    case OP_DIFFERS: /* a missing label differs, as in Kubernetes */
      holds = !value || !str_equal(value, term->value);
      break;
    }
    if (!holds)
      return false;
  }
  return true;
}
