/* JSON text from an API server, which anyone who may create objects has a say in.
 *
 * jansson refuses what the API server accepts and stores: an escaped NUL and whole numbers beyond 64 bits. One such
 * object would make a whole list unreadable, and with it all objects of its kind. So these are replaced, by U+FFFD and
 * by the nearest number, and the object is left to be refused by itself. */
#ifndef SANDPLANE_LIB_KUBE_KUBE_JSON_H_
#define SANDPLANE_LIB_KUBE_KUBE_JSON_H_

#include <jansson.h>

/* New reference, or NULL: not JSON. The text may be changed in place. */
json_t *kube_json_parse(char *text, size_t len);

#endif
