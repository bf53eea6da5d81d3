/*
 * seccomp_profile.c - profiles whose rules depend on capabilities, machine and kernel: docker's default one and users' files
 *
 * Spec: docs.docker.com/engine/security/seccomp; the data follow docker's default profile (no io_uring, no AF_VSOCK, clone without
 * new namespaces, clone3 unknown so that C libraries use clone).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "compat/base/str.h"
#include "compat/kernel/caps.h"
#include "compat/kernel/seccomp_internal.h"

enum { PROFILE_MAX = 1 << 20 };

/* Machine names as uname says them, docker's name, and the architectures that the machine runs. */
static const struct {
	const char *machine, *docker, *archs;
} machines[] = {
	{"x86_64", "amd64", "SCMP_ARCH_X86_64 SCMP_ARCH_X86 SCMP_ARCH_X32"},
	{"aarch64", "arm64", "SCMP_ARCH_AARCH64 SCMP_ARCH_ARM"},
	{"ppc64le", "ppc64le", "SCMP_ARCH_PPC64LE"},
	{"s390x", "s390x", "SCMP_ARCH_S390X SCMP_ARCH_S390"},
	{"riscv64", "riscv64", "SCMP_ARCH_RISCV64"},
};

struct condition {
	struct strv caps, arches;
	char *min_kernel;
};

struct profile_rule {
	char *name;
	struct seccomp_rule rule;
	struct condition includes, excludes;
};

struct arch_map {
	char *architecture;
	struct strv sub;
};

struct profile {
	char *default_action;
	struct opt_u64 default_errno_ret;
	struct strv architectures, flags;
	char *listener_path, *listener_metadata;
	VEC(struct arch_map) arch_map;
	VEC(struct profile_rule) rules;
};

static const struct json_field condition_fields[] = {
	JSON_FIELD(struct condition, caps, "caps", JSON_STRV, 0),
	JSON_FIELD(struct condition, arches, "arches", JSON_STRV, 0),
	JSON_FIELD(struct condition, min_kernel, "minKernel", JSON_STR, 0),
};
static const struct json_table condition_table = JSON_TABLE("condition", struct condition, condition_fields);

static const struct json_field rule_fields[] = {
	JSON_FIELD(struct profile_rule, name, "name", JSON_STR, 0),
	JSON_FIELD(struct profile_rule, rule.names, "names", JSON_STRV, 0),
	JSON_FIELD(struct profile_rule, rule.action, "action", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct profile_rule, rule.errno_ret, "errnoRet", JSON_OPT_U64, 0),
	JSON_SUB(struct profile_rule, rule.args, "args", JSON_VEC, 0, &seccomp_arg_table),
	JSON_SUB(struct profile_rule, includes, "includes", JSON_OBJ, 0, &condition_table),
	JSON_SUB(struct profile_rule, excludes, "excludes", JSON_OBJ, 0, &condition_table),
};
static const struct json_table rule_table = JSON_TABLE("syscall", struct profile_rule, rule_fields);

static const struct json_field map_fields[] = {
	JSON_FIELD(struct arch_map, architecture, "architecture", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct arch_map, sub, "subArchitectures", JSON_STRV, 0),
};
static const struct json_table map_table = JSON_TABLE("archMap", struct arch_map, map_fields);

static const struct json_field profile_fields[] = {
	JSON_FIELD(struct profile, default_action, "defaultAction", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct profile, default_errno_ret, "defaultErrnoRet", JSON_OPT_U64, 0),
	JSON_FIELD(struct profile, architectures, "architectures", JSON_STRV, 0),
	JSON_FIELD(struct profile, flags, "flags", JSON_STRV, 0),
	JSON_FIELD(struct profile, listener_path, "listenerPath", JSON_STR, 0),
	JSON_FIELD(struct profile, listener_metadata, "listenerMetadata", JSON_STR, 0),
	JSON_SUB(struct profile, arch_map, "archMap", JSON_VEC, 0, &map_table),
	JSON_SUB(struct profile, rules, "syscalls", JSON_VEC, 0, &rule_table),
};
static const struct json_table profile_table = JSON_TABLE("seccomp profile", struct profile, profile_fields);

static void profile_clear(struct profile *profile)
{
	json_clear(&profile_table, profile);
}
DEFINE_AUTO_CLEAR(profile_clear, struct profile)

/* ---- where it applies --------------------------------------------------------------------------------------------------------- */

struct place {
	struct utsname uts;
	uint64_t caps;
	const char *docker; /* "amd64"; "" for a machine without a row */
	const char *archs;
};

static void here(uint64_t caps, struct place *ret)
{
	*ret = (struct place){.caps = caps, .docker = "", .archs = ""};
	if (uname(&ret->uts) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		if (strcmp(ret->uts.machine, machines[i].machine) == 0) {
			ret->docker = machines[i].docker;
			ret->archs = machines[i].archs;
		}
	}
}

static bool kernel_at_least(const struct place *place, const char *want)
{
	unsigned int a = 0, b = 0, x = 0, y = 0;

	if (sscanf(want, "%u.%u", &a, &b) < 1 || sscanf(place->uts.release, "%u.%u", &x, &y) < 1)
		return false;
	return x > a || (x == a && y >= b);
}

