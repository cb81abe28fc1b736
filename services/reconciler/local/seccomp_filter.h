/* What a sandbox of class process, and the program that unpacks images, may ask the kernel for: system_calls.h by their
 * numbers, and by their arguments no namespaces, no other families of sockets than UNIX, INET, INET6 and NETLINK, no
 * keys pushed into terminals, no limits on process 1. Only this machine's own calls: of another architecture's, or
 * x32's, the caller is killed. */
#ifndef SANDPLANE_SERVICES_RECONCILER_LOCAL_SECCOMP_FILTER_H_
#define SANDPLANE_SERVICES_RECONCILER_LOCAL_SECCOMP_FILTER_H_

#include "lib/base/error.h"

/* Two programs, both of which must allow a call: libseccomp joins no rules about arguments with one without. */
enum { SECCOMP_FILTERS = 2 };

/* Memory files with the compiled programs; the caller closes. -1 and err: none is open. */
int seccomp_filter_new(int ret_fds[SECCOMP_FILTERS], Error *err) MUST_CHECK;
/* The same files, at their start and to be read only, for somebody who reads them to their end; the caller closes. */
int seccomp_filter_open(const int fds[SECCOMP_FILTERS], int ret_fds[SECCOMP_FILTERS], Error *err) MUST_CHECK;
/* Confines the calling thread for good, and what it starts. It has no_new_privs afterwards. */
int seccomp_filter_load(Error *err) MUST_CHECK;

#endif
