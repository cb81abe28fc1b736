/* See confine.h.
 *
 * The child is to have no way to a name outside of FOLDER, and not to need any: its working folder is already inside
 * when it is made, so nothing of the way there has to be open to it. FOLDER is mounted once for its own sake, so that
 * ".." ends at it, and rootfs in it once more, to be the root.
 */
#include "services/reconciler/local/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/compiler.h"
#include "services/reconciler/local/seccomp_filter.h"

#define NAMESPACES \
  (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)
/* A folder that every machine has; what it is does not matter, for nobody else sees what is mounted there. */
#define ANY_FOLDER "/tmp"
#define WALK_FDS 16

static int no_capabilities_but_for_files(void) {
  struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
  uint32_t kept = 1U << CAP_CHOWN | 1U << CAP_DAC_OVERRIDE | 1U << CAP_FOWNER | 1U << CAP_FSETID;
  struct __user_cap_data_struct data[2] = {{.effective = kept, .permitted = kept}};
  return (int)syscall(SYS_capset, &head, data);
}

static int become_root_inside(void) {
  return setgroups(0, NULL) || setresgid(0, 0, 0) || setresuid(0, 0, 0) || prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* The working folder is FOLDER, of the machine; afterwards it is the same, and all there is. */
static int leave_the_machine(void) {
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount(".", ANY_FOLDER, NULL, MS_BIND, NULL) ||
      chdir(ANY_FOLDER))
    return -1;
  int folder_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_fd < 0 || mkdir("rootfs", 0755) || mount("rootfs", "rootfs", NULL, MS_BIND, NULL) || chdir("rootfs") ||
      syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/") || fchdir(folder_fd))
    return -1;
  return close(folder_fd);
}

static int child(int go_fd, int (*fn)(void *arg), void *arg) {
  char go;
  Error err;
  umask(022);
  if (read(go_fd, &go, 1) != 1)
    return 1;
  if (become_root_inside() || leave_the_machine() || no_capabilities_but_for_files()) {
    fprintf(stderr, "cannot confine what unpacks images: %s\n", strerror(errno));
    return 1;
  }
  if (seccomp_filter_load(&err)) {
    fprintf(stderr, "%s\n", err.message);
    return 1;
  }
  return fn(arg);
}

static int write_map(pid_t pid, const char *name, uid_t first_id) {
  char path[64], text[64];
  snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
  int n = snprintf(text, sizeof text, "0 %u %d\n", first_id, CONFINE_IDS), fd = open(path, O_WRONLY | O_CLOEXEC);
  int rc = fd >= 0 && write(fd, text, (size_t)n) == n ? 0 : -1;
  int why = errno;
  if (fd >= 0)
    close(fd);
  errno = why;
  return rc;
}

static int run(int go[2], uid_t first_id, int (*fn)(void *arg), void *arg, Error *err) {
  pid_t pid = (pid_t)syscall(SYS_clone, NAMESPACES | SIGCHLD, NULL, NULL, NULL, NULL);
  if (pid == 0) {
    close(go[1]);
    _exit(child(go[0], fn, arg));
  }
  if (pid < 0)
    return error_set(err, ERROR_INTERNAL, "cannot make namespaces to unpack in: %s", strerror(errno));
  int rc = write_map(pid, "uid_map", first_id) || write_map(pid, "gid_map", first_id) || write(go[1], "", 1) != 1;
  if (rc) {
    error_set(err, ERROR_INTERNAL, "users %u and up are not this machine's to give: %s", first_id, strerror(errno));
    kill(pid, SIGKILL);
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return rc ? -1 : status;
}

int confine_run(const char *folder, uid_t first_id, int (*fn)(void *arg), void *arg, Error *err) {
  int go[2];
  if (chdir(folder) || chown(".", first_id, first_id) || pipe2(go, O_CLOEXEC))
    return error_set(err, ERROR_INTERNAL, "%s: %s", folder, strerror(errno));
  int status = run(go, first_id, fn, arg, err);
  close(go[0]);
  close(go[1]);
  return status;
}

/* nftw passes nothing on. */
static __thread uid_t handed_over_from;

static int hand_over(const char *path, const struct stat *st, int type, struct FTW *ftw) {
  uid_t first = handed_over_from;
  uid_t uid = st->st_uid - first < CONFINE_IDS ? st->st_uid - first : 0;
  gid_t gid = st->st_gid - first < CONFINE_IDS ? st->st_gid - first : 0;
  /* a second name of what was done already has the owners that it is to have */
  if (st->st_uid < first && st->st_gid < first)
    return 0;
  return lchown(path, uid, gid);
}

int confine_hand_over(const char *folder, uid_t first_id, Error *err) {
  handed_over_from = first_id;
  if (nftw(folder, hand_over, WALK_FDS, FTW_PHYS) == 0)
    return 0;
  return error_set(err, ERROR_INTERNAL, "%s: %s", folder, strerror(errno));
}