static bool has_cap(const struct place *place, const char *name)
{
	int cap = cap_parse(name);

	return cap >= 0 && (place->caps & CAP_BIT(cap));
}

/* All that "includes" names must hold; of "excludes", none may. */
static bool applies(const struct place *place, const struct condition *in, const struct condition *out)
{
	for (size_t i = 0; i < in->caps.n; i++) {
		if (!has_cap(place, in->caps.v[i]))
			return false;
	}
	for (size_t i = 0; i < out->caps.n; i++) {
		if (has_cap(place, out->caps.v[i]))
			return false;
	}
	if ((in->arches.n && !strv_has(&in->arches, place->docker)) || strv_has(&out->arches, place->docker))
		return false;
	return (str_empty(in->min_kernel) || kernel_at_least(place, in->min_kernel)) &&
	       (str_empty(out->min_kernel) || !kernel_at_least(place, out->min_kernel));
}

/* ---- users' files ------------------------------------------------------------------------------------------------------------- */

static void resolve_archs(struct profile *p, const struct place *place, struct seccomp_spec *ret)
{
	strv_add_all(&ret->architectures, &p->architectures);
	VEC_EACH(map, &p->arch_map) {
		const char *native = place->archs;
		size_t len = strcspn(native, " ");

		if (strlen(map->architecture) != len || strncmp(map->architecture, native, len))
			continue;
		strv_add(&ret->architectures, map->architecture);
		strv_add_all(&ret->architectures, &map->sub);
	}
}

int seccomp_profile_parse(const char *text, size_t len, uint64_t bounding, struct seccomp_spec *ret, struct err *err)
{
	AUTO(seccomp_spec_clear) struct seccomp_spec spec = {0};
	AUTO(profile_clear) struct profile p = {0};
	struct place place;
	int rc;

	if (len > PROFILE_MAX)
		return err_set(err, ERR_TOO_LARGE, "seccomp profile is over %d bytes", PROFILE_MAX);
	rc = json_parse(&profile_table, text, len, 0, "seccomp profile", &p, err);
	if (rc < 0)
		return rc;
	if (p.architectures.n && p.arch_map.n)
		return err_set(err, ERR_INVALID, "seccomp profile: has both 'architectures' and 'archMap'");

	here(bounding, &place);
	resolve_archs(&p, &place, &spec);
	spec.default_action = take(p.default_action);
	spec.default_errno_ret = p.default_errno_ret;
	spec.listener_path = take(p.listener_path);
	spec.listener_metadata = take(p.listener_metadata);
	strv_add_all(&spec.flags, &p.flags);
	VEC_EACH(r, &p.rules) {
		if (!str_empty(r->name) && r->rule.names.n)
			return err_set(err, ERR_INVALID, "seccomp profile: a rule has both 'name' and 'names'");
		if (!str_empty(r->name))
			strv_add(&r->rule.names, r->name);
		if (!applies(&place, &r->includes, &r->excludes))
			continue;
		VEC_PUSH(&spec.rules, r->rule);
		r->rule = (struct seccomp_rule){0};
	}
	rc = seccomp_spec_check(&spec, err);
	if (rc < 0)
		return rc;
	*ret = spec;
	spec = (struct seccomp_spec){0};
	return 0;
}

/* ---- docker's default --------------------------------------------------------------------------------------------------------- */

#define NEW_NAMESPACES 0x7e020000 /* every CLONE_NEW* but NEWTIME, which clone(2) does not take */

static const char always[] =
	"accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown chown32 "
	"clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 "
	"clock_nanosleep clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3 "
	"epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old "
	"eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate "
	"fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr "
	"flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate "
	"ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat getcpu getcwd "
	"getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer "
	"getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresgid32 getresuid "
	"getresuid32 getrlimit get_robust_list getrusage getsid getsockname getsockopt get_thread_area gettid "
	"gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init inotify_init1 "
	"inotify_rm_watch io_cancel ioctl io_destroy io_getevents io_pgetevents io_pgetevents_time64 ioprio_get "
	"ioprio_set io_setup io_submit ipc kill landlock_add_rule landlock_create_ruleset landlock_restrict_self "
	"lchown lchown32 lgetxattr link linkat listen listmount listxattr listxattrat llistxattr _llseek "
	"lremovexattr lseek lsetxattr lstat lstat64 madvise map_shadow_stack membarrier memfd_create memfd_secret "
	"mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify "
	"mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal "
	"msgctl msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat "
	"_newselect open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free "
	"pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease pselect6 "
	"pselect6_time64 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recv recvfrom recvmmsg "
	"recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat rename renameat renameat2 "
	"restart_syscall riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo "
	"rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_getaffinity "
	"sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min sched_getscheduler "
	"sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam "
	"sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop semtimedop_time64 send "
	"sendfile sendfile64 sendmmsg sendmsg sendto setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 "
	"setgroups setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid "
	"setresuid32 setreuid setreuid32 setrlimit set_robust_list setsid setsockopt set_thread_area "
	"set_tid_address setuid setuid32 setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack "
	"signalfd signalfd4 sigprocmask sigreturn socketcall socketpair splice stat stat64 statfs statfs64 "
	"statmount statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create "
	"timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create "
	"timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate truncate64 "
	"ugetrlimit umask uname unlink unlinkat uretprobe utime utimensat utimensat_time64 utimes vfork vmsplice "
	"wait4 waitid waitpid write writev";

