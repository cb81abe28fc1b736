/* Documents that are whole after a power cut: the old one or the new one. */
#ifndef SANDPLANE_SERVICES_RECONCILER_LOCAL_SAVE_JSON_H_
#define SANDPLANE_SERVICES_RECONCILER_LOCAL_SAVE_JSON_H_

#include <jansson.h>

#include "lib/base/error.h"

/* Puts doc at FOLDER/NAME, and returns when it is on the disk. */
int save_json(const char *folder, const char *name, const json_t *doc, Error *err) MUST_CHECK;
/* Returns when the names in it are on the disk. */
int sync_folder(const char *folder, Error *err) MUST_CHECK;

#endif
