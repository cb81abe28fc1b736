/* Test double: folders and plain files that look like control groups (version 1), so that what uses them can be
 * tested without root and without touching the machine's own. Nothing is limited, and nobody is in them. */
#ifndef SANDPLANE_SERVICES_RECONCILER_LOCAL_CGROUP_FIXTURE_H_
#define SANDPLANE_SERVICES_RECONCILER_LOCAL_CGROUP_FIXTURE_H_

/* A name for a control group that goes with that folder. The process id would not do: two runs in namespaces of their
 * own have the same, and the machine's control groups. */
const char *fixture_group(const char *folder);
/* ROOT/memory/PARENT/NAME and so on, with the files that a real group has. */
void cgroup_fixture_group(const char *root, const char *parent, const char *name);
/* text of FOLDER/NAME, which the caller frees; NULL: there is no such file. */
char *fixture_read(const char *folder, const char *name);

#endif
