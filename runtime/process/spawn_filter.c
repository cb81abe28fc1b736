/* See spawn_filter.h. */
#include "runtime/process/spawn_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "lib/base/compiler.h"

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
/* Jumps are counted in instructions from the next one on. */
#define IF_IS(value, skip_if, skip_else) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, skip_if, skip_else)
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)
/* The first argument of all of these is a process; its low half comes first in memory. */
#define FILTERED(call, left) IF_IS(call, left, 0)

static struct sock_filter program[] = {
    LOAD(arch),
    IF_IS(NATIVE, 0, 11),
    LOAD(nr),
    FILTERED(SYS_kill, 6),
    FILTERED(SYS_tkill, 5),
    FILTERED(SYS_tgkill, 4),
    FILTERED(SYS_rt_sigqueueinfo, 3),
    FILTERED(SYS_rt_tgsigqueueinfo, 2),
    FILTERED(SYS_pidfd_open, 1),
    IF_IS(SYS_prlimit64, 0, 3),
    LOAD(args[0]),
    IF_IS(1, 0, 1),
    RETURN(SECCOMP_RET_ERRNO | EPERM),
    RETURN(SECCOMP_RET_ALLOW),
};

const struct sock_fprog *spawn_filter(void) {
  static const struct sock_fprog PROGRAM = {.len = ARRAY_LEN(program), .filter = program};
  return &PROGRAM;
}
