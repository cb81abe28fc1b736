/* The terminal that sandctl runs in. */
#ifndef SANDPLANE_CLI_SANDBOX_TERMINAL_H_
#define SANDPLANE_CLI_SANDBOX_TERMINAL_H_

#include <stdbool.h>
#include <stdint.h>

/* Every key goes to the command as a byte, until terminal_restore; that also runs when the process exits or
 * is ended by SIGTERM or SIGHUP. false: standard input is no terminal. */
bool terminal_raw(void);
void terminal_restore(void);
/* Of standard output, or of standard input; 80 by 24 when neither is one. */
void terminal_size(uint32_t *ret_columns, uint32_t *ret_rows);

#endif
