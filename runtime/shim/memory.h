/*
 * memory - give back what an idle shim does not need. Private to runtime/shim.
 *
 * Hundreds of shims wait for months; what they touched while they made their container is of no use to them.
 */
#ifndef RUNTIME_SHIM_MEMORY_H
#define RUNTIME_SHIM_MEMORY_H

/* Freed heap, the unused part of the stack, and the pages of code and constants (which come back from the page cache when needed). */
void memory_trim(void);

#endif
