/* Templates. */
#ifndef SANDPLANE_LIB_STATE_STATE_TEMPLATE_H_
#define SANDPLANE_LIB_STATE_STATE_TEMPLATE_H_

#include "lib/state/state.h"

typedef void (*StateTemplateFn)(void *arg, const TemplateRecord *t, const Error *err);
void state_template_apply(State *s, const TemplateRecord *t, StateTemplateFn fn, void *arg);
void state_template_get(State *s, const char *ns, const char *name, StateTemplateFn fn, void *arg);
void state_template_delete(State *s, const char *ns, const char *name, StateDoneFn fn, void *arg);
/* Index of templates after `after`, at most limit (0: all). ns empty: all namespaces. */
void state_template_names(State *s, const char *ns, const char *after, size_t limit, StateNamesFn fn, void *arg);

#endif
