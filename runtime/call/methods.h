/* The methods of the wire protocol, by name. */
#ifndef SANDPLANE_RUNTIME_CALL_METHODS_H_
#define SANDPLANE_RUNTIME_CALL_METHODS_H_

#include "runtime/call/call.h"

extern const CallMethod METHOD_CONNECT;
extern const CallMethod METHOD_EXEC;
extern const CallMethod METHOD_EXEC_STREAM;
extern const CallMethod METHOD_LIST_FILES;
extern const CallMethod METHOD_PING;
extern const CallMethod METHOD_READ_FILE;
extern const CallMethod METHOD_REMOVE_FILE;
extern const CallMethod METHOD_STAT;
extern const CallMethod METHOD_WRITE_FILE;

/* NULL: there is none of that name. */
const CallMethod *methods_find(const char *name);

#endif
