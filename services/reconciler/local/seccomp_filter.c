/* See seccomp_filter.h.
 *
 * A list of what is refused, not of what is allowed: commands are any program in any language, and a new call of
 * the C library that fails as "not permitted" breaks them in odd ways. What is refused is what container engines
 * refuse by default: whatever reaches kernel subsystems that namespaces do not cover, makes new namespaces, or
 * looks into other processes. clone3 hides its flags from a filter, so it is "not there" and programs fall back
 * on clone, whose flags are checked.
 */
#include "services/reconciler/local/seccomp_filter.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *const REFUSED[] = {
    "acct",
    "add_key",
    "adjtimex",
    "bpf",
    "chroot",
    "clock_adjtime",
    "clock_settime",
    "delete_module",
    "fanotify_init",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "init_module",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "mount",
    "mount_setattr",
    "move_mount",
    "move_pages",
    "name_to_handle_at",
    "nfsservctl",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "personality",
    "pidfd_getfd",
    "pivot_root",
    "process_madvise",
    "process_vm_readv",
    "process_vm_writev",
    "quotactl",
    "reboot",
    "request_key",
    "setdomainname",
    "sethostname",
    "setns",
    "settimeofday",
    "swapoff",
    "swapon",
    "syslog",
    "umount2",
    "unshare",
    "userfaultfd",
    "vhangup",
    "vmsplice",
};

static const unsigned long NAMESPACES =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

static int fill(scmp_filter_ctx ctx) {
  int rc = 0;
  for (size_t i = 0; i < ARRAY_LEN(REFUSED) && rc == 0; i++) {
    int nr = seccomp_syscall_resolve_name(REFUSED[i]);
    if (nr != __NR_SCMP_ERROR)
      rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), nr, 0);
  }
  if (rc == 0)
    rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
  for (unsigned long bit = 1; bit <= NAMESPACES && bit && rc == 0; bit <<= 1)
    if (NAMESPACES & bit)
      rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, bit, bit));
  /* pushing characters into a terminal that somebody else reads */
  if (rc == 0)
    rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                          SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, TIOCSTI));
  /* a limit of processor time or descriptors on process 1, the runtime, which has the commands' own user */
  if (rc == 0)
    rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prlimit64), 1,
                          SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffff, 1));
  return rc;
}

int seccomp_filter_open(Error *err) {
  scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
  int fd = memfd_create("seccomp", MFD_CLOEXEC);
  int rc = ctx && fd >= 0 ? fill(ctx) : -ENOMEM;
  if (rc == 0)
    rc = seccomp_export_bpf(ctx, fd);
  if (ctx)
    seccomp_release(ctx);
  if (rc == 0 && lseek(fd, 0, SEEK_SET) == 0)
    return fd;
  if (fd >= 0)
    close(fd);
  return error_set(err, ERROR_INTERNAL, "seccomp filter: %s", strerror(-rc));
}
