/* What a fuzzer would find at once, found by every test run: the inputs of a corpus as they are, then mutations of
 * them. The seed is fixed, so a failure comes again; the clock only ends the mutations, so that a slow machine
 * tries fewer instead of failing.
 *
 * A failure is a crash or an abort. The input is then on disk (crash-input in TEST_UNDECLARED_OUTPUTS_DIR or /tmp).
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "build_defs/fuzz/mutate.h"

enum { MAX_LEN = 64 << 10, MUTATIONS = 20000, BUDGET_MS = 1000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Only where the target brings one. */
__attribute__((weak)) size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

/* What is being tried, for the handler. */
static const uint8_t *current;
static size_t current_len;
static char crash_path[4096];

/* Only what a handler may call. */
static void on_crash(int signo) {
  static const char SAID[] = "the input is in ";
  int fd = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd >= 0 && write(fd, current, current_len) == (ssize_t)current_len && close(fd) == 0 &&
      write(STDERR_FILENO, SAID, sizeof SAID - 1) > 0 && write(STDERR_FILENO, crash_path, strlen(crash_path)) > 0) {
    ssize_t ignored = write(STDERR_FILENO, "\n", 1);
    (void)ignored;
  }
  signal(signo, SIG_DFL);
  raise(signo);
}

/* A copy of exactly its size, so that a sanitizer sees a read behind it. */
static void try_input(const uint8_t *data, size_t len) {
  uint8_t *copy = malloc(len ? len : 1);
  if (!copy)
    abort();
  if (len)
    memcpy(copy, data, len);
  current = copy;
  current_len = len;
  LLVMFuzzerTestOneInput(copy, len);
  free(copy);
}

static void read_input(const char *path) {
  FILE *f = fopen(path, "r");
  uint8_t *data = malloc(MAX_LEN);
  if (!f || !data || mutate_n_inputs == MUTATE_MAX_INPUTS) {
    fprintf(stderr, "cannot read %s\n", path);
    exit(1);
  }
  mutate_inputs[mutate_n_inputs++] = (MutateInput){.data = data, .len = fread(data, 1, MAX_LEN, f)};
  fclose(f);
}

/* Sorted: what a mutation is made of must not depend on the file system. */
static void read_corpus(const char *folder) {
  struct dirent **entries;
  int n = scandir(folder, &entries, NULL, alphasort);
  for (int i = 0; i < n; i++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
    if (entries[i]->d_name[0] != '.')
      read_input(path);
    free(entries[i]);
  }
  if (n >= 0)
    free(entries);
}

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int mutate_all(void) {
  static uint8_t work[MAX_LEN];
  int n = 0;
  for (int64_t end = now_ms() + BUDGET_MS; n < MUTATIONS && now_ms() < end; n++) {
    const MutateInput *from = &mutate_inputs[mutate_below(mutate_n_inputs)];
    size_t len = from->len;
    if (len)
      memcpy(work, from->data, len);
    for (uint64_t i = 1 + mutate_below(4); i > 0; i--) {
      len = LLVMFuzzerCustomMutator
                ? LLVMFuzzerCustomMutator(work, len, sizeof work, (unsigned)mutate_below(UINT32_MAX))
                : LLVMFuzzerMutate(work, len, sizeof work);
    }
    try_input(work, len);
  }
  return n;
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++)
    read_corpus(argv[i]);
  if (mutate_n_inputs == 0) {
    fprintf(stderr, "no corpus\n");
    return 1;
  }
  const char *folder = getenv("TEST_UNDECLARED_OUTPUTS_DIR");
  snprintf(crash_path, sizeof crash_path, "%s/crash-input", folder ? folder : "/tmp");
  signal(SIGSEGV, on_crash);
  signal(SIGABRT, on_crash);
  signal(SIGBUS, on_crash);
  try_input((const uint8_t *)"", 0);
  for (size_t i = 0; i < mutate_n_inputs; i++)
    try_input(mutate_inputs[i].data, mutate_inputs[i].len);
  printf("%zu inputs, %d mutations\n", mutate_n_inputs, mutate_all());
  for (size_t i = 0; i < mutate_n_inputs; i++)
    free(mutate_inputs[i].data);
  return 0;
}
