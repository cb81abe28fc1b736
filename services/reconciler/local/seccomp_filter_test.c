/* What the kernel answers behind the filter, in a child that is confined for good. */
#include "services/reconciler/local/seccomp_filter.h"

#include <errno.h>
#include <linux/personality.h>
#include <linux/vm_sockets.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/test.h"

/* With the highest bit of x32's numbers. */
#define X32_GETPID (0x40000000 | SYS_getpid)
/* Of no kernel yet. */
#define FUTURE_CALL 4095
#define ANY_LEN 32

typedef struct Call {
  const char *what;
  long nr, args[3];
  int wanted; /* errno; 0: it is done */
} Call;

static const Call CALLS[] = {
    {"getpid", SYS_getpid, {0}, 0},
    {"unix", SYS_socket, {AF_UNIX, SOCK_STREAM, 0}, 0},
    {"inet", SYS_socket, {AF_INET, SOCK_STREAM, 0}, 0},
    {"inet6", SYS_socket, {AF_INET6, SOCK_STREAM, 0}, 0},
    {"netlink", SYS_socket, {AF_NETLINK, SOCK_RAW, 0}, 0},
    {"vsock", SYS_socket, {AF_VSOCK, SOCK_STREAM, 0}, EAFNOSUPPORT},
    {"vsock, with bits the kernel drops", SYS_socket, {AF_VSOCK | (1L << 32), SOCK_STREAM, 0}, EAFNOSUPPORT},
    {"alg", SYS_socket, {AF_ALG, SOCK_SEQPACKET, 0}, EAFNOSUPPORT},
    {"packet", SYS_socket, {AF_PACKET, SOCK_RAW, 0}, EAFNOSUPPORT},
    {"ax25", SYS_socket, {AF_AX25, SOCK_RAW, 0}, EAFNOSUPPORT},
    {"pair of tipc", SYS_socketpair, {AF_TIPC, SOCK_STREAM, 0}, EAFNOSUPPORT},
    {"mount", SYS_mount, {0}, EPERM},
    {"unshare", SYS_unshare, {CLONE_NEWUSER}, EPERM},
    {"clone of a namespace", SYS_clone, {CLONE_NEWUSER | SIGCHLD}, EPERM},
    {"clone3", SYS_clone3, {0}, ENOSYS},
    {"keyctl", SYS_keyctl, {0}, EPERM},
    {"bpf", SYS_bpf, {0}, EPERM},
    {"mbind", SYS_mbind, {0}, EPERM},
    {"migrate_pages", SYS_migrate_pages, {0}, EPERM},
    {"modify_ldt", SYS_modify_ldt, {0}, ENOSYS},
    {"memfd_secret", 447, {0}, ENOSYS},
    {"process_mrelease", 448, {0}, ENOSYS},
    {"open_tree_attr", 467, {0}, ENOSYS},
    {"file_setattr", 469, {0}, ENOSYS},
    {"a call of the future", FUTURE_CALL, {0}, ENOSYS},
    {"asking the personality", SYS_personality, {0xffffffff}, 0},
    {"the usual personality", SYS_personality, {0}, 0},
    {"another personality", SYS_personality, {READ_IMPLIES_EXEC}, ENOSYS},
    {"another personality, almost asking", SYS_personality, {0xfffffffe}, ENOSYS},
    {"limits of process 1", SYS_prlimit64, {1, RLIMIT_NOFILE, 0}, EPERM},
    {"limits of process 1, with bits the kernel drops", SYS_prlimit64, {1 | (1L << 32), RLIMIT_NOFILE, 0}, EPERM},
    {"own limits", SYS_prlimit64, {0, RLIMIT_NOFILE, 0}, 0},
    {"keys for a terminal", SYS_ioctl, {0, TIOCSTI, 0}, EPERM},
    {"keys for a terminal, with bits the kernel drops", SYS_ioctl, {0, TIOCSTI | (1L << 32), 0}, EPERM},
    {"menus of a console", SYS_ioctl, {0, TIOCLINUX, 0}, EPERM},
};

static int answer(const Call *c) {
  long rc = syscall(c->nr, c->args[0], c->args[1], c->args[2], 0, 0, 0);
  return rc < 0 ? errno : 0;
}

/* Runs fn confined; what waitpid tells of it. */
static int confined(int (*fn)(const void *arg), const void *arg) {
  pid_t pid = fork();
  if (pid == 0) {
    Error err;
    _exit(seccomp_filter_load(&err) ? 255 : fn(arg));
  }
  int status = 0;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return status;
}

static int run_call(const void *arg) {
  return answer(arg);
}

static void test_calls(void **state) {
  for (size_t i = 0; i < ARRAY_LEN(CALLS); i++) {
    int status = confined(run_call, &CALLS[i]);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != CALLS[i].wanted)
      fail_msg("%s: status %#x, wanted errno %d", CALLS[i].what, status, CALLS[i].wanted);
  }
}

#if defined(__x86_64__)
static int run_x32(const void *arg) {
  return (int)syscall(X32_GETPID) > 0;
}

/* getpid of 32-bit x86, whose numbers mean other calls. */
static int run_i386(const void *arg) {
  long rc;
  __asm__ volatile("int $0x80" : "=a"(rc) : "a"(20) : "memory");
  return rc > 0;
}

static void test_other_architectures(void **state) {
  int (*const runs[])(const void *) = {run_x32, run_i386};
  for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
    int status = confined(runs[i], NULL);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
  }
}
#endif

static int run_program(const void *arg) {
  execl("/bin/sh", "sh", "-c", "x=$(echo 1 | cat) && [ \"$x\" = 1 ]", (char *)NULL);
  return 127;
}

static void test_programs_run(void **state) {
  assert_int_equal(confined(run_program, NULL), 0);
}

static void test_each_reader_begins_at_the_start(void **state) {
  int all[SECCOMP_FILTERS], one[SECCOMP_FILTERS], other[SECCOMP_FILTERS];
  char a[ANY_LEN], b[ANY_LEN];
  Error err;
  assert_ok(seccomp_filter_new(all, &err), &err);
  assert_ok(seccomp_filter_open(all, one, &err), &err);
  assert_ok(seccomp_filter_open(all, other, &err), &err);
  for (size_t i = 0; i < SECCOMP_FILTERS; i++) {
    assert_int_equal(read(one[i], a, sizeof a), sizeof a);
    assert_int_equal(read(other[i], b, sizeof b), sizeof b);
    assert_memory_equal(a, b, sizeof a);
    assert_int_equal(write(one[i], a, sizeof a), -1);
    close(one[i]);
    close(other[i]);
    close(all[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_calls),
#if defined(__x86_64__)
    cmocka_unit_test(test_other_architectures),
#endif
    cmocka_unit_test(test_programs_run),
    cmocka_unit_test(test_each_reader_begins_at_the_start),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
