/* A line of /etc/passwd, name:password:uid:gid:comment:home:shell, of which all but the name may be empty. */
#ifndef SANDPLANE_RUNTIME_PROCESS_PASSWD_H_
#define SANDPLANE_RUNTIME_PROCESS_PASSWD_H_

#include <sys/types.h>

/* The home of the user uid, within line, which is cut; NULL: the line is another's, or names none. */
const char *passwd_home(char *line, uid_t uid);

#endif
