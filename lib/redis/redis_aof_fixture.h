/* For tests: a server's append-only file as a kill in the midst of a write leaves it. */
#ifndef SANDPLANE_LIB_REDIS_REDIS_AOF_FIXTURE_H_
#define SANDPLANE_LIB_REDIS_REDIS_AOF_FIXTURE_H_

/* The server of this folder (redis_server_start) must be gone. Takes from the file's end all of the last transaction
 * but its MULTI, n of its commands and a few bytes of the next. Returns how many commands were left out (1: the EXEC
 * alone), 0 when it has no more than n: then nothing is changed. */
int redis_aof_cut(const char *folder, int n);

#endif
