/* See file_info.h. */
#include "runtime/file/file_info.h"

#include <string.h>

void file_info_init(FileInfo *info, const char *path, const struct stat *st) {
  *info = (FileInfo){.message = SANDPLANE__V1__FILE_INFO__INIT, .modified = GOOGLE__PROTOBUF__TIMESTAMP__INIT};
  Sandplane__V1__FileInfo *m = &info->message;
  m->path = (char *)path + strspn(path, "/");
  m->type = S_ISREG(st->st_mode)   ? SANDPLANE__V1__FILE_INFO__TYPE__FILE
            : S_ISDIR(st->st_mode) ? SANDPLANE__V1__FILE_INFO__TYPE__DIRECTORY
            : S_ISLNK(st->st_mode) ? SANDPLANE__V1__FILE_INFO__TYPE__SYMLINK
                                   : SANDPLANE__V1__FILE_INFO__TYPE__OTHER;
  m->size_bytes = st->st_size;
  m->mode = st->st_mode & 07777;
  info->modified.seconds = st->st_mtim.tv_sec;
  info->modified.nanos = (int32_t)st->st_mtim.tv_nsec;
  m->modify_time = &info->modified;
}
