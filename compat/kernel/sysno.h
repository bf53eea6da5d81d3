/*
 * sysno - numbers of system calls that older headers do not have
 *
 * From 424 (5.1) on they are the same on every architecture; the older ones are given for x86_64, which is what releases are built for.
 */
#ifndef COMPAT_KERNEL_SYSNO_H
#define COMPAT_KERNEL_SYSNO_H

#include <sys/syscall.h>

#ifndef SYS_setns
#define SYS_setns 308
#endif
#ifndef SYS_prlimit64
#define SYS_prlimit64 302
#endif
#ifndef SYS_renameat2
#define SYS_renameat2 316
#endif
#ifndef SYS_seccomp
#define SYS_seccomp 317
#endif
#ifndef SYS_getrandom
#define SYS_getrandom 318
#endif
#ifndef SYS_memfd_create
#define SYS_memfd_create 319
#endif
#ifndef SYS_bpf
#define SYS_bpf 321
#endif
#ifndef SYS_copy_file_range
#define SYS_copy_file_range 326
#endif
#ifndef SYS_statx
#define SYS_statx 332
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_open_tree
#define SYS_open_tree 428
#endif
#ifndef SYS_move_mount
#define SYS_move_mount 429
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

#endif
