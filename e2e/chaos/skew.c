/* Preloaded into a process under test: its wall clock is off by what a file says, in nanoseconds, eight bytes of this
 * machine's order. libfaketime does not start together with Redis's allocator, which asks for the time before anything
 * is loaded; this one asks the kernel itself and needs no start. Monotonic clocks stay true: what waits, waits as long
 * as it should. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { NS = 1000000000 };

static const volatile int64_t *offset;

__attribute__((constructor)) static void skew_init(void) {
  const char *path = getenv("SKEW_FILE");
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0)
    return;
  void *page = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (page != MAP_FAILED)
    offset = page;
}

int clock_gettime(clockid_t clock, struct timespec *ts) {
  long rc = syscall(SYS_clock_gettime, clock, ts);
  if (rc != 0 || !offset || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE))
    return (int)rc;
  int64_t ns = (int64_t)ts->tv_sec * NS + ts->tv_nsec + *offset;
  ts->tv_sec = ns / NS;
  ts->tv_nsec = ns % NS;
  return 0;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone) {
  struct timespec ts;
  int rc = clock_gettime(CLOCK_REALTIME, &ts);
  if (rc == 0) {
    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;
  }
  return rc;
}

time_t time(time_t *out) {
  struct timespec ts;
  if (clock_gettime(CLOCK_REALTIME, &ts) != 0)
    return (time_t)-1;
  if (out)
    *out = ts.tv_sec;
  return ts.tv_sec;
}
