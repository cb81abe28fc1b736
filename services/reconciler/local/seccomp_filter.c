/* See seccomp_filter.h. */
#include "services/reconciler/local/seccomp_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "services/reconciler/local/system_calls.h"

static const unsigned long NAMESPACES =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
/* The usual one, and what asks which it is; another one has other ways into the kernel. */
static const scmp_datum_t PERSONALITIES[] = {0, 0xffffffff};

static int add_names(scmp_filter_ctx ctx, uint32_t action, const char *const *names, size_t n) {
  int rc = 0;
  for (size_t i = 0; i < n && rc == 0; i++) {
    int nr = seccomp_syscall_resolve_name(names[i]);
    /* negative: not of this architecture, or newer than the library */
    if (nr >= 0)
      rc = seccomp_rule_add(ctx, action, nr, 0);
  }
  return rc;
}

/* The machine's virtual sockets lead to whoever runs it, past every network namespace; the other families are code that
 * sandboxes have no use for. */
static int add_families(scmp_filter_ctx ctx, int nr) {
  static const int ALLOWED[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
  int rc = 0;
  size_t k = 0;
  for (int family = 0; family <= AF_NETLINK && rc == 0; family++) {
    bool allowed = family == ALLOWED[k];
    k += allowed;
    rc = seccomp_rule_add(ctx, allowed ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EAFNOSUPPORT), nr, 1,
                          SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family));
  }
  return rc ? rc
            : seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), nr, 1,
                               SCMP_A0(SCMP_CMP_GT, (scmp_datum_t)AF_NETLINK));
}

static int fill_calls(scmp_filter_ctx ctx) {
  int rc = add_names(ctx, SCMP_ACT_ALLOW, SYSTEM_CALLS_ALLOWED, SYSTEM_CALLS_N_ALLOWED);
  if (rc == 0)
    rc = add_names(ctx, SCMP_ACT_ERRNO(EPERM), SYSTEM_CALLS_REFUSED, SYSTEM_CALLS_N_REFUSED);
  for (size_t i = 0; i < ARRAY_LEN(PERSONALITIES) && rc == 0; i++)
    rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(personality), 1, SCMP_A0(SCMP_CMP_EQ, PERSONALITIES[i]));
  if (rc == 0)
    rc = add_families(ctx, SCMP_SYS(socket));
  return rc ? rc : add_families(ctx, SCMP_SYS(socketpair));
}

static int fill_arguments(scmp_filter_ctx ctx) {
  int rc = 0;
  for (unsigned long bit = 1; bit <= NAMESPACES && bit && rc == 0; bit <<= 1)
    if (NAMESPACES & bit)
      rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, bit, bit));
  /* pushing characters into a terminal that somebody else reads */
  static const unsigned int PUSHES[] = {TIOCSTI, TIOCLINUX};
  for (size_t i = 0; i < ARRAY_LEN(PUSHES) && rc == 0; i++)
    rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                          SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, PUSHES[i]));
  /* a limit of processor time or descriptors on process 1, the runtime, which has the commands' own user */
  if (rc == 0)
    rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prlimit64), 1,
                          SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffff, 1));
  return rc;
}

static scmp_filter_ctx make(bool of_arguments) {
  scmp_filter_ctx ctx = seccomp_init(of_arguments ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(ENOSYS));
  int rc = ctx ? seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) : -ENOMEM;
  /* some hundred comparisons in a row otherwise */
  if (rc == 0 && !of_arguments)
    rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
  if (rc == 0)
    rc = of_arguments ? fill_arguments(ctx) : fill_calls(ctx);
  if (rc == 0)
    return ctx;
  if (ctx)
    seccomp_release(ctx);
  errno = -rc;
  return NULL;
}

static int fail(Error *err) {
  return error_set(err, ERROR_INTERNAL, "seccomp filter: %s", strerror(errno));
}

static int export(bool of_arguments) {
  scmp_filter_ctx ctx = make(of_arguments);
  if (!ctx)
    return -1;
  int fd = memfd_create("seccomp", MFD_CLOEXEC);
  int rc = fd >= 0 ? seccomp_export_bpf(ctx, fd) : -errno;
  seccomp_release(ctx);
  if (rc == 0)
    return fd;
  if (fd >= 0)
    close(fd);
  errno = -rc;
  return -1;
}

static void close_all(int fds[SECCOMP_FILTERS], int n) {
  while (n > 0)
    close(fds[--n]);
}

int seccomp_filter_new(int ret_fds[SECCOMP_FILTERS], Error *err) {
  for (int i = 0; i < SECCOMP_FILTERS; i++) {
    if ((ret_fds[i] = export(i == 1)) >= 0)
      continue;
    close_all(ret_fds, i);
    return fail(err);
  }
  return 0;
}

int seccomp_filter_open(const int fds[SECCOMP_FILTERS], int ret_fds[SECCOMP_FILTERS], Error *err) {
  char path[64];
  for (int i = 0; i < SECCOMP_FILTERS; i++) {
    /* a duplicate would share its place with all others */
    snprintf(path, sizeof path, "/proc/self/fd/%d", fds[i]);
    if ((ret_fds[i] = open(path, O_RDONLY | O_CLOEXEC)) >= 0)
      continue;
    close_all(ret_fds, i);
    return fail(err);
  }
  return 0;
}

int seccomp_filter_load(Error *err) {
  for (int i = SECCOMP_FILTERS - 1; i >= 0; i--) {
    scmp_filter_ctx ctx = make(i == 1);
    int rc = ctx ? seccomp_load(ctx) : -errno;
    if (ctx)
      seccomp_release(ctx);
    if (rc == 0)
      continue;
    errno = -rc;
    return fail(err);
  }
  return 0;
}
