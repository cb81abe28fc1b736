/* What is written to a command: queued while it does not read, and on a terminal with the keys that are signals, and
 * the one that ends the input.
 */
#ifndef SANDPLANE_RUNTIME_PROCESS_PROCESS_INPUT_H_
#define SANDPLANE_RUNTIME_PROCESS_PROCESS_INPUT_H_

#include <sys/types.h>

#include "lib/base/buf.h"
#include "lib/loop/loop.h"

typedef struct ProcessInput {
  Loop *loop;
  int fd; /* -1: closed */
  bool terminal, closing;
  bool keys;    /* ours to turn into signals, see terminal_keys.h */
  bool at_line; /* what was typed so far ends with a whole line */
  pid_t pid;    /* of the command */
  Buf buf;
  LoopFd *watch;
  void (*drained)(void *arg);
  void *arg;
} ProcessInput;

/* fd: our end, closed with it unless it is a terminal, whose one descriptor belongs to its output; -1: there is none.
 * drained: what had to wait was taken. */
void process_input_init(ProcessInput *in, Loop *loop, int fd, bool terminal, pid_t pid, void (*drained)(void *arg),
                        void *arg);
/* Copied and queued; what cannot be written any more is dropped (the command closed its input). */
void process_input_write(ProcessInput *in, const uint8_t *data, size_t len);
/* After what is queued. */
void process_input_end(ProcessInput *in);
/* At once. */
void process_input_close(ProcessInput *in);

#endif
