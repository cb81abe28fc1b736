/* A kubeconfig of any content. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/kube/kube_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The files it names are read, and some never end. */
static bool names_device(const uint8_t *data, size_t size) {
  return memmem(data, size, "dev", 3) || memmem(data, size, "proc", 4) || memmem(data, size, "\\", 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (names_device(data, size))
    return 0;
  int fd = memfd_create("kubeconfig", MFD_CLOEXEC);
  if (fd < 0 || (size && write(fd, data, size) != (ssize_t)size))
    abort();
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  KubeConfig *config = NULL;
  Error err;
  if (kube_config_load(path, "", &config, &err) == 0) {
    if (!config->server || !config->ns || !config->ca_pem || !config->cert_pem || !config->key_pem || !config->token ||
        !config->token_file || !config->server_name)
      abort();
    kube_config_free(config);
  } else if (!*err.message) {
    abort();
  }
  close(fd);
  return 0;
}
