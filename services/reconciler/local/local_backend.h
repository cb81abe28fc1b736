/* The local backend: sandboxes are isolated process trees of this machine. */
#ifndef SANDPLANE_SERVICES_RECONCILER_LOCAL_LOCAL_BACKEND_H_
#define SANDPLANE_SERVICES_RECONCILER_LOCAL_LOCAL_BACKEND_H_

#include "lib/loop/loop.h"
#include "services/reconciler/backend.h"
#include "services/reconciler/config.h"
#include "services/reconciler/local/image_store.h"

/* A ServiceSpec's check: whether config (a ReconcilerConfig) makes sense to this backend. -1 with one line. */
int local_backend_check_config(const void *config, Error *err) MUST_CHECK;
/* Finds what an earlier run left: what lives is taken over, the rest is cleared away. NULL and err: not root, no
 * control groups, the data folder is in use by another reconciler. */
Backend *local_backend_new(Loop *loop, const ReconcilerConfig *config, const BackendEvents *events, void *arg,
                           Error *err);
ImageStore *local_backend_images(Backend *backend);
/* How many of each class exist; calls fn for each class that works here. */
void local_backend_classes(Backend *backend, void (*fn)(void *arg, const char *class_name, size_t n), void *arg);
/* What each missing class lacks, for the start-up log; NULL when it works. */
const char *local_backend_missing(const Backend *backend, const char *class_name);

#endif
