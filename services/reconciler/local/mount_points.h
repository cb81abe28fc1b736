/* Where sandboxes mount something into their image. A link or ".." on the way there would be followed by whoever
 * mounts, at a time when the machine's own folders can still be reached: every component must be a real folder of the
 * image. */
#ifndef SANDPLANE_SERVICES_RECONCILER_LOCAL_MOUNT_POINTS_H_
#define SANDPLANE_SERVICES_RECONCILER_LOCAL_MOUNT_POINTS_H_

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/error.h"

/* Without a slash before them; all are folders but the last, MOUNT_POINTS_RUNTIME in MOUNT_POINTS_OWN. */
extern const char *const MOUNT_POINTS[];
extern const size_t N_MOUNT_POINTS;
#define MOUNT_POINTS_OWN ".sandplane"
#define MOUNT_POINTS_RUNTIME "runtime"

/* Whether it is a place for a workspace: absolute, no component empty, "." or "..", and not in a place that is
 * something else's, as /proc. One slash at the end is allowed. NULL: it is; else why not, for a person. */
const char *mount_point_fault(const char *working_dir);

/* The folder at path below root_fd, whose components are real folders; make: those that are missing are made, 0755.
 * Its descriptor, for the caller to close; -1 and errno: ELOOP or ENOTDIR for what is none. */
int mount_point_open(int root_fd, const char *path, bool make) MUST_CHECK;

/* All of an unpacked image: MOUNT_POINTS, and its own working directory unless that is "". -1 and err says which one is
 * no real folder. */
int mount_points_check(const char *rootfs, const char *working_dir, Error *err) MUST_CHECK;

#endif
