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
/* How many of each class exist; calls fn for each class, also for one that does not work here. */
void local_backend_classes(Backend *backend, void (*fn)(void *arg, const char *class_name, size_t n), void *arg);
/* What isolates a class, with version and platform; NULL when it does not work here. */
const char *local_backend_about(const Backend *backend, const char *class_name);
/* Why a class does not work, or what it lacks beside the newest; NULL: nothing. */
const char *local_backend_lacks(const Backend *backend, const char *class_name);

#endif
