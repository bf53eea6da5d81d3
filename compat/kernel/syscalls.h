/*
 * syscalls - numbers and structures of system calls that the C library may not know yet.
 *
 * The numbers from 424 on are the same on every architecture. Names of our own, because C libraries and kernel headers define
 * the same ones in ways that collide.
 */
#ifndef COMPAT_KERNEL_SYSCALLS_H
#define COMPAT_KERNEL_SYSCALLS_H

#include <stdint.h>
#include <sys/syscall.h>

enum {
	NR_OPEN_TREE = 428,
	NR_MOVE_MOUNT = 429,
	NR_PIDFD_OPEN = 434,
	NR_CLONE3 = 435,
	NR_CLOSE_RANGE = 436,
	NR_MOUNT_SETATTR = 442,
};

/* open_tree(2), move_mount(2), mount_setattr(2) */
#define K_OPEN_TREE_CLONE	  1u
#define K_OPEN_TREE_CLOEXEC	  02000000u
#define K_AT_RECURSIVE		  0x8000u
#define K_AT_EMPTY_PATH		  0x1000u
#define K_MOVE_MOUNT_F_EMPTY_PATH 0x04u
#define K_MOVE_MOUNT_T_EMPTY_PATH 0x40u

#define K_MOUNT_ATTR_RDONLY	 0x00000001u
#define K_MOUNT_ATTR_NOSUID	 0x00000002u
#define K_MOUNT_ATTR_NODEV	 0x00000004u
#define K_MOUNT_ATTR_NOEXEC	 0x00000008u
#define K_MOUNT_ATTR__ATIME	 0x00000070u
#define K_MOUNT_ATTR_NOATIME	 0x00000010u
#define K_MOUNT_ATTR_STRICTATIME 0x00000020u
#define K_MOUNT_ATTR_NODIRATIME	 0x00000080u
#define K_MOUNT_ATTR_NOSYMFOLLOW 0x00200000u

struct k_mount_attr {
	uint64_t attr_set, attr_clr, propagation, userns_fd;
};

#define K_CLOSE_RANGE_CLOEXEC 4u

/* clone3(2), version 2 of its structure */
#define K_CLONE_INTO_CGROUP 0x200000000ull

struct k_clone_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

#endif