/* One row a rule. Conditions: with a capability, without one, on a machine, not on one, from a kernel on. */
static const struct {
	const char *names;
	uint16_t errno_ret; /* 0: allowed */
	const char *op;	    /* with a condition on an argument */
	uint32_t index;
	uint64_t value;
	const char *cap, *without_cap, *arches, *not_arches, *kernel;
} rows[] = {
	{always},
	{"process_vm_readv process_vm_writev ptrace", .kernel = "4.8"},
	{"socket", .op = "SCMP_CMP_NE", .value = 40 /* AF_VSOCK: leads out of the namespace */},
	{"personality", .op = "SCMP_CMP_EQ", .value = 0x0},
	{"personality", .op = "SCMP_CMP_EQ", .value = 0x8},
	{"personality", .op = "SCMP_CMP_EQ", .value = 0x20000},
	{"personality", .op = "SCMP_CMP_EQ", .value = 0x20008},
	{"personality", .op = "SCMP_CMP_EQ", .value = 0xffffffff},
	{"sync_file_range2 swapcontext", .arches = "ppc64le"},
	{"arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls", .arches = "arm64"},
	{"arch_prctl modify_ldt", .arches = "amd64"},
	{"s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr", .arches = "s390x"},
	{"riscv_flush_icache", .arches = "riscv64"},
	{"open_by_handle_at", .cap = "CAP_DAC_READ_SEARCH"},
	{"bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr "
	 "lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl "
	 "quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare",
	 .cap = "CAP_SYS_ADMIN"},
	{"clone", .op = "SCMP_CMP_MASKED_EQ", .value = NEW_NAMESPACES, .without_cap = "CAP_SYS_ADMIN",
	 .not_arches = "s390x"},
	{"clone", .op = "SCMP_CMP_MASKED_EQ", .index = 1, .value = NEW_NAMESPACES, .without_cap = "CAP_SYS_ADMIN",
	 .arches = "s390x"},
	{"clone3", .errno_ret = ENOSYS, .without_cap = "CAP_SYS_ADMIN"},
	{"reboot", .cap = "CAP_SYS_BOOT"},
	{"chroot", .cap = "CAP_SYS_CHROOT"},
	{"delete_module init_module finit_module", .cap = "CAP_SYS_MODULE"},
	{"acct", .cap = "CAP_SYS_PACCT"},
	{"kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace", .cap = "CAP_SYS_PTRACE"},
	{"iopl ioperm", .cap = "CAP_SYS_RAWIO"},
	{"settimeofday stime clock_settime clock_settime64", .cap = "CAP_SYS_TIME"},
	{"vhangup", .cap = "CAP_SYS_TTY_CONFIG"},
	{"get_mempolicy mbind set_mempolicy set_mempolicy_home_node", .cap = "CAP_SYS_NICE"},
	{"syslog", .cap = "CAP_SYSLOG"},
	{"bpf", .cap = "CAP_BPF"},
	{"perf_event_open", .cap = "CAP_PERFMON"},
};

static bool row_applies(const struct place *place, size_t i)
{
	return (!rows[i].cap || has_cap(place, rows[i].cap)) &&
	       (!rows[i].without_cap || !has_cap(place, rows[i].without_cap)) &&
	       (!rows[i].arches || strcmp(rows[i].arches, place->docker) == 0) &&
	       (!rows[i].not_arches || strcmp(rows[i].not_arches, place->docker) != 0) &&
	       (!rows[i].kernel || kernel_at_least(place, rows[i].kernel));
}

void seccomp_default_profile(uint64_t bounding, struct seccomp_spec *ret)
{
	struct place place;

	here(bounding, &place);
	*ret = (struct seccomp_spec){0};
	ret->default_action = xstrdup("SCMP_ACT_ERRNO");
	ret->default_errno_ret = (struct opt_u64){true, EPERM};
	strv_split(&ret->architectures, place.archs, " ", false);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct seccomp_rule *rule;

		if (!row_applies(&place, i))
			continue;
		rule = VEC_ADD(&ret->rules);
		strv_split(&rule->names, rows[i].names, " ", false);
		rule->action = xstrdup(rows[i].errno_ret ? "SCMP_ACT_ERRNO" : "SCMP_ACT_ALLOW");
		if (rows[i].errno_ret)
			rule->errno_ret = (struct opt_u64){true, rows[i].errno_ret};
		if (rows[i].op)
			VEC_PUSH(&rule->args, ((struct seccomp_arg){.index = rows[i].index,
								    .value = rows[i].value,
								    .op = xstrdup(rows[i].op)}));
	}
}
