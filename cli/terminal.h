/*
 * terminal - the user's terminal: raw mode that is always undone, its size, and signals as bytes in a pipe.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>

#include "compat/base/err.h"

/*
 * Put the terminal at @fd into raw mode: every key goes to the container. It is restored by terminal_restore(), at exit, and by
 * fatal signals (the process dies by them afterwards).
 */
int terminal_raw(int fd, struct err *err);
/* As it was. Harmless when nothing was changed. */
void terminal_restore(void);

/* False when @fd is no terminal or has no size. */
bool terminal_size(int fd, uint32_t *ret_rows, uint32_t *ret_cols);

/*
 * From now on SIGWINCH and, with @forward, every signal that one process sends another to tell it something (TERM, INT, HUP,
 * QUIT, USR1 ...) is written to a pipe as one byte, its number, and not acted upon.
 *
 * *ret_fd is the pipe's read end, non-blocking, owned by this module.
 */
int terminal_signals(bool forward, int *ret_fd, struct err *err);

#endif
