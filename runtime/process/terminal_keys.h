/* Keys that a terminal turns into signals, and changes of its size, where the kernel does not do it.
 *
 * gVisor keeps the setting (ISIG) and never acts on it: Ctrl-C would arrive as a byte that nobody reads. Whether
 * that is so is found out by trying, not by name.
 */
#ifndef SANDPLANE_RUNTIME_PROCESS_TERMINAL_KEYS_H_
#define SANDPLANE_RUNTIME_PROCESS_TERMINAL_KEYS_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Whether terminals of this kernel leave it to us. */
bool terminal_keys_needed(void);
/* Where the first key is that stands for a signal in the terminal's settings of now, and which; len: there is none. */
size_t terminal_keys_find(int master, const uint8_t *data, size_t len, int *ret_signo);
/* To the terminal's foreground processes. session: the process that leads it. */
void terminal_keys_send(int master, pid_t session, int signo);

#endif
