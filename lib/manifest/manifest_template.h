/* The spec of each kind, read field by field. */
#ifndef SANDPLANE_LIB_MANIFEST_MANIFEST_TEMPLATE_H_
#define SANDPLANE_LIB_MANIFEST_MANIFEST_TEMPLATE_H_

#include "lib/manifest/manifest.h"
#include "lib/manifest/manifest_read.h"

/* Fills all but ns and name; mistakes are in the node's reader. */
void manifest_read_template(const Node *root, ManifestTemplate *t);
void manifest_read_pool(const Node *root, ManifestPool *p);

#endif
