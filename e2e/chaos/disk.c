/* Preloaded into Redis: how its disk behaves, and where in the midst of it the process dies. A file that is mapped says
 * what is next; the server's own thread counts there what it writes. A kill from outside meets a write about never: one
 * write is one copy of a few pages, and the kernel ends it between two of them only. Here it ends where we say, with
 * exactly what a kill there leaves behind.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { DIE_NEVER, DIE_IN_WRITE, DIE_BEFORE_FLUSH, DIE_AFTER_FLUSH };

/* The file: machine's order; world.py writes the first half and reads the second. */
typedef struct Disk {
  int32_t die;      /* in the next write to, or flush of, the append-only file */
  int32_t permille; /* of that write, which get to the file */
  int32_t flush_us; /* how long each flush takes longer */
  int32_t unused;
  int64_t writes, over_a_page; /* to the append-only file */
} Disk;

static volatile Disk *disk;
static pid_t server; /* its children, which write snapshots, are spared */

__attribute__((constructor)) static void disk_init(void) {
  const char *path = getenv("DISK_FILE");
  int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0)
    return;
  void *page = mmap(NULL, sizeof(Disk), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  server = getpid();
  if (page != MAP_FAILED)
    disk = page;
}

static int is_append_only(int fd) {
  char link[32] = "/proc/self/fd/", path[512];
  static const char END[] = ".incr.aof";
  int digits = 0;
  for (int n = fd; n > 0; n /= 10)
    digits++;
  for (int i = digits, n = fd; i > 0; i--, n /= 10)
    link[13 + i] = (char)('0' + n % 10);
  long len = syscall(SYS_readlink, link, path, sizeof path);
  return len > (long)sizeof END && memcmp(path + len - (sizeof END - 1), END, sizeof END - 1) == 0;
}

static void die(void) {
  disk->die = DIE_NEVER;
  syscall(SYS_kill, server, SIGKILL);
  for (;;)
    pause();
}

static int is_ours(int fd) {
  return disk && fd > 2 && getpid() == server && is_append_only(fd);
}

ssize_t write(int fd, const void *data, size_t len) {
  if (is_ours(fd)) {
    disk->writes++;
    disk->over_a_page += len > 4096;
    /* what has no transaction in it cannot be cut into half of one */
    if (disk->die == DIE_IN_WRITE && memmem(data, len, "MULTI", 5)) {
      size_t part = len * (size_t)disk->permille / 1000;
      syscall(SYS_write, fd, data, part < 1 ? 1 : part >= len ? len - 1 : part);
      die();
    }
  }
  return syscall(SYS_write, fd, data, len);
}

static int flush(long call, int fd) {
  int ours = is_ours(fd);
  if (ours && disk->die == DIE_BEFORE_FLUSH)
    die();
  int rc = (int)syscall(call, fd);
  if (ours && disk->flush_us > 0)
    nanosleep(&(struct timespec){.tv_sec = disk->flush_us / 1000000, .tv_nsec = disk->flush_us % 1000000 * 1000L},
              NULL);
  if (ours && disk->die == DIE_AFTER_FLUSH)
    die();
  return rc;
}

int fsync(int fd) {
  return flush(SYS_fsync, fd);
}

int fdatasync(int fd) {
  return flush(SYS_fdatasync, fd);
}
