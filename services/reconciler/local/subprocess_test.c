/* What a program that is started finds around it, whatever whoever started us has set. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "lib/base/test.h"
#include "services/reconciler/local/cgroup_fixture.h"
#include "services/reconciler/local/remove_tree.h"
#include "services/reconciler/local/subprocess.h"

static char box[64];

static int setup(void **state) {
  test_folder(box);
  return 0;
}

static int teardown(void **state) {
  remove_tree(box);
  return 0;
}

/* What the program prints; the caller frees. */
static char *run(char *const *argv, SubprocessSpec spec) {
  Error err;
  CLEANUP(str_freep) char *log = str_printf("%s/log", box);
  spec.argv = argv;
  spec.log_path = log;
  pid_t pid = subprocess_start(&spec, &err);
  int status = -1;
  assert_true(pid > 0);
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_int_equal(status, 0);
  return fixture_read(box, "log");
}

static char *output_of(const char *script, SubprocessSpec spec) {
  return run((char *const[]){"/bin/sh", "-c", (char *)script, NULL}, spec);
}

static void test_nothing_of_the_starter(void **state) {
  /* the highest that everybody may come back from */
  mode_t mask = umask(077);
  signal(SIGHUP, SIG_IGN);
  signal(SIGUSR1, SIG_IGN);
  int secret = open("/dev/zero", O_RDONLY), kept = dup2(secret, 9);
  struct rlimit core = {.rlim_cur = 0, .rlim_max = 0}, had;
  assert_int_equal(getrlimit(RLIMIT_CORE, &had), 0);
  core.rlim_cur = core.rlim_max = had.rlim_max;
  assert_int_equal(setrlimit(RLIMIT_CORE, &core), 0);
  CLEANUP(str_freep)
  char *out = output_of("umask; ulimit -c; [ -e /proc/self/fd/9 ] || echo closed; [ -e /proc/self/fd/3 ] || echo none; "
                        "grep -E '^Sig(Ign|Blk)' /proc/self/status",
                        (SubprocessSpec){0});
  assert_string_equal(out, "0022\n0\nclosed\nnone\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
  signal(SIGHUP, SIG_DFL);
  signal(SIGUSR1, SIG_DFL);
  umask(mask);
  close(secret);
  close(kept);
}

static void test_what_is_handed_over(void **state) {
  int fds[2];
  assert_int_equal(pipe(fds), 0);
  assert_int_equal(write(fds[1], "hello\n", 6), 6);
  close(fds[1]);
  CLEANUP(str_freep)
  char *out =
      output_of("cat <&3; [ -e /proc/self/fd/4 ] || echo none", (SubprocessSpec){.pass_fds = fds, .n_pass_fds = 1});
  assert_string_equal(out, "hello\nnone\n");
  close(fds[0]);
}

/* 0x4002: SIGINT and SIGTERM. No shell, which unblocks all for itself. */
static void test_deaf(void **state) {
  char *const argv[] = {"/bin/grep", "^SigBlk", "/proc/self/status", NULL};
  CLEANUP(str_freep) char *out = run(argv, (SubprocessSpec){.deaf = true});
  assert_string_equal(out, "SigBlk:\t0000000000004002\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_nothing_of_the_starter),
      TEST(test_what_is_handed_over),
      TEST(test_deaf),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
