/* FileInfo of the API out of a stat. */
#ifndef SANDPLANE_RUNTIME_FILE_FILE_INFO_H_
#define SANDPLANE_RUNTIME_FILE_FILE_INFO_H_

#include <sys/stat.h>

#include "api/sandplane/v1/sandbox.pb-c.h"

typedef struct FileInfo {
  Sandplane__V1__FileInfo message;
  Google__Protobuf__Timestamp modified; /* the message points to it */
} FileInfo;

/* path by reference; leading slashes are dropped, as the API's paths are relative. */
void file_info_init(FileInfo *info, const char *path, const struct stat *st);

#endif
